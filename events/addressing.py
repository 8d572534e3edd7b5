"""Whose callback is this? Read from the path and the headers alone, in all the forms in which providers call.

ConnectWise appends the record id and the action to whatever was registered, with or without a `?`, so the path may end
in `&recordId=7601&action=updated` or in a slash.
"""

from __future__ import annotations

import binascii
import contextlib
import re
from base64 import b64decode
from dataclasses import dataclass

MOST_INSTANCES = 20
"""That one request reaches."""

_LONGEST_ID = 28
"""Characters of a 19-digit number in base64. Whatever is longer is a token, and never anything else."""
_ID = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
_LARGEST_ID = 2**63 - 1
_GLUED = re.compile(r"[&?]")


class NoAddress(ValueError):
    """Nothing of ours can be meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a request goes: to a token, to instances, or, with neither, to whom the content says."""

    element_key: str
    token: str = ""
    instance_ids: tuple[int, ...] = ()
    has_more: bool = False
    """More instances were listed than one request reaches."""
    glued: str = ""
    """What the provider appended to the path: part of the query by right."""


def address(path: str, *, instances_header: str = "") -> Address:
    """What `path`, everything behind `/events/`, and the header `Element-Instances` name. Raises NoAddress."""
    path, *rest = _GLUED.split(path, maxsplit=1)
    glued = rest[0] if rest else ""
    element_key, _, behind = path.partition("/")
    # Further segments say nothing to us.
    name = behind.partition("/")[0]
    if len(name) > _LONGEST_ID:
        return Address(element_key=element_key, token=name, glued=glued)
    if name:
        return Address(element_key=element_key, instance_ids=(_instance_id(name),), glued=glued)
    if instances_header:
        ids, has_more = _listed(instances_header)
        return Address(element_key=element_key, instance_ids=ids, has_more=has_more, glued=glued)
    return Address(element_key=element_key, glued=glued)


def _instance_id(name: str) -> int:
    """A decimal number, or one in base64: no decimal number is the base64 of another."""
    if (number := _number(name)) is not None:
        return number
    try:
        decoded = b64decode(name.rstrip("=") + "=" * (-len(name.rstrip("=")) % 4), validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise NoAddress from None
    if (number := _number(decoded)) is None:
        raise NoAddress
    return number


def _listed(header: str) -> tuple[tuple[int, ...], bool]:
    """Ids separated by commas, and whether there were too many; what is no id is passed over."""
    parts = header.split(",", MOST_INSTANCES)
    ids: dict[int, None] = {}
    for part in parts[:MOST_INSTANCES]:
        name = part.strip()
        if len(name) <= _LONGEST_ID:
            with contextlib.suppress(NoAddress):
                ids[_instance_id(name)] = None
    if not ids:
        raise NoAddress
    return tuple(ids), len(parts) > MOST_INSTANCES


def _number(text: str) -> int | None:
    number = int(text) if _ID.fullmatch(text) else 0
    return number if 0 < number <= _LARGEST_ID else None
