"""Instances over HTTP: by id, by token, and under their element."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Count, Q, QuerySet
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from connectors import registry
from connectors.element import Element
from instances import audited_calls, permissions, provisioning
from instances.authentication import NeedsAllThree, NeedsUserAndOrganization, instance_of, user_of
from instances.configuration import ShownEntry, shown
from instances.errors import InvalidRequest, NotFound, NotPermitted
from instances.models import Instance
from instances.paging import LARGEST_NUMBER, page_of
from instances.serializers import (
    InstanceRequest,
    entry_object,
    instance_object,
    instance_request,
    objects_of,
    short_instance_object,
)

READING = frozenset({"GET", "HEAD", "OPTIONS"})


class InstanceFinder(APIView):
    """Finds the instances that the caller may use; everybody else's are not there."""

    permission_classes: tuple[type[BasePermission], ...] = (NeedsUserAndOrganization,)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method not in READING and not permissions.may_operate(user_of(request)):
            raise NotPermitted("Your role lets you look at instances, not change them; ask an owner or an operator")

    def visible(self, request: Request, element: Element | None = None) -> QuerySet[Instance]:
        rows = Instance.objects.filter(organization=user_of(request).organization).select_related("user")
        return rows if element is None else rows.filter(element_key=element.key)

    def found(self, request: Request, path: dict[str, str]) -> Instance:
        """The instance of `{id}` in the path, or of the token. Raises NotFound, UnknownElement."""
        element = registry.element(path["key_or_id"]) if "key_or_id" in path else None
        if "instance_id" not in path:
            return instance_of(request)
        instance = self.visible(request, element).filter(pk=number(path["instance_id"])).first()
        if instance is None:
            raise NotFound(f"There is no instance {path['instance_id'][:40]}")
        return instance


class InstancesView(InstanceFinder):
    """The collection, whole or under an element. PUT and PATCH on it change the instance of the token."""

    def get_permissions(self) -> list[Any]:
        is_by_token = self.request.method in ("PUT", "PATCH") and "key_or_id" not in self.kwargs
        return [NeedsAllThree() if is_by_token else NeedsUserAndOrganization()]

    def get(self, request: Request, **path: str) -> Response:
        element = registry.element(path["key_or_id"]) if "key_or_id" in path else None
        page = page_of(_filtered(self.visible(request, element), request), request)
        if page.total_count == 0 and element is None:
            raise NotFound("No instance matches; POST /instances makes one")
        is_short = request.query_params.get("hydrate", "").lower() == "false"
        show, shows = (short_instance_object if is_short else instance_object), shows_secrets(request)
        return page.response([show(row, shows_secrets=shows) for row in page.rows])

    def post(self, request: Request, **path: str) -> Response:
        element = registry.element(path["key_or_id"]) if "key_or_id" in path else None
        sent = instance_request(request.data)
        if element is not None and sent.element not in (None, element):
            raise InvalidRequest("element: the body names another element than the path; leave it out")
        if (element := element or sent.element) is None:
            raise InvalidRequest('element is missing; send {"key": "..."} or {"id": ...}')
        if sent.name is None:
            raise InvalidRequest("name is missing")
        instance = provisioning.create(
            user=user_of(request),
            element=element,
            name=sent.name,
            tags=sent.tags,
            configuration=sent.configuration or {},
        )
        audited_calls.note(request, "created the instance", instance=instance, detail=f"of {element.key}")
        body = instance_object(instance, shows_secrets=shows_secrets(request))
        if sent.wants_objects:
            body["objects"] = objects_of(element)
        return Response(body)

    def put(self, request: Request, **path: str) -> Response:
        if "key_or_id" in path:
            self.http_method_not_allowed(request)
        return _updated(request, instance_of(request), instance_request(request.data))

    patch = put


class InstanceCountView(InstanceFinder):
    def get(self, request: Request) -> Response:
        counts = self.visible(request).order_by("element_key").values_list("element_key").annotate(Count("pk"))
        shown_counts = [_count(registry.element(key), count) for key, count in counts]
        return Response(
            {"totalInstances": sum(one["instances"] for one in shown_counts), "elementInstances": shown_counts}
        )


class InstanceView(InstanceFinder):
    def get(self, request: Request, **path: str) -> Response:
        return Response(instance_object(self.found(request, path), shows_secrets=shows_secrets(request)))

    def put(self, request: Request, **path: str) -> Response:
        return _updated(request, self.found(request, path), instance_request(request.data))

    patch = put

    def delete(self, request: Request, **path: str) -> Response:
        instance = self.found(request, path)
        provisioning.delete(instance_id=instance.pk)
        audited_calls.note(request, "deleted the instance", instance=instance, detail=f"of {instance.element_key}")
        return Response()


