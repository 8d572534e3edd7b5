"""Of what ConnectWise tells: the types and levels of its callbacks, and how people write the ones they want.

ticket, company                 everything of these types
ticket:board:12                 the tickets of board 12
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from connectors.callbacks import InvalidCallbackTypes, WantedCallback

OWNER = "owner"
OWNER_ID = "1"
"""ConnectWise wants an id with every level; this one stands for "all"."""
GREATEST_ID = 2**31 - 1
MOST_CALLBACKS = 100
"""Each is a registration of its own at the provider."""

# ConnectWise takes names in any letter case; lower case is what is sent.
LEVELS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "activity": ("owner", "status", "type", "company", "activity"),
        "agreement": ("owner", "type", "company", "agreement"),
        "company": ("owner", "status", "type", "territory", "company", "integratortag"),
        "contact": ("owner", "type", "territory", "company", "contact"),
        "configuration": ("owner", "type", "status", "configuration"),
        "invoice": ("owner", "status", "company", "invoice"),
        "expense": ("owner", "chargetotype", "type", "class", "company", "expense"),
        "member": ("owner", "location", "securityrole", "member"),
        "opportunity": ("owner", "statusid", "company", "opportunity"),
        "productcatalog": ("owner",),
        "project": ("owner", "status", "board", "project"),
        "purchaseorder": ("owner", "status", "vendor", "company", "purchaseorder"),
        "schedule": ("owner", "status", "type", "location", "member", "schedule"),
        "site": ("owner", "territory", "company", "site"),
        "ticket": ("owner", "board", "project", "phase", "status", "ticket", "integratortag"),
        "time": ("owner", "company", "time"),
    }
)

_separators = re.compile(r"[,\r\n]")
_is_number = re.compile(r"[0-9]{1,20}").fullmatch


def everything_of(callback_type: str) -> WantedCallback:
    return WantedCallback(type=callback_type, level=OWNER, object_id=OWNER_ID)


def parse_wanted(text: str, *, default: Sequence[str]) -> tuple[WantedCallback, ...]:
    """What the text asks for, each once, in its order; for blank text everything of the `default` types.

    Raises InvalidCallbackTypes.
    """
    if not text.strip():
        return tuple(everything_of(callback_type) for callback_type in default)
    parts = [part.strip() for part in _separators.split(text)]
    wanted = tuple(dict.fromkeys(_wanted(part) for part in parts if part))
    if not wanted:
        raise InvalidCallbackTypes(f"no type is named; there are {_listed(LEVELS)}")
    if len(wanted) > MOST_CALLBACKS:
        raise InvalidCallbackTypes(f"{len(wanted)} callbacks are asked for, and {MOST_CALLBACKS} are the most")
    return wanted


def _wanted(part: str) -> WantedCallback:
    callback_type, *rest = (piece.strip() for piece in part.lower().split(":"))
    if callback_type not in LEVELS:
        raise InvalidCallbackTypes(
            f"{_shown(part)}: there is no type {_shown(callback_type)}; there are {_listed(LEVELS)}"
        )
    if len(rest) > 2:
        raise InvalidCallbackTypes(f"{_shown(part)}: write type or type:level:id, such as ticket or ticket:board:12")
    level, object_id = (*rest, "", "")[:2]
    if not rest:
        return everything_of(callback_type)
    if level not in LEVELS[callback_type]:
        raise InvalidCallbackTypes(
            f"{_shown(part)}: {callback_type} has no level {_shown(level)}; it has {_listed(LEVELS[callback_type])}"
        )
    if level == OWNER:
        if object_id not in ("", OWNER_ID):
            raise InvalidCallbackTypes(
                f"{_shown(part)}: {OWNER} is everything of the type and takes no id; write {callback_type}"
            )
        return everything_of(callback_type)
    if not _is_number(object_id) or not 0 < int(object_id) <= GREATEST_ID:
        raise InvalidCallbackTypes(
            f"{_shown(part)}: {callback_type}:{level} needs an id, a number from 1 to {GREATEST_ID}, "
            f"such as {callback_type}:{level}:12"
        )
    return WantedCallback(type=callback_type, level=level, object_id=str(int(object_id)))


def _listed(names: Mapping[str, object] | Sequence[str]) -> str:
    return ", ".join(names)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:59]}…")
