"""What a poll needs to know of a record, read from its bytes without decoding the rest of it.

A poll meets the same thousand records again and again and reports few of them. So of each only the id and the dates
are decoded, by a structure made for the poller; a record in which these are of another type than usual is decoded
in full, by itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any

import msgspec

from connectors.dates import DateReader, date_reader
from connectors.poller import ResourcePoller

ENTERED_PATH = "_info.dateEntered"
"""Where ConnectWise says when a record was entered, on those resources where it does."""
LONGEST_ID = 255
LONGEST_STAMP = 64
_GREATEST_NUMBER = 10**100  # as an id; Python refuses to write numbers of thousands of digits

_Values = tuple[object, object, object, object]
"""Id, updated date, created date and date of entry, as they are in the record."""

# A type that the structure does not expect, null where it expects an object (AttributeError), odd text, endless depth.
_UNEXPECTED = (msgspec.DecodeError, AttributeError, UnicodeDecodeError, RecursionError)


class RecordFacts(msgspec.Struct, frozen=True, gc=False):
    """One record of a page. Not a dataclass: a thousand of these should not wake the garbage collector."""

    raw: msgspec.Raw
    object_id: str
    """Empty where the record has no id that can be used."""
    stamp: str
    """The date that places the record in the window, as text; empty where there is none that can be read."""
    stamped_at: datetime | None
    updated: object
    created: object
    entered: object


def read_facts(slices: Sequence[msgspec.Raw], *, poller: ResourcePoller) -> list[RecordFacts]:
    """The facts of each record (a complete JSON value), in order. No record makes it fail."""
    read_date = _window_date(poller)
    by_updated = poller.filter_by_updated_date
    facts = []
    for raw, (object_id, updated, created, entered) in zip(slices, _reader(poller)(slices), strict=True):
        if type(object_id) is int and -_GREATEST_NUMBER < object_id < _GREATEST_NUMBER:
            object_id = str(object_id)
        elif type(object_id) is not str or len(object_id) > LONGEST_ID or not object_id.isprintable():
            object_id = _usable_id(object_id)
        stamp = updated if by_updated else created
        stamped_at = read_date(stamp)
        if stamped_at is None:
            stamp = ""
        elif type(stamp) is not str or len(stamp) > LONGEST_STAMP or not stamp.isprintable():
            stamp = _stamp_text(stamp, stamped_at)
        facts.append(RecordFacts(raw, object_id, stamp, stamped_at, updated, created, entered))
    return facts


def _window_date(poller: ResourcePoller) -> DateReader:
    field = poller.updated if poller.filter_by_updated_date else poller.created
    return date_reader(field.pattern, field.zone)


def _usable_id(value: object) -> str:
    """As text that a column holds, or empty."""
    if isinstance(value, bool):
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and abs(value) < _GREATEST_NUMBER:
        return str(value)
    if isinstance(value, str) and len(value) <= LONGEST_ID and "\x00" not in value and not _has_half_a_pair(value):
        return value
    return ""


def _has_half_a_pair(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _stamp_text(stamp: object, stamped_at: datetime) -> str:
    text = str(stamp)
    return text if len(text) <= LONGEST_STAMP and text.isprintable() else stamped_at.isoformat()


# --- decoding -------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=512)
def _reader(poller: ResourcePoller) -> Callable[[Sequence[msgspec.Raw]], list[_Values]]:
    paths = [tuple(path.split(".")) for path in _paths(poller)]

    def read_in_full(raw: msgspec.Raw) -> _Values:
        record = _decoded(raw)
        object_id, updated, created, entered = (_at(record, path) for path in paths)
        return object_id, updated, created, entered

    tree = _tree(paths)
    if tree is None:
        return lambda slices: [read_in_full(raw) for raw in slices]
    decode = msgspec.json.Decoder(_structure("Record", tree, leaves=_leaf_types(paths))).decode
    values_of: Callable[[Any], _Values] = attrgetter(*(".".join(map(_attribute, path)) for path in paths))

    def read(raw: msgspec.Raw) -> _Values:
        try:
            return values_of(decode(raw))
        except _UNEXPECTED:
            return read_in_full(raw)

    def read_page(slices: Sequence[msgspec.Raw]) -> list[_Values]:
        try:
            return [values_of(decode(raw)) for raw in slices]
        except _UNEXPECTED:
            return [read(raw) for raw in slices]

    return read_page


def _paths(poller: ResourcePoller) -> tuple[str, str, str, str]:
    return poller.id_field, poller.updated.path, poller.created.path, ENTERED_PATH


def _tree(paths: Sequence[tuple[str, ...]]) -> dict[str, Any] | None:
    """The paths as nested mappings with empty ones for values; None where a value would have values inside."""
    tree: dict[str, Any] = {}
    for path in paths:
        branch = tree
        for name in path:
            branch = branch.setdefault(name, {})
    is_consistent = all(_at(tree, path) == {} for path in paths)
    return tree if is_consistent else None


def _leaf_types(paths: Sequence[tuple[str, ...]]) -> dict[tuple[str, ...], Any]:
    types: dict[tuple[str, ...], Any] = dict.fromkeys(paths, str | int | float | None)
    types[paths[0]] = str | int | None
    return types


def _structure(
    name: str, tree: Mapping[str, Any], *, leaves: Mapping[tuple[str, ...], Any], path: tuple[str, ...] = ()
) -> type[msgspec.Struct]:
    """A structure with these fields only, all of which may be missing."""
    fields: list[tuple[str, Any, Any]] = []
    for key, branch in tree.items():
        if branch:
            inner = _structure(f"{name}_{_attribute(key)}", branch, leaves=leaves, path=(*path, key))
            fields.append((_attribute(key), inner | None, msgspec.field(default_factory=inner)))
        else:
            fields.append((_attribute(key), leaves[(*path, key)], None))
    return msgspec.defstruct(name, fields, rename={_attribute(key): key for key in tree}, gc=False)


def _attribute(key: str) -> str:
    """A Python name for any JSON key."""
    return "f_" + key.encode("utf-8", "surrogatepass").hex()


def _decoded(raw: msgspec.Raw) -> object:
    try:
        return msgspec.json.decode(raw)
    except _UNEXPECTED:
        pass
    try:
        # Half a surrogate pair, a number with hundreds of digits: legal, and only the slow reader takes it.
        return json.loads(bytes(raw))
    except (ValueError, RecursionError):
        return None


def _at(record: object, path: tuple[str, ...]) -> object:
    for name in path:
        if not isinstance(record, dict):
            return None
        record = record.get(name)
    return record
