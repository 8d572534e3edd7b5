"""Time zones as poller configurations name them: abbreviations, offsets and regions."""

from __future__ import annotations

import re
from datetime import UTC, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from connectors.errors import InvalidQuery

# What an abbreviation means is an agreement, not a rule: these are the American ones, each a fixed offset, so that
# `MST` in July is what it says and not daylight time.
_ABBREVIATION_HOURS = {"GMT": 0, "UTC": 0, "UT": 0, "Z": 0}
_ABBREVIATION_HOURS |= {"AST": -4, "ADT": -3, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5}
_ABBREVIATION_HOURS |= {"MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "AKST": -9, "AKDT": -8, "HST": -10}
OFFSET = r"(?:GMT|UTC)?[+-][0-9]{1,2}(?::?[0-9]{2})?"
"""`-6`, `-6:00`, `+0530`, `GMT+2`, as a regular expression without groups."""
_offset_parts = re.compile(r"(?:GMT|UTC)?([+-])([0-9]{1,2})(?::?([0-9]{2}))?").fullmatch
_is_region = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}").fullmatch
_LONGEST_NAME = 64


@lru_cache(maxsize=512)
def time_zone(name: str) -> tzinfo:
    """`MST`, `-6:00`, `GMT+2` or `America/Denver`; empty means GMT. Raises InvalidQuery for anything else."""
    name = name.strip()
    if not name or name in ("GMT", "UTC"):
        return UTC
    if (hours := _ABBREVIATION_HOURS.get(name)) is not None:
        return timezone(timedelta(hours=hours), name)
    if parts := _offset_parts(name):
        offset = _offset(*parts.groups())
        if offset is not None:
            return timezone(offset)
    elif _is_region(name) and len(name) <= _LONGEST_NAME:
        try:
            return ZoneInfo(name)
        except (KeyError, ValueError, OSError):  # OSError: the name of a whole continent is a directory
            pass
    raise InvalidQuery(f"{name[:_LONGEST_NAME]!r} is no time zone: use one like GMT, MST, -06:00 or America/Denver")


def _offset(sign: str, hours: str, minutes: str | None) -> timedelta | None:
    if int(hours) > 23 or int(minutes or 0) > 59:
        return None
    offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
    return -offset if sign == "-" else offset
