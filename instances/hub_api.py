"""The hub API: records of the token's instance. The token chooses the element; a hub's name in the path does nothing.

[/hubs/{hub}]/{resource}[/{id}]     [/hubs/{hub}]/objects     [/hubs/{hub}]/ping
"""

from __future__ import annotations

from typing import Any

import orjson
from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from connectors import hub
from connectors.connection import Connection
from connectors.element import Element, Resource
from connectors.records import DEFAULT_PAGE_SIZE, LARGEST_PAGE_SIZE
from instances.authentication import NeedsUserAndElement, instance_of
from instances.configuration import connection_of
from instances.errors import InvalidRequest, NotFound, NotPermitted, VerbNotSupported

OBJECTS, PING = "objects", "ping"
DETAILED_VERSION = "helium"
# What clients send to say "from the beginning".
NO_TOKEN = frozenset({"", "null", "undefined"})
LARGEST_PAGE = 1_000_000


class HubView(APIView):
    """Whatever no platform path took. Credentials are asked for before anything is said about the path."""

    permission_classes = (NeedsUserAndElement,)
    http_method_names = ("get", "head")  # every other verb is answered by 404 or 405

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if instance_of(request).is_disabled and _segments(kwargs["path"]) != [OBJECTS]:
            raise NotPermitted("The instance is disabled; PUT /instances/{id}/enabled enables it")

    def get(self, request: Request, path: str) -> HttpResponse | Response:
        instance = instance_of(request)
        match _segments(path):
            case ["objects"]:
                return Response(_objects(instance.element, version=request.headers.get("Elements-Version", "")))
            case ["ping"]:
                return Response(_ping(connection_of(instance)))
            case [name]:
                return _list(connection_of(instance), _resource(instance.element, name), request)
            case [name, record_id]:
                resource = _resource(instance.element, name)
                return _json(orjson.dumps(hub.get(connection_of(instance), resource.name, record_id).fields))
        raise _unknown(path)

    def http_method_not_allowed(  # type: ignore[override]  # the stubs' two parents disagree
        self, request: Request, *args: Any, **kwargs: Any
    ) -> Response:
        """404 for what does not exist at all, 405 for what exists with other verbs."""
        segments = _segments(kwargs["path"])
        if len(segments) > 2:
            raise _unknown(kwargs["path"])
        if segments not in ([OBJECTS], [PING]):
            _resource(instance_of(request).element, segments[0] if segments else "")
        raise VerbNotSupported(f"{request.method} is not supported here; GET is")

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        instance = getattr(getattr(request, "auth", None), "instance", None)
        if instance is not None:
            response["Elements-Element-Instance-Id"] = str(instance.pk)
        return response


def _segments(path: str) -> list[str]:
    """The path behind the hub's name."""
    segments = path.strip("/").split("/")
    return segments[2:] if segments[0] == "hubs" and len(segments) > 2 else segments


def _unknown(path: str) -> NotFound:
    return NotFound(f"There is no /{path[:100]}; GET /objects lists the resources of this instance")


def _resource(element: Element, name: str) -> Resource:
    try:
        return element.resource(name)
    except KeyError:
        raise _unknown(name) from None


def _objects(element: Element, *, version: str) -> list[Any]:
    resources = sorted(element.resources, key=lambda resource: resource.name)
    if version.lower() != DETAILED_VERSION:
        return [resource.name for resource in resources]
    return [
        {"name": resource.name, "vendorName": resource.path.strip("/"), "type": "ceCanonical"} for resource in resources
    ]


def _ping(connection: Connection) -> dict[str, Any]:
    moment = connection.client().check()
    return {"endpoint": connection.element.key, "valid": True, "dateTime": f"{moment:%Y-%m-%dT%H:%M:%SZ}"}


def _list(connection: Connection, resource: Resource, request: Request) -> HttpResponse:
    asked = _parameters(request)
    where = asked.pop("where", None)
    asked_size = _number("pageSize", asked.pop("pageSize", ""), default=DEFAULT_PAGE_SIZE)
    token = asked.pop("nextPage", "")
    page_number = _number("page", asked.pop("page", ""), default=1)
    has_total = asked.pop("returnCount", "").lower() == "true"
    fields = [name.strip() for name in asked.pop("fields", "").split(",") if name.strip()]
    page = hub.find(
        connection,
        resource.name,
        where=where,
        page=min(page_number, LARGEST_PAGE),
        page_size=asked_size,
        page_token=None if token in NO_TOKEN else token,
        order_by=asked.pop("orderBy", "").strip() or None,
        fields=fields,
    )
    response = _json(page.body)
    response["Elements-Returned-Count"] = str(len(page.slices()))
    if has_total:
        response["Elements-Total-Count"] = str(hub.count(connection, resource.name, where=where))
    if page.next_page_token is not None:
        response["Elements-Next-Page-Token"] = page.next_page_token
    warnings = [f"pageSize was clipped to {LARGEST_PAGE_SIZE}"] if asked_size > LARGEST_PAGE_SIZE else []
    if asked:
        warnings.append(f"{len(asked)} parameter(s) were passed over: known are where, orderBy, fields and paging")
    if warnings:
        response["Elements-Error"] = "; ".join(warnings)
    return response


def _parameters(request: Request) -> dict[str, str]:
    # Django would read a raw `+` of an offset as a blank, and hide what is no UTF-8.
    raw = str(request.META.get("QUERY_STRING", ""))
    try:
        return hub.parse_query(raw.encode("latin-1").decode())
    except UnicodeError:
        raise InvalidRequest("The query is not UTF-8") from None


def _number(name: str, text: str, *, default: int) -> int:
    if not text:
        return default
    if not (text.isascii() and text.isdecimal()) or int(text[:20]) < 1:
        raise InvalidRequest(f"{name}: send a whole number from 1 on")
    return int(text[:20])


def _json(body: bytes) -> HttpResponse:
    return HttpResponse(body, content_type="application/json")
