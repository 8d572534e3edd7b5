"""Instances as the API shows them, and requests about them as it reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from connectors import registry
from connectors.configuration_entries import CALLBACK_URL, entries_of
from connectors.element import Element
from instances.catalogue import element_object
from instances.configuration import MASK, ShownEntry, shown
from instances.encryption import decrypt
from instances.errors import InvalidRequest
from instances.models import Instance


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceRequest:
    """The members of a request body that mean something; the others are passed over. None: not sent."""

    element: Element | None
    name: object
    tags: object
    configuration: Mapping[str, object] | None = field(repr=False)
    wants_objects: bool


def instance_request(body: object) -> InstanceRequest:
    """Raises InvalidRequest, and UnknownElement for an element that is not in the catalogue."""
    if not isinstance(body, Mapping):
        raise InvalidRequest("Send the instance as a JSON object")
    element, configuration = _element_named(body.get("element")), body.get("configuration")
    misplaced = sorted(_known_keys(element) & body.keys())
    if misplaced:
        raise InvalidRequest(f'{misplaced[0]}: send it inside "configuration": {{"{misplaced[0]}": ...}}')
    if configuration is not None and not isinstance(configuration, Mapping):
        raise InvalidRequest('configuration: send an object, such as {"event.notification.enabled": true}')
    return InstanceRequest(
        element=element,
        name=body.get("name"),
        tags=body.get("tags"),
        configuration=configuration,
        wants_objects=body.get("retrieveObjectsAfterInstantiation") is True,
    )


def _known_keys(element: Element | None) -> set[str]:
    """Entries of this element, or of any. Passed over at the top, a switch would seem to have been taken."""
    elements = registry.all_elements() if element is None else (element,)
    return {entry.key for one in elements for entry in entries_of(one)}


def _element_named(value: object) -> Element | None:
    if value is None:
        return None
    named = [value.get("key"), value.get("id")] if isinstance(value, Mapping) else []
    for name in named:
        if isinstance(name, str) or (isinstance(name, int) and not isinstance(name, bool)):
            return registry.element(name)
    raise InvalidRequest('element: send {"key": "..."} or {"id": ...}')


def instance_object(instance: Instance, *, shows_secrets: bool) -> dict[str, Any]:
    """The instance in full, secrets of the provider masked; for some people all that opens something."""
    configuration = {entry.key: shown_value(entry, shows_secrets=shows_secrets) for entry in shown(instance)}
    user, element = instance.user, instance.element
    body: dict[str, Any] = {
        "id": instance.pk,
        "name": instance.name,
        "createdDate": timestamp(instance.created_at),
        "token": _token(instance, shows_secrets=shows_secrets),
        "element": element_object(element, has_configuration=False),
        "elementId": element.id,
        "tags": list(instance.tags),
        "provisionInteractions": [],
        "valid": instance.is_valid,
        "disabled": instance.is_disabled,
        "maxCacheSize": 0,
        "cacheTimeToLive": 0,
        "configuration": configuration,
        "eventsEnabled": instance.is_events_enabled,
        "traceLoggingEnabled": False,
        "cachingEnabled": False,
        "externalAuthentication": "none",
        "user": {
            "id": user.pk,
            "emailAddress": user.email,
            "firstName": user.first_name,
            "lastName": user.last_name,
        },
    }
    if instance.callback_url:
        body["eventsNotificationCallbackUrl"] = configuration[CALLBACK_URL]
    if instance.registration_problem:
        body["registrationProblem"] = instance.registration_problem
    if not instance.is_valid:
        body["invalidReason"] = instance.invalid_reason
    return body


def short_instance_object(instance: Instance, *, shows_secrets: bool) -> dict[str, Any]:
    """What `hydrate=false` leaves: enough to find an instance and to call through it."""
    element = instance.element
    return {
        "id": instance.pk,
        "name": instance.name,
        "createdDate": timestamp(instance.created_at),
        "token": _token(instance, shows_secrets=shows_secrets),
        "element": {"id": element.id, "key": element.key, "name": element.name, "hub": element.hub},
        "elementId": element.id,
        "tags": list(instance.tags),
        "valid": instance.is_valid,
        "disabled": instance.is_disabled,
    }


def objects_of(element: Element) -> list[dict[str, str]]:
    """What `retrieveObjectsAfterInstantiation` adds."""
    return [
        {"name": one.name, "vendorName": one.name, "type": "ceCanonical"} for one in element.resources if not one.parent
    ]


def entry_object(entry: ShownEntry, instance: Instance, *, shows_secrets: bool) -> dict[str, Any]:
    """One entry of `/configuration` of an instance."""
    return {
        "id": entry.id,
        "key": entry.key,
        "name": entry.name,
        "propertyValue": shown_value(entry, shows_secrets=shows_secrets),
        "required": entry.is_required,
        "elementInstanceId": instance.pk,
    }


def shown_value(entry: ShownEntry, *, shows_secrets: bool) -> str | None:
    """Some receivers know their callers by what stands in the query of their URL."""
    if entry.key == CALLBACK_URL and entry.value and not shows_secrets:
        return without_secrets(entry.value)
    return entry.value


def without_secrets(url: str) -> str:
    """Where it leads, without what may open the door there."""
    try:
        parts = urlsplit(url)
        return parts._replace(query=MASK if parts.query else "", fragment="").geturl()
    except ValueError:
        return MASK


def _token(instance: Instance, *, shows_secrets: bool) -> str:
    return decrypt(instance.token_encrypted) if shows_secrets else MASK


def timestamp(moment: datetime) -> str:
    """ISO 8601 in UTC, to the second, with `Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
