"""What clients send of object definitions and transformations, checked and made into values.

    {"fields": [{"path": "name.first", "type": "string"}]}                                       a definition
    {"vendorName": "contacts", "fields": [{"path": "name.first", "vendorPath": "firstName"}]}    a transformation

What is stored is what these functions return, so it needs no second look when it is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from connectors.element import Element, Resource
from connectors.transformations import FieldMapping, Transformation

MOST_FIELDS: Final = 500
RESERVED_NAMES: Final = frozenset(
    {
        "accounts",
        "authentication",
        "bulk",
        "definitions",
        "docs",
        "elements",
        "events",
        "formulas",
        "hubs",
        "instances",
        "jobs",
        "metadata",
        "notifications",
        "objects",
        "organizations",
        "ping",
        "transformations",
        "usage",
        "users",
    }
)
"""Paths under these belong to the platform."""

_is_name = re.compile(r"[A-Za-z0-9_-]{1,64}").fullmatch
_is_path = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}(?:\.[A-Za-z_][A-Za-z0-9_-]{0,63}){0,7}").fullmatch
_is_vendor_path = re.compile(r"[^.\[\]]{1,100}(?:\.[^.\[\]]{1,100}){0,7}").fullmatch
_NAMES_SHOWN = 20


class InvalidTransformation(ValueError):
    """It cannot be one. The message names the member and what it should be."""


def check_name(name: str) -> None:
    """Raises InvalidTransformation for what cannot name a resource."""
    if not _is_name(name):
        raise InvalidTransformation(
            f"{name[:70]!r} is no name of an object: letters, digits, _ and -, at most 64 of them"
        )
    if name.lower() in RESERVED_NAMES:
        raise InvalidTransformation(f"{name} is a name of the platform's own; call the object something else")


def definition(body: object) -> dict[str, Any]:
    """What is stored of a definition. Raises InvalidTransformation."""
    members = _object(body, '{"fields": [{"path": "name.first", "type": "string"}]}')
    fields = []
    for place, entry in _entries(members):
        kind = entry.get("type")
        if kind is None:
            kind = "string"
        if not isinstance(kind, str) or not 1 <= len(kind) <= 64 or not kind.isprintable():
            raise InvalidTransformation(f"{place}.type: send a word such as string, number, boolean or date")
        fields.append({"path": _path(place, entry), "type": kind})
    _check_paths([one["path"] for one in fields])
    return {"fields": fields}


def transformation(
    name: str, body: object, *, element: Element, defined: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What is stored of a transformation. Where the object is `defined`, its fields are the only ones there are.

    Raises InvalidTransformation.
    """
    members = _object(body, '{"vendorName": "contacts", "fields": [{"path": "name", "vendorPath": "firstName"}]}')
    _refuse_what_is_not_done(members)
    vendor_name = members.get("vendorName")
    resource = _resource(vendor_name, element)
    fields = []
    for place, entry in _entries(members):
        fields.append({"path": _path(place, entry), "vendorPath": _vendor_path(place, entry, resource)})
    if not fields:
        raise InvalidTransformation("fields: map one field or more")
    _check_paths([one["path"] for one in fields])
    if defined is not None:
        check_defined(name, fields=fields, defined=defined)
    return {"vendorName": vendor_name, "resource": resource.name, "fields": fields}


def check_defined(name: str, *, fields: Sequence[Mapping[str, Any]], defined: Mapping[str, Any]) -> None:
    """Raises InvalidTransformation where a field is mapped that the object's definition has not."""
    known = {one["path"] for one in defined["fields"]}
    for one in fields:
        if one["path"] not in known:
            raise InvalidTransformation(
                f"{one['path']} is mapped by the transformation {name}, and the definition of {name} has no such field"
            )


def from_stored(name: str, stored: Mapping[str, Any]) -> Transformation:
    """The value of what `transformation` made."""
    fields = tuple(FieldMapping(one["path"], one["vendorPath"]) for one in stored["fields"])
    return Transformation(name=name, resource=stored["resource"], fields=fields)


