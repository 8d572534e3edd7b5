"""User-defined fields: the set-up of the custom fields that records carry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connectors.sandbox import catalogue
from connectors.sandbox.schema import SAVED, Field, Record, Schema, fields_of
from connectors.sandbox.subject import Subject, Surroundings, refuse

FIELD = Schema(
    kind="UserDefinedField",
    path="/system/userDefinedFields",
    required=("podId", "caption", "fieldTypeIdentifier", "sequenceNumber"),
    entry_stamp="none",
    read_only=("dateCreated", "connectWiseID"),
    hrefs=(),
    fields=fields_of(
        texts="caption:25 helpText:1000 fieldTypeIdentifier entryTypeIdentifier connectWiseID",
        numbers="id podId sequenceNumber numberDecimals",
        booleans="requiredFlag displayOnScreenFlag readOnlyFlag listViewFlag addAllLocationsFlag",
        datetimes="dateCreated",
        others=(
            Field(
                "options",
                "array",
                parts=fields_of(texts="optionValue", numbers="id sortOrder", booleans="defaultFlag inactiveFlag"),
            ),
            Field("_info", "reference", parts=SAVED),
        ),
    ),
)
FIELD_TYPES = (
    "Text",
    "TextArea",
    "Number",
    "Percent",
    "Currency",
    "Date",
    "Checkbox",
    "Hyperlink",
    "Button",
    "Password",
)
ENTRY_TYPES = ("EntryField", "List", "Option", "Date")
_CHOICES: Mapping[str, Sequence[str]] = {"fieldTypeIdentifier": FIELD_TYPES, "entryTypeIdentifier": ENTRY_TYPES}
_DEFAULTS: Record = {
    "numberDecimals": 0,
    "entryTypeIdentifier": "EntryField",
    "requiredFlag": False,
    "displayOnScreenFlag": True,
    "readOnlyFlag": False,
    "listViewFlag": False,
    "options": [],
}
_DEFINED = {
    number: (caption, type_, method, pod, place)
    for pod, definitions in enumerate(catalogue.CUSTOM_FIELDS.values(), start=1)
    for place, (number, caption, type_, method) in enumerate(definitions, start=1)
}
SEEDED_IDS = tuple(sorted(_DEFINED))
"""Those of the custom fields in records."""


def _finish(field: Record, _surroundings: Surroundings) -> None:
    for name, choices in _CHOICES.items():
        if field.get(name) not in choices:
            message = f"The field {name} must be one of {', '.join(choices)}."
            raise refuse(FIELD, code="InvalidField", message=message, field=name)


def _invent(record_id: int, surroundings: Surroundings) -> Record:
    unknown = (f"Field {record_id}", "Text", "EntryField", 1, record_id)
    caption, type_, method, pod, place = _DEFINED.get(record_id, unknown)
    return {
        "id": record_id,
        "podId": pod,
        "caption": caption,
        "sequenceNumber": place,
        "fieldTypeIdentifier": type_,
        **_DEFAULTS,
        "entryTypeIdentifier": method,
        "options": [],
        "dateCreated": "2021-11-05T09:30:00Z",
        "connectWiseID": surroundings.guid(),
    }


SUBJECT = Subject(schema=FIELD, defaults=_DEFAULTS, invent=_invent, finish=_finish)
