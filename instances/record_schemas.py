"""Records of a resource as JSON Schema, in the words that Swagger 2.0 has for it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from connectors.element import Field, FieldType, Resource
from connectors.transformations import Transformation

_TYPES: Mapping[FieldType, Mapping[str, Any]] = {
    "text": {"type": "string"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "datetime": {"type": "string", "format": "date-time"},
    "milliseconds": {"type": "integer", "format": "int64"},
    "reference": {"type": "object"},
    "list": {"type": "array", "items": {}},
}


def record_schema(fields: Iterable[Field]) -> dict[str, Any]:
    """An object; what has a dotted name lies inside another one."""
    schema: dict[str, Any] = {"type": "object", "properties": {}}
    for field in sorted(fields, key=lambda one: one.name):
        *outer, name = field.name.split(".")
        place = schema["properties"]
        for step in outer:
            within = place.setdefault(step, {})
            within["type"] = "object"
            place = within.setdefault("properties", {})
        shown = dict(_TYPES[field.type])
        if field.longest is not None:
            shown["maxLength"] = field.longest
        if field.is_read_only:
            shown["readOnly"] = True
        place.setdefault(name, {}).update(shown)
    return schema


def required_members(fields: Iterable[Field]) -> list[str]:
    """What a new record has to have at its top."""
    return sorted({field.name.split(".")[0] for field in fields if field.is_required and not field.is_read_only})


def own_fields(transformation: Transformation, resource: Resource) -> tuple[Field, ...]:
    """The fields of an instance's own records, typed as those that they are taken from."""
    given = {field.name: field for field in resource.fields}
    return tuple(
        Field(
            name=mapping.path,
            type=origin.type,
            is_required=origin.is_required,
            is_read_only=origin.is_read_only,
            longest=origin.longest,
        )
        for mapping in transformation.fields
        for origin in (given.get(mapping.vendor_path) or Field(name=mapping.path),)
    )