class StoredTransformations(Mapping[str, Transformation]):
    """All of an instance by name, each made when it is asked for: a call needs one at most."""

    def __init__(self, stored: Mapping[str, Mapping[str, Any]]) -> None:
        self._stored = stored

    def __getitem__(self, name: str) -> Transformation:
        return from_stored(name, self._stored[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)


def _object(body: object, example: str) -> Mapping[str, Any]:
    if not isinstance(body, Mapping) or not isinstance(body.get("fields"), list):
        raise InvalidTransformation(f"Send an object such as {example}")
    if len(body["fields"]) > MOST_FIELDS:
        raise InvalidTransformation(f"fields: at most {MOST_FIELDS} can be kept")
    return body


def _entries(members: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for number, entry in enumerate(members["fields"]):
        place = f"fields[{number}]"
        if not isinstance(entry, Mapping):
            raise InvalidTransformation(f"{place}: send an object with a path")
        yield place, entry


def _path(place: str, entry: Mapping[str, Any]) -> str:
    path = entry.get("path")
    if not isinstance(path, str) or not _is_path(path):
        raise InvalidTransformation(
            f"{place}.path: send names of letters, digits, _ and -, with dots between levels as in name.first; "
            "a list is named as a whole"
        )
    return path


def _vendor_path(place: str, entry: Mapping[str, Any], resource: Resource) -> str:
    path = entry.get("vendorPath")
    if not isinstance(path, str) or not _is_vendor_path(path) or not path.isprintable():
        raise InvalidTransformation(
            f"{place}.vendorPath: send the field's name in {resource.name}, with dots between levels as in company.id; "
            "a list is named as a whole"
        )
    known = [one.name for one in resource.fields]
    if resource.has_own_names and not any(_touch(path, name) for name in known):
        raise InvalidTransformation(
            f"{place}.vendorPath: {resource.name} have no field {path[:60]!r}; they have {_some(known)}"
        )
    return path


def _touch(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


def _check_paths(paths: Sequence[str]) -> None:
    """No path twice in any spelling (queries do not tell letters apart), and none inside another one."""
    folded = {path.casefold(): path for path in paths}
    if len(folded) < len(paths):
        seen: set[str] = set()
        twice = next(path for path in paths if path.casefold() in seen or seen.add(path.casefold()))  # type: ignore[func-returns-value]
        raise InvalidTransformation(f"fields: {twice} is there twice")
    for path in folded:
        segments = path.split(".")
        for length in range(1, len(segments)):
            if (outer := ".".join(segments[:length])) in folded:
                raise InvalidTransformation(f"fields: {folded[path]} lies inside {folded[outer]}; keep one of them")


def _resource(vendor_name: object, element: Element) -> Resource:
    """By its name under the hub, or by its path at the provider."""
    resources = [one for one in element.resources if not one.parent]
    if isinstance(vendor_name, str):
        asked = vendor_name.strip("/")
        for one in resources:
            if asked in (one.name, one.path.strip("/")):
                return one
    known = ", ".join(sorted(one.name for one in resources))
    said = f"{element.key} has no resource {str(vendor_name)[:60]!r}" if vendor_name is not None else "it is missing"
    raise InvalidTransformation(f"vendorName: {said}; send one of {known}")


def _refuse_what_is_not_done(members: Mapping[str, Any]) -> None:
    """What would change records, and does not here, is better refused than passed over."""
    if members.get("script"):
        raise InvalidTransformation("script: scripts are not run; leave it out and map fields by their paths")
    configuration = members.get("configuration")
    for entry in configuration if isinstance(configuration, list) else ():
        properties = entry.get("properties") if isinstance(entry, Mapping) else None
        passes = isinstance(properties, Mapping) and (properties.get("fromVendor") or properties.get("toVendor"))
        if passes and entry.get("type") == "passThrough":
            raise InvalidTransformation("configuration: fields pass only when they are mapped; leave passThrough out")


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMES_SHOWN])
    return f"{shown} and others" if len(names) > _NAMES_SHOWN else shown
