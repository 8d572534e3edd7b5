"""What an instance has under names of its own: definitions of objects, and transformations that fill them.

Decisions on the locked row: each function says which columns become what. `provisioning.change_objects` carries it out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from connectors import hub_paths
from connectors import transformation_requests as requests
from connectors.transformation_requests import InvalidTransformation
from instances.configuration import configuration_of
from instances.errors import Conflict, InvalidRequest, NotFound
from instances.models import Instance

MOST_OBJECTS: Final = 100
LARGEST_SIZE: Final = 256 * 1024
"""Bytes of each column as JSON: every call through the instance reads them."""

Stored = dict[str, dict[str, Any]]
Decision = Callable[[Instance], Mapping[str, Any]]


def define(name: str, body: object, *, is_new: bool) -> Decision:
    """Raises InvalidRequest; when carried out NotFound, Conflict."""
    wanted = _checked(name, lambda: requests.definition(body))

    def decide(instance: Instance) -> Mapping[str, Any]:
        _check_newness("definition", name, instance.object_definitions, is_new=is_new)
        if (mapped := instance.transformations.get(name)) is not None:
            try:
                requests.check_defined(name, fields=mapped["fields"], defined=wanted)
            except InvalidTransformation as error:
                raise Conflict(f"{error}; change the transformation first") from error
        return {"object_definitions": _within_limits({**instance.object_definitions, name: wanted})}

    return decide


def undefine(name: str) -> Decision:
    def decide(instance: Instance) -> Mapping[str, Any]:
        _check_newness("definition", name, instance.object_definitions, is_new=False)
        return {"object_definitions": _without(instance.object_definitions, name)}

    return decide


def transform(name: str, body: object, *, is_new: bool) -> Decision:
    """Raises InvalidRequest; when carried out NotFound, Conflict."""
    _checked(name, dict)

    def decide(instance: Instance) -> Mapping[str, Any]:
        _check_newness("transformation", name, instance.transformations, is_new=is_new)
        defined = instance.object_definitions.get(name)
        wanted = _checked(name, lambda: requests.transformation(name, body, element=instance.element, defined=defined))
        if wanted != instance.transformations.get(name):
            _check_unpolled(name, instance)
        return {"transformations": _within_limits({**instance.transformations, name: wanted})}

    return decide


def untransform(name: str) -> Decision:
    def decide(instance: Instance) -> Mapping[str, Any]:
        _check_newness("transformation", name, instance.transformations, is_new=False)
        _check_unpolled(name, instance)
        return {"transformations": _without(instance.transformations, name)}

    return decide


def _checked(name: str, read: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        requests.check_name(name)
        return read()
    except InvalidTransformation as error:
        raise InvalidRequest(str(error)) from error


def named(kind: str, name: str, stored: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """Raises NotFound."""
    if (found := stored.get(name)) is None:
        raise NotFound(f"This instance has no {kind} of {name[:64]}; POST makes one")
    return found


def _check_newness(kind: str, name: str, stored: Stored, *, is_new: bool) -> None:
    if not is_new:
        named(kind, name, stored)
    elif name in stored:
        raise Conflict(f"There is a {kind} of {name} already; PUT changes it")


def _check_unpolled(name: str, instance: Instance) -> None:
    """What polls read under this name must not become something else under them. Raises Conflict."""
    configuration = configuration_of(instance)
    is_configured = instance.poller_configuration is not None
    if not instance.is_events_enabled and not is_configured:
        return
    for poller in configuration.pollers().values():
        if hub_paths.parse_path(poller.url)[0] == name:
            raise Conflict(
                f"{name} is polled: {poller.resource} in event.poller.configuration reads it. Take that out or switch "
                "events off first"
            )


def _without(stored: Stored, name: str) -> Stored:
    return {key: value for key, value in stored.items() if key != name}


def _within_limits(stored: Stored) -> Stored:
    if len(stored) > MOST_OBJECTS:
        raise InvalidRequest(f"An instance has at most {MOST_OBJECTS} of these; delete one that is not needed")
    if len(orjson.dumps(stored)) > LARGEST_SIZE:
        raise InvalidRequest(
            f"All of these of an instance together may take {LARGEST_SIZE} bytes; delete one that is not needed"
        )
    return stored
