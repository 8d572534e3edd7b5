"""What clients write, as ConnectWise takes it: what may be sent, changes as JSON Patch, a replacement made of changes.

Pure. A *document* is in the provider's words: its members at the top level, null to empty one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from connectors import nulls
from connectors.element import Resource
from connectors.errors import InvalidRecord, RateLimited, TryLater

Document = dict[str, Any]
Change = dict[str, Any]
"""One operation of a JSON Patch."""

# The server fills them in, and clients that send back a whole record have them.
_OF_THE_SERVER = frozenset({"id", "_info"})
# Of contacts: left out of a PUT, the server would fill them in again, and it may not take them away.
_WITH_DEFAULTS = frozenset({"portalSecurityLevel", "companyLocation"})
_is_name = re.compile(r"[A-Za-z_][A-Za-z0-9_]*").fullmatch


def without_read_only(fields: Mapping[str, Any], *, resource: Resource) -> Document:
    """What a client sent without what the provider fills in. An id that is required is a part of the record."""
    required = {one.name for one in resource.fields if one.is_required}
    read_only = {one.name for one in resource.fields if one.is_read_only} | (_OF_THE_SERVER - required)
    return {name: value for name, value in fields.items() if name not in read_only}


def check_names(document: Mapping[str, Any]) -> None:
    """Raises InvalidRecord. ConnectWise passes over paths into a reference, and says that all went well."""
    for name in document:
        if not _is_name(name):
            outer, _, inner = name.replace("/", ".").partition(".")
            hint = f'; a reference is written whole, {{"{outer}": {{"{inner}": ...}}}}' if inner else ""
            raise InvalidRecord(f"{name[:60]!r} is no field name of ConnectWise{hint[:160]}")


def without_nulls(document: Mapping[str, Any]) -> Document:
    """For a record that is written whole: what is not sent is empty."""
    return {name: value for name, value in document.items() if value is not None}


def with_parent(document: Mapping[str, Any], *, resource: Resource) -> Document:
    """With the members by which a record is its parent's, whatever the client sent there."""
    types = resource.field_types
    whole = dict(document)
    for name, text in resource.of_parent.items():
        outer, _, inner = name.partition(".")
        value: Any = int(text) if types.get(name) == "number" and text.isdecimal() else text
        whole[outer] = {inner: value} if inner else value
    return whole


def is_whole(fields: Mapping[str, Any]) -> bool:
    """Whether a client sends back a record that it has read."""
    return not _OF_THE_SERVER.isdisjoint(fields)


def changed_only(document: Mapping[str, Any], *, record: Mapping[str, Any]) -> Document:
    """Without the members that the record has just so: the server may not take them, as it does not take its own tags.

    Nulls say nothing: they may have been left out of what the client has read.
    """
    return {
        name: value
        for name, value in document.items()
        if nulls.without_nulls(value) != nulls.without_nulls(record.get(name))
    }


def changes(document: Mapping[str, Any]) -> list[Change]:
    """A partial body as JSON Patch. A member is replaced whole, a reference too; null removes one."""
    return [
        {"op": "remove", "path": f"/{name}"} if value is None else {"op": "replace", "path": f"/{name}", "value": value}
        for name, value in document.items()
    ]


def replacing(document: Mapping[str, Any], *, record: Mapping[str, Any], resource: Resource) -> Document:
    """The changes that make `document` of a record, as far as the resource's fields are declared.

    What was not sent is emptied; lists and yes-or-no fields stay, and what a record cannot be without.
    """
    kept, emptied = {*_OF_THE_SERVER, *_WITH_DEFAULTS, *document}, set()
    for one in resource.fields:
        outer, _, inner = (one.provider_name or one.name).replace("/", ".").partition(".")
        if one.is_required or (not inner and (one.is_read_only or one.type in ("boolean", "list"))):
            kept.add(outer)
        elif not one.is_read_only:
            emptied.add(outer)
    return {**{name: None for name in record if name in emptied - kept and record[name] is not None}, **document}


def perhaps_done(error: TryLater) -> TryLater:
    """The same, saying that the record may be there all the same. Of too many calls, none is carried out."""
    if isinstance(error, RateLimited):
        return error
    told = type(error)(
        f"{error}. The record may have been created all the same: look for it before you send it again",
        provider_message=error.provider_message,
        status=error.status,
        retry_after=error.retry_after,
    )
    told.codes, told.fields = error.codes, error.fields
    return told
