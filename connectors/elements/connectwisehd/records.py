"""Records in this hub's words, by the tables: one of them, some of its fields, a page.

What no table names is left out; what a record lacks, in whatever shape, is null.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from connectors.elements.connectwisehd.table import ITEMS, Table
from connectors.elements.connectwisehd.tables import TABLES
from connectors.errors import InvalidQuery, UnusableAnswer

Record = dict[str, Any]


# --- one record -----------------------------------------------------------------------------------------------------


def hub_record(resource_key: str, provider_record: Mapping[str, Any]) -> Record:
    """The record as this hub has it, nulls included. No record makes it fail.

    Raises KeyError for a resource that this element does not map.
    """
    record: Record = {}
    for hub_path, read in _READERS[resource_key]:
        inner = record
        for name in hub_path[:-1]:
            inner = inner.setdefault(name, {})
        inner[hub_path[-1]] = read(provider_record)
    return record


_Read = Callable[[Mapping[str, Any]], Any]


def _readers(table: Table) -> list[tuple[tuple[str, ...], _Read]]:
    readers: dict[str, _Read] = {name: _value_at(path) for name, path in table.paths().items()}
    readers |= {name: _milliseconds_at(path) for name, path in table.milliseconds.items()}
    readers |= {name: _communication(kind, path) for name, (kind, path) in table.communications.items()}
    readers |= {name: _only(readers[name], path, values) for name, (path, values) in table.only_where.items()}
    return [(tuple(name.split(".")), read) for name, read in readers.items()]


def _value_at(path: str) -> _Read:
    """The first that is there; null where the way there leads through something else than references."""
    first, _, other = path.partition("|")
    if other:
        read_first, read_other = _value_at(first), _value_at(other)

        def read_either(record: Mapping[str, Any]) -> Any:
            value = read_first(record)
            return read_other(record) if value is None else value

        return read_either
    name, _, part = first.partition(".")
    if not part:
        return lambda record: record.get(name)

    def read_part(record: Mapping[str, Any]) -> Any:
        reference = record.get(name)
        return reference.get(part) if isinstance(reference, dict) else None

    return read_part


def _milliseconds_at(path: str) -> _Read:
    def read(record: Mapping[str, Any]) -> int | None:
        try:
            moment = datetime.fromisoformat(record.get(path) or "")
            moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (TypeError, ValueError, OverflowError):
            return None
        return round(moment.timestamp() * 1000)

    return read


def _communication(kind: str, else_path: str) -> _Read:
    """The value of the default item of this kind, else of the first one."""

    def read(record: Mapping[str, Any]) -> Any:
        items = record.get(ITEMS)
        if not isinstance(items, list):
            # Callbacks and partial answers come without the items, but with a copy of the default number.
            return record.get(else_path) if else_path else None
        ours = [item for item in items if isinstance(item, dict) and item.get("communicationType") == kind]
        defaults = [item for item in ours if item.get("defaultFlag") is True]
        return next((item.get("value") for item in defaults or ours), None)

    return read


def _only(read: _Read, path: str, values: frozenset[str]) -> _Read:
    def read_if(record: Mapping[str, Any]) -> Any:
        told_by = record.get(path)
        return read(record) if isinstance(told_by, str) and told_by in values else None

    return read_if


_READERS = {name: _readers(table) for name, table in TABLES.items()}


# --- some fields of it ----------------------------------------------------------------------------------------------


def provider_fields(resource_key: str, asked: Sequence[str]) -> list[str]:
    """The paths that the provider has to give for `fields=asked`, the id first.

    Raises InvalidQuery for a name that the resource has not.
    """
    table = TABLES[resource_key]
    paths = table.paths()
    needed = ["id"]
    for name in _selected(resource_key, asked):
        if name in table.communications:
            needed += [path for path in (ITEMS, table.communications[name][1]) if path]
        else:
            needed += paths[name].split("|")
        if name in table.only_where:
            needed.append(table.only_where[name][0])
    return list(dict.fromkeys(needed))


def cut(resource_key: str, record: Record, asked: Sequence[str]) -> Record:
    """The hub record with its id and the fields asked for."""
    wanted: Record = {}
    for name in dict.fromkeys(("id", *_selected(resource_key, asked))):
        *outer, last = name.split(".")
        inner, source = wanted, record
        for part in outer:
            inner, source = inner.setdefault(part, {}), source[part]
        inner[last] = source[last]
    return wanted


def _selected(resource_key: str, asked: Sequence[str]) -> Iterator[str]:
    """The names as the tables have them: `defaultaddress` is all fields of the address."""
    table = TABLES[resource_key]
    known = [*table.paths(), *table.communications]
    for name in asked:
        text = name.strip().casefold().replace("/", ".")
        found = [one for one in known if one.casefold() == text or one.casefold().startswith(f"{text}.")]
        if not text or not found:
            raise InvalidQuery(
                f"fields: {resource_key} have no field {name.strip()[:60]!r}; they have {', '.join(known[:12])} "
                "and others"
            )
        yield from found


# --- a page ---------------------------------------------------------------------------------------------------------


def hub_page(resource_key: str, body: bytes, *, fields: Sequence[str] = ()) -> bytes:
    """A complete JSON array of the provider's records as one of hub records, in the same order and number.

    Raises UnusableAnswer where a record is nested without end.
    """

    def mapped(record: Mapping[str, Any]) -> Record:
        found = hub_record(resource_key, record)
        return cut(resource_key, found, fields) if fields else found

    try:
        return orjson.dumps([mapped(record) for record in orjson.loads(body)])
    except (ValueError, TypeError, RecursionError):
        pass
    try:
        # Legal JSON that only slow readers take: half of a surrogate pair, a number with hundreds of digits.
        page = json.loads(body)
        text = json.dumps([mapped(record) for record in page], separators=(",", ":"), ensure_ascii=False)
        # What is half a letter becomes the sign for that: the next reader is a quick one.
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
    except (ValueError, RecursionError):
        raise UnusableAnswer("A record is nested too deeply, or holds what is no JSON") from None
