"""The body of a callback, as recorded ones have it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.sandbox.refusals import encode
from connectors.sandbox.schema import Record

LEFT_OUT = frozenset({"communicationItems", "customFields"})
"""Of a slim entity."""
_NEW_NAMES = frozenset({"MessageId", "CallbackObjectRecId", "ProductInstanceId", "PartnerId"})
_OLD_NAMES = {"ID": "Id", "Metadata": "metadata"}


def body(words: Record, *, entity: str | None, has_entity: bool, is_old: bool) -> bytes:
    """`words` in the order of the recordings; `Entity`, where it is wanted, has its place before `Metadata`."""
    found: Record = {}
    for name, value in words.items():
        if name == "Metadata" and has_entity:
            found["Entity"] = entity
        found[name] = value
    if is_old:
        found = {_OLD_NAMES.get(name, name): value for name, value in found.items() if name not in _NEW_NAMES}
    return encode(found)


def entity(record: Mapping[str, Any], *, is_slim: bool) -> str:
    """The record as JSON inside a string."""
    shown = {name: value for name, value in record.items() if not is_slim or name not in LEFT_OUT}
    return encode(_without_nulls(shown)).decode()


def _without_nulls(value: Any) -> Any:
    """As GET shows it: nulls are left out, but the `value` of a custom field stays."""
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    if isinstance(value, dict):
        return {
            name: inner if name == "customFields" else _without_nulls(inner)
            for name, inner in value.items()
            if inner is not None
        }
    return value