class EnabledView(InstanceFinder):
    """PUT lets a disabled instance be used again, DELETE disables it. By id."""

    def put(self, request: Request, **path: str) -> Response:
        instance = provisioning.enable(instance_id=self.found(request, path).pk)
        audited_calls.note(request, "enabled the instance", instance=instance)
        return Response(instance_object(instance, shows_secrets=shows_secrets(request)))

    def delete(self, request: Request, **path: str) -> Response:
        instance = provisioning.disable(instance_id=self.found(request, path).pk)
        audited_calls.note(request, "disabled the instance", instance=instance)
        return Response(instance_object(instance, shows_secrets=shows_secrets(request)))


class ConfigurationView(InstanceFinder):
    """The configuration as a list of entries. By id."""

    def get(self, request: Request, **path: str) -> Response:
        instance = self.found(request, path)
        shows = shows_secrets(request)
        return Response([entry_object(entry, instance, shows_secrets=shows) for entry in shown(instance)])


class ConfigurationEntryView(InstanceFinder):
    """One entry of the configuration. By id."""

    def get(self, request: Request, **path: str) -> Response:
        instance = self.found(request, path)
        return self._answer(request, instance, path["entry_id"])

    def patch(self, request: Request, **path: str) -> Response:
        instance = self.found(request, path)
        entry = _entry(shown(instance), path["entry_id"])
        if not isinstance(request.data, dict) or "propertyValue" not in request.data:
            raise InvalidRequest('Send {"propertyValue": "..."}')
        configuration = {entry.key: request.data["propertyValue"]}
        changed = provisioning.update(instance_id=instance.pk, configuration=configuration)
        audited_calls.note_changes(request, before=instance, after=changed, sent=configuration)
        return self._answer(request, changed, path["entry_id"])

    def _answer(self, request: Request, instance: Instance, entry_id: str) -> Response:
        entry = _entry(shown(instance), entry_id)
        return Response(entry_object(entry, instance, shows_secrets=shows_secrets(request)))


class TokenEnabledView(EnabledView):
    """By token."""

    permission_classes = (NeedsAllThree,)


class TokenConfigurationView(ConfigurationView):
    """By token."""

    permission_classes = (NeedsAllThree,)


class TokenConfigurationEntryView(ConfigurationEntryView):
    """By token."""

    permission_classes = (NeedsAllThree,)


def number(text: str) -> int:
    """An id out of a path. What cannot be one is 0, which nothing has."""
    return min(int(text), LARGEST_NUMBER) if text.isascii() and text.isdecimal() and len(text) < 40 else 0


def shows_secrets(request: Request) -> bool:
    return permissions.may_see_secrets(user_of(request))


def _updated(request: Request, instance: Instance, sent: InstanceRequest) -> Response:
    if sent.element not in (None, instance.element):
        raise InvalidRequest("element: an instance keeps its element; create another instance")
    changed = provisioning.update(
        instance_id=instance.pk, name=sent.name, tags=sent.tags, configuration=sent.configuration
    )
    named = [member for member in ("name", "tags") if getattr(sent, member) is not None]
    audited_calls.note_changes(request, before=instance, after=changed, sent=[*named, *(sent.configuration or {})])
    return Response(instance_object(changed, shows_secrets=shows_secrets(request)))


def _filtered(rows: QuerySet[Instance], request: Request) -> QuerySet[Instance]:
    asked = request.query_params
    if any("\x00" in value for values in asked.lists() for value in values[1]):
        raise InvalidRequest("The query holds a NUL character, which nothing stored can match")
    if tags := [tag for tag in (*asked.getlist("tags[]"), *asked.getlist("tags")) if tag]:
        rows = rows.filter(tags__overlap=tags)
    if text := asked.get("searchText", "").strip():
        rows = rows.filter(Q(name__icontains=text) | Q(element_key__icontains=text))
    return rows


def _entry(entries: Iterable[ShownEntry], entry_id: str) -> ShownEntry:
    for entry in entries:
        if str(entry.id) == entry_id:
            return entry
    raise NotFound(f"This instance has no configuration entry {entry_id[:40]}")


def _count(element: Element, count: int) -> dict[str, Any]:
    return {"element": {"id": element.id, "key": element.key, "name": element.name}, "instances": count}
