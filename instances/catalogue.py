"""What the catalogue says about an element, in the members that clients know. Built from its definition alone."""

from __future__ import annotations

from typing import Any

from connectors.configuration_entries import ConfigurationEntry, entries_of
from connectors.element import POLLING, Element, Resource

READ_EVENT_TYPES = ["CREATED", "UPDATED"]


def element_object(element: Element, *, has_configuration: bool = True) -> dict[str, Any]:
    """The element object; the copy inside an instance goes without `configuration`."""
    shown: dict[str, Any] = {
        "id": element.id,
        "name": element.name,
        "key": element.key,
        "description": element.description,
        "image": element.logo,
        "active": True,
        "deleted": False,
        "private": False,
        "beta": False,
        "extended": False,
        "extendable": False,
        "cloneable": False,
        "typeOauth": False,
        "trialAccount": False,
        "trialAccountDescription": "",
        "existingAccountDescription": "",
        "configDescription": "",
        "signupURL": "",
        "modelType": "relational",
        "authentication": dict(element.authentication),
        "hub": element.hub,
        "protocolType": "http",
        "transformationsEnabled": True,
        "bulkDownloadEnabled": True,
        "bulkUploadEnabled": False,
    }
    if has_configuration:
        shown["configuration"] = [configuration_entry(entry) for entry in entries_of(element)]
    return shown | {"resources": [], "hooks": [], "parameters": []}


def configuration_entry(entry: ConfigurationEntry) -> dict[str, Any]:
    """One configuration entry; `defaultValue` is a string, and absent where there is none."""
    shown: dict[str, Any] = {
        "id": entry.id,
        "name": entry.name,
        "key": entry.key,
        "description": entry.description,
        "resellerConfig": False,
        "companyConfig": False,
        "active": True,
        "internal": False,
        "groupControl": False,
        "displayOrder": entry.display_order,
        "type": entry.type,
        "hideFromConsole": entry.hide_from_console,
        "required": entry.required,
    }
    return shown if entry.default_value is None else shown | {"defaultValue": entry.default_value}


def metadata(element: Element, *, is_expanded: bool = False) -> dict[str, Any]:
    """What the element can do; `is_expanded` adds what it is made of."""
    shown: dict[str, Any] = {
        "id": element.id,
        "key": element.key,
        "name": element.name,
        "description": element.description,
        "events": _events(element),
    }
    if not is_expanded:
        return shown
    return shown | {
        "image": element.logo,
        "displayOrder": element.id,
        "active": True,
        "beta": False,
        "transformations": True,
        "elementType": "standard",
        "churros": False,
        "normalizedPaging": True,
        "swaggerValidated": False,
        "cloneable": False,
        "authenticationType": element.authentication.get("type", "custom"),
        "discovery": {
            "customFields": False,
            "customObjects": False,
            "endpointCustomFields": False,
            "endpointCustomObjects": False,
        },
        "bulk": {"upload": False, "download": True},
        "api": {"type": "rest", "contentType": "json"},
        "hub": element.hub,
        "resources": [_resource(element, resource) for resource in element.resources],
    }


def _events(element: Element) -> dict[str, Any]:
    events: dict[str, Any] = {"supported": bool(element.event_methods), "methods": list(element.event_methods)}
    if POLLING in element.event_methods:
        events["polling"] = {name: dict(settings) for name, settings in element.poller_configuration.items()}
    return events


def _resource(element: Element, resource: Resource) -> dict[str, Any]:
    is_noticed = bool(element.event_methods) and resource.key in element.poller_configuration
    is_listed = "list" in resource.operations and not resource.parent
    return {
        "canonicalName": resource.key,
        "operations": sorted(resource.operations),
        "events": {
            "supported": is_noticed,
            "methods": list(element.event_methods) if is_noticed else [],
            "eventTypes": READ_EVENT_TYPES if is_noticed else [],
        },
        "bulk": {
            "upload": {"supported": False, "native": False},
            "download": {"supported": is_listed, "native": False},
        },
        "customField": {"get": False, "create": False, "update": False, "delete": False},
    }
