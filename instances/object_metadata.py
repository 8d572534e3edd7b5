"""What is known of the fields of an object, in the members that clients know. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from connectors.element import Field, FieldType
from connectors.hub_paths import Target
from instances.record_schemas import own_fields

_TYPES: Mapping[FieldType, str] = {
    "text": "string",
    "number": "number",
    "boolean": "boolean",
    "datetime": "date",
    "milliseconds": "number",
    "reference": "object",
    "list": "array",
}
# A list cannot be compared with anything.
_NOT_FILTERABLE: frozenset[FieldType] = frozenset({"list"})
_words = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+").findall


def object_metadata(target: Target, *, custom_only: bool = False) -> dict[str, Any]:
    """The fields of a collection. None of those that an element declares is custom."""
    resource, transformation = target.resource, target.transformation
    if transformation is not None:
        vendor_paths = {mapping.path: mapping.vendor_path for mapping in transformation.fields}
        fields = own_fields(transformation, resource)
        shown = [{"path": one.name, **_field(one, target, vendor_paths[one.name])} for one in fields]
        return {"fields": [] if custom_only else shown}
    known = {one.name for one in resource.fields}
    fields = (*resource.fields, *(Field(name=name) for name in sorted(resource.child_fields.keys() - known)))
    return {"fields": [] if custom_only else [_field(one, target, one.name) for one in fields]}


def _field(field: Field, target: Target, vendor_path: str) -> dict[str, Any]:
    operations = target.operations
    is_createable = "create" in operations and not field.is_read_only
    is_updateable = bool(operations & {"update", "replace"}) and not field.is_read_only
    methods = {
        "GET": (bool(operations & {"list", "get"}), False, True),
        "POST": ("create" in operations, is_createable, True),
        "PUT": ("replace" in operations, is_updateable, True),
        "PATCH": ("update" in operations, is_updateable, True),
    }
    return {
        "type": _TYPES[field.type],
        "vendorPath": vendor_path,
        "vendorDisplayName": _display_name(field.name),
        "vendorNativeType": field.type,
        "vendorRequired": field.is_required,
        "vendorReadOnly": field.is_read_only,
        "hidden": False,
        "filterable": field.type not in _NOT_FILTERABLE,
        "createable": is_createable,
        "updateable": is_updateable,
        "picklistValues": [],
        "method": [
            {"name": name, "request": in_request, "response": in_response}
            for name, (is_there, in_request, in_response) in methods.items()
            if is_there
        ],
    } | ({"vendorMaxLength": field.longest} if field.longest is not None else {})


def _display_name(name: str) -> str:
    """`company.firstName` as people would write it: `Company First Name`."""
    return " ".join(word[0].upper() + word[1:] for word in _words(name)) or name
