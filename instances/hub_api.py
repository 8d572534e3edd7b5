"""The hub API: records of the token's instance, read and written.

[/hubs/{hub}]/{resource}[/{id}]     [/hubs/{hub}]/{resource}/{id}/{child}[/{child id}]
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import orjson
from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from connectors import hub, hub_paths
from connectors.connection import Connection
from connectors.errors import UnknownResource
from connectors.hub_paths import Target
from connectors.records import Record
from instances.authentication import instance_of
from instances.configuration import connection_of
from instances.errors import InvalidRequest
from instances.hub_call import HubCallView, json_body, not_supported
from instances.hub_listing import list_answer

# Names that a path may begin with and that are no resources, with or without a hub's name before them.
NOT_RESOURCES = frozenset({"objects", "ping", "bulk"})


class HubView(HubCallView):
    """Whatever no platform path took."""

    connection: Connection
    target: Target

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.connection = connection_of(instance_of(request))
        self.target = _located(self.connection, kwargs["path"])
        supported = supported_verbs(self.target)
        self.headers["Allow"] = ", ".join(supported)
        if request.method not in supported:
            raise not_supported(request.method, supported)

    def get(self, request: Request, path: str) -> HttpResponse:
        if self.target.record_id is None:
            return list_answer(self.connection, self.target.collection, request)
        return _shown(hub.get(self.connection, self.target.collection, self.target.record_id))

    def post(self, request: Request, path: str) -> HttpResponse:
        return _shown(hub.create(self.connection, self.target.collection, sent_fields(request)))

    def put(self, request: Request, path: str) -> HttpResponse:
        if self.target.record_id is None:
            return self.post(request, path)
        fields = sent_fields(request)
        return _shown(hub.replace(self.connection, self.target.collection, self.target.record_id, fields))

    def patch(self, request: Request, path: str) -> HttpResponse:
        assert self.target.record_id is not None
        fields = sent_fields(request)
        return _shown(hub.update(self.connection, self.target.collection, self.target.record_id, fields))

    def delete(self, request: Request, path: str) -> Response:
        assert self.target.record_id is not None
        hub.delete(self.connection, self.target.collection, self.target.record_id)
        return Response()


def supported_verbs(target: Target) -> list[str]:
    """As `Allow` names them; empty where there is nothing."""
    verbs = list(target.verbs())
    return ["GET", "HEAD", *verbs[1:]] if verbs[:1] == ["GET"] else [*verbs]


def sent_fields(request: Request) -> Mapping[str, Any]:
    """The record that was sent. Raises InvalidRequest."""
    if not isinstance(request.data, dict) or not request.data:
        raise InvalidRequest("Send the fields of the record as a JSON object, at least one")
    return request.data


def _located(connection: Connection, path: str) -> Target:
    """Raises UnknownResource."""
    segments = _segments(path)
    if segments[0] in NOT_RESOURCES:
        raise _unknown(path)
    try:
        target = hub_paths.locate(connection.element, segments, transformations=connection.transformations)
    except UnknownResource:
        raise _unknown(path) from None
    if not target.verbs():
        raise _unknown(path)
    return target


def _segments(path: str) -> list[str]:
    """The path behind the hub's name."""
    segments = path.strip("/").split("/")
    return segments[2:] if segments[0] == "hubs" and len(segments) > 2 else segments


def _unknown(path: str) -> UnknownResource:
    return UnknownResource(f"There is no /{path[:100]}; GET /objects lists the resources of this instance")


def _shown(record: Record) -> HttpResponse:
    try:
        return json_body(orjson.dumps(record.fields))
    except TypeError:
        # Integers of more than 64 bits, and objects within 250 others, are JSON all the same.
        return json_body(json.dumps(record.fields, separators=(",", ":"), ensure_ascii=False).encode())
