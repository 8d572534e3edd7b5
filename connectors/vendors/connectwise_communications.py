"""`email`, `phone` and `fax` of a contact, which ConnectWise keeps as items of a list. Pure.

Each stands for the default item of its kind, or else the first one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from connectors.errors import InvalidRecord
from connectors.vendors.connectwise_writes import Change, Document

CONTACTS_PATH: Final = "/company/contacts"
TYPES_PATH: Final = "/company/communicationTypes"
ITEMS: Final = "communicationItems"
KINDS: Final[Mapping[str, str]] = MappingProxyType({"email": "Email", "phone": "Phone", "fax": "Fax"})

Item = dict[str, Any]
Values = dict[str, str | None]
"""By name; None for one that is to go."""


def taken_out(document: Mapping[str, Any]) -> tuple[Document, Values]:
    """The document without these members, and their values. Raises InvalidRecord."""
    values: Values = {}
    for name in KINDS:
        if name not in document:
            continue
        value = document[name]
        if value is not None and not isinstance(value, str):
            raise InvalidRecord(f"{name} must be a text, or null")
        values[name] = value.strip() or None if value else None
    if values and ITEMS in document:
        raise InvalidRecord(f"{', '.join(values)}: send either these or {ITEMS}, which holds them")
    return {name: member for name, member in document.items() if name not in values}, values


def type_conditions(name: str) -> tuple[str, str]:
    """What to ask the communication types for: the default one of this kind, else any."""
    return f"{name}Flag = true and defaultFlag = true", f"{name}Flag = true"


def new_item(name: str, value: str, *, type_id: int) -> Item:
    return {"type": {"id": type_id}, "value": value, "communicationType": KINDS[name], "defaultFlag": True}


def shown_place(items: Iterable[object], name: str) -> int | None:
    """Where the item is that `name` stands for."""
    ours = [
        (place, item)
        for place, item in enumerate(items)
        if isinstance(item, dict) and item.get("communicationType") == KINDS[name]
    ]
    defaults = [place for place, item in ours if item.get("defaultFlag") is True]
    return next(iter(defaults or [place for place, _ in ours]), None)


def items_of(record: Mapping[str, Any]) -> list[Any]:
    items = record.get(ITEMS)
    return items if isinstance(items, list) else []


def without_item(values: Values, *, items: list[Any]) -> list[str]:
    """The names that need an item which is not there yet."""
    return [name for name, value in values.items() if value is not None and shown_place(items, name) is None]


def changes(values: Values, *, items: list[Any], new: list[Item]) -> list[Change]:
    """Values replaced, `new` items added, then the others removed: from the last place down, as places move up."""
    places = {name: place for name in values if (place := shown_place(items, name)) is not None}
    replaced: list[Change] = [
        {"op": "replace", "path": f"/{ITEMS}/{place}/value", "value": values[name]}
        for name, place in places.items()
        if values[name] is not None and items[place].get("value") != values[name]
    ]
    added: list[Change] = [{"op": "add", "path": f"/{ITEMS}/-", "value": item} for item in new]
    if new and not items:
        # There may be no list at all to append to.
        added = [{"op": "add", "path": f"/{ITEMS}", "value": new}]
    gone = sorted((place for name, place in places.items() if values[name] is None), reverse=True)
    return [*replaced, *added, *({"op": "remove", "path": f"/{ITEMS}/{place}"} for place in gone)]
