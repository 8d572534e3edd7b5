"""What clients write, in ConnectWise's words, by the tables: the body of a POST, PUT or PATCH as a value.

    {"summary": "Printer", "companyIdentifier": "Acme", "board": "Help Desk"}
        -> {"summary": "Printer", "company": {"identifier": "Acme"}, "board": {"name": "Help Desk"}}

Clients send whole records back: what only the provider fills in is passed over. What the resource has not is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from connectors.elements.connectwisehd.table import Table
from connectors.elements.connectwisehd.tables import TABLES
from connectors.elements.connectwisehd.written_values import Scalar, written_value
from connectors.errors import InvalidRecord

_is_name = re.compile(r"[A-Za-z][A-Za-z0-9_./]*").fullmatch
_LONGEST_NAME_SHOWN = 60
_NAMES_SHOWN = 12
# Of one reference, the more exact word counts.
_REFERENCE_PARTS = ("id", "identifier", "name")
# Of the server, and numbers of references that tickets are written with by name.
_SAID_OTHERWISE = frozenset({"id", "_info", "locationId", "businessUnitId"})

Written = Mapping[str, Scalar | None]
"""Values in the provider's form by dotted hub name."""


def provider_body(
    resource_key: str, fields: Mapping[str, Any], *, is_new: bool, present: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The provider's members at the top level; null empties one, and in a new record there are none.

    `present` is the hub record as it is now; it is needed where `says_things_twice`. `email`, `phone` and `fax` keep
    their names: they are no members of the provider's records but items of a list. Raises InvalidRecord.
    """
    table = TABLES[resource_key]
    written = _written(resource_key, fields)
    if present is not None:
        written = _meant(table, written, present)
    body: dict[str, Any] = {name: value for name, value in written.items() if name in table.communications}
    body |= _members(table, written)
    if not is_new:
        return body
    body = {name: value for name, value in body.items() if value is not None}
    _check_required(resource_key, body)
    return body


def says_things_twice(resource_key: str, fields: Mapping[str, Any]) -> bool:
    """Whether several fields are sent that mean one thing at the provider, such as `statusId` and `statusName`."""
    table = TABLES[resource_key]
    sent = {name for name, _ in _flat(table, fields)}
    return any(len(names & sent) > 1 for names in _same_things(table))


def changed_fields(fields: Mapping[str, Any], *, present: Mapping[str, Any]) -> dict[str, Any]:
    """What of a whole hub record is otherwise than `present` has it."""
    changed: dict[str, Any] = {}
    for name, value in fields.items():
        now = present.get(name)
        if isinstance(value, Mapping) and isinstance(now, Mapping):
            if inner := changed_fields(value, present=now):
                changed[name] = inner
        elif name not in present or value != now:
            changed[name] = value
    return changed


def unnamed_members(resource_key: str, provider_record: Mapping[str, Any]) -> dict[str, Any]:
    """What the provider's record has and this hub has no field for, such as `customFields`: a PUT would empty it."""
    named = {_root(one) for path in TABLES[resource_key].paths().values() for one in path.split("|")}
    return {name: value for name, value in provider_record.items() if name not in named | _SAID_OTHERWISE}


def refused_fields(resource_key: str, fields: Mapping[str, Any], provider_names: Sequence[str]) -> list[str]:
    """The hub's names of what the provider complains about (`status/id`): those that were sent, else all it may be.

    A name that no table knows stays as it is.
    """
    table = TABLES[resource_key]
    sent = {name for name, _ in _flat(table, fields)}
    found: list[str] = []
    for provider_name in provider_names:
        root = _root(provider_name.replace("/", "."))
        related = [name for name, path in table.paths().items() if _root(path) == root]
        unknown = [provider_name] if _is_name(provider_name) else []
        found += [name for name in related if name in sent] or related or unknown
    return list(dict.fromkeys(found))


# --- from what was sent to values by name ---------------------------------------------------------------------------


def _written(resource_key: str, fields: Mapping[str, Any]) -> Written:
    table = TABLES[resource_key]
    types = table.types()
    written: dict[str, Scalar | None] = {}
    for name, value in _flat(table, fields):
        if name not in types:
            raise InvalidRecord(_unknown(resource_key, name, known=list(types)))
        if name not in table.read_only:
            written[name] = written_value(name, types[name], value)
    return written


def _flat(table: Table, fields: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """`{"defaultAddress": {"city": "Tampa"}}` as `defaultAddress.city`. Null stands for all of an object's fields."""
    groups = {name.partition(".")[0] for name in table.paths() if "." in name}
    for name, value in fields.items():
        if name not in groups:
            yield name, value
        elif isinstance(value, Mapping):
            yield from ((f"{name}.{part}", inner) for part, inner in value.items())
        elif value is None:
            yield from ((known, None) for known in table.paths() if known.startswith(f"{name}."))
        else:
            raise InvalidRecord(f"{name} is an object of fields, such as {_in_group(table, name)}")


def _in_group(table: Table, group: str) -> str:
    return ", ".join(name for name in table.paths() if name.startswith(f"{group}."))


def _unknown(resource_key: str, name: str, *, known: list[str]) -> str:
    shown = name[:_LONGEST_NAME_SHOWN]
    similar = get_close_matches(shown, known, n=3)
    some = ", ".join([*similar, *(one for one in known if one not in similar)][:_NAMES_SHOWN])
    return f"{resource_key} have no field {shown!r}; they have {some} and others"


# --- what is said twice ---------------------------------------------------------------------------------------------


def _same_things(table: Table) -> list[set[str]]:
    """The fields that lie at one place of the provider's record, or within one of its references."""
    things: dict[str, set[str]] = {}
    for name, path in table.paths().items():
        if name not in table.read_only:
            for one in path.split("|"):
                things.setdefault(_root(one), set()).add(name)
    return [names for names in things.values() if len(names) > 1]


def _meant(table: Table, written: Written, present: Mapping[str, Any]) -> Written:
    """Without what is only a copy: clients change `statusName` in a whole record, and send the old `statusId` along."""
    copies: set[str] = set()
    now = dict(_flat(table, present))
    for names in _same_things(table):
        sent = names & set(written)
        unchanged = {name for name in sent if written[name] == now.get(name)}
        if unchanged != sent:
            copies |= unchanged
    return {name: value for name, value in written.items() if name not in copies}


# --- from values by name to the provider's members ------------------------------------------------------------------


def _members(table: Table, written: Written) -> dict[str, Any]:
    members: dict[str, _Member] = {}
    references: dict[str, dict[str, Scalar | None]] = {}
    for name, path in table.paths().items():
        if name not in written:
            continue
        root, _, part = path.partition("|")[0].partition(".")
        if part:
            references.setdefault(root, {})[part] = written[name]
        else:
            members[root] = _agreed(members.get(root), _Member(name=name, value=written[name]))
    body: dict[str, Any] = {root: member.value for root, member in members.items()}
    body |= {root: _reference(parts) for root, parts in references.items()}
    _settle_copies(table, written, body)
    _say_what_is_meant(table, written, body)
    return body


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    """A member of the body, and the hub's name that it was written under."""

    name: str
    value: Scalar | None


def _agreed(first: _Member | None, second: _Member) -> _Member:
    """Two names may lie at the same place; null says nothing beside a value."""
    if first is None or first.value is None:
        return second
    if second.value is None or second.value == first.value:
        return first
    raise InvalidRecord(f"{first.name} and {second.name} are the same at ConnectWise: send one of them")


def _reference(parts: Mapping[str, Scalar | None]) -> dict[str, Scalar] | None:
    """The whole reference: ConnectWise takes none in parts."""
    for part in _REFERENCE_PARTS:
        value = parts.get(part)
        if value is not None and value != "":
            return {part: value}
    return None


def _settle_copies(table: Table, written: Written, body: dict[str, Any]) -> None:
    """Of `contactName|contact.name`, the text stands for records without the reference.

    So the reference counts where there is one, and emptying such a field empties both.
    """
    for name, path in table.paths().items():
        text, _, other = path.partition("|")
        if not other or name not in written:
            continue
        if body.get(_root(other)) is not None:
            del body[text]
        elif written[name] in (None, ""):
            body |= {text: None, _root(other): None}


def _say_what_is_meant(table: Table, written: Written, body: dict[str, Any]) -> None:
    """A field that means this only for some records makes the record one of them: `ticketId` of a time entry."""
    for name, (told_by, values) in table.only_where.items():
        if written.get(name) is None:
            continue
        if body.get(told_by) is None:
            body[told_by] = table.written_as[name]
        elif body[told_by] not in values:
            raise InvalidRecord(f"{name} needs {told_by} to be {' or '.join(sorted(values))}")


def _check_required(resource_key: str, body: Mapping[str, Any]) -> None:
    table = TABLES[resource_key]
    paths = table.paths()
    for name in sorted(table.required):
        root = _root(paths[name])
        if body.get(root) in (None, ""):
            others = [one for one, path in paths.items() if _root(path) == root and one != name]
            hint = f" (or {', '.join(others)})" if others else ""
            raise InvalidRecord(f"{name}{hint} is missing: without it, no record of {resource_key} is created")


def _root(path: str) -> str:
    return path.partition("|")[0].partition(".")[0]
