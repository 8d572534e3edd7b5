"""Dates of poller configurations: reading a record's stamps, and the time macros of a poller's `url`.

    expand_macros("/hubs/crm/contacts?where=lastUpdated>'${gmtDate:yyyy-MM-dd'T'HH:mm:ss'Z'}'", moment)

A pattern is Java's (connectors/date_patterns.py) or a count since 1970: `milliseconds`, `epoch`, `epoch:ms`,
`epoch:s`, `epoch:us`. A zone is whatever connectors/time_zones.py knows; empty means GMT.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

from connectors.date_patterns import date_pattern
from connectors.errors import InvalidQuery
from connectors.time_zones import OFFSET, time_zone

ISO = "yyyy-MM-dd'T'HH:mm:ss'Z'"
"""What `${date}` without a pattern writes, and what most providers stamp their records with."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECONDS = {"milliseconds": 1_000, "epoch": 1_000, "epoch:ms": 1_000, "epoch:s": 1_000_000, "epoch:us": 1}
"""How many microseconds one count of these patterns is."""

# Patterns whose texts Python's own ISO reader understands in the same way; those that end in a quoted Z only in GMT,
# since the quoted Z is a letter to Java and the configured zone decides.
_ISO_WITH_OFFSET = {
    f"yyyy-MM-dd'T'HH:mm:ss{fraction}{zone}" for fraction in ("", ".SSS") for zone in ("X", "XX", "XXX")
}
_ISO_IN_GMT = {ISO, "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'", "yyyy-MM-dd'T'HH:mm:ss", "yyyy-MM-dd'T'HH:mm:ss.SSS"}

DateReader = Callable[[object], datetime | None]


def parse_date(value: object, *, pattern: str, zone: str) -> datetime | None:
    """The moment (UTC) that a record's stamp (text or number) means, or None where it means none.

    Tries the pattern, then ISO 8601. `zone` is for values that carry no offset. Never raises for a value, however odd;
    raises InvalidQuery for a pattern or zone that `check_pattern` or `check_zone` refuse.
    """
    return date_reader(pattern, zone)(value)


@lru_cache(maxsize=512)
def date_reader(pattern: str, zone: str) -> DateReader:
    """`parse_date` with pattern and zone already looked at, for a thousand stamps in a row."""
    where = time_zone(zone)
    if (unit := _MICROSECONDS.get(pattern)) is not None:
        return lambda value: _read_count(value, unit, where)
    compiled = date_pattern(pattern)

    def by_pattern(value: object) -> datetime | None:
        text = _as_text(value)
        if text is None:
            return None
        return compiled.parse(text, where) or _read_iso(text, where)

    def by_iso(value: object) -> datetime | None:
        try:
            moment = datetime.fromisoformat(value)  # type: ignore[arg-type]  # not a text: TypeError
        except (ValueError, TypeError):
            return by_pattern(value)
        return moment if moment.tzinfo is UTC else _in_utc(moment, where)

    return by_iso if pattern in _ISO_WITH_OFFSET or (where is UTC and pattern in _ISO_IN_GMT) else by_pattern


def format_date(moment: datetime, *, pattern: str, zone: str = "") -> str:
    """Raises InvalidQuery for an unknown pattern or zone."""
    if (unit := _MICROSECONDS.get(pattern)) is not None:
        return str((moment - EPOCH) // timedelta(microseconds=unit))
    try:
        local = moment.astimezone(time_zone(zone))
    except OverflowError as error:
        raise InvalidQuery(f"{moment.isoformat()} is beyond the calendar in {zone}") from error
    return date_pattern(pattern).format(local)


def check_pattern(pattern: str) -> None:
    """Raises InvalidQuery unless stamps can be read by this pattern."""
    if pattern not in _MICROSECONDS and not any(field.letter == "y" for field in date_pattern(pattern).fields):
        raise InvalidQuery(f"{pattern!r} is no date pattern: it has no year")


def check_zone(zone: str) -> None:
    """Raises InvalidQuery unless this names a time zone."""
    time_zone(zone)


def _as_text(value: object) -> str | None:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**20:
        return str(value)  # 20180115 under yyyyMMdd
    return None


def _read_count(value: object, unit: int, zone: tzinfo) -> datetime | None:
    try:
        if isinstance(value, float):
            return EPOCH + timedelta(microseconds=value * unit)
        text = _as_text(value)
        if text is None:
            return None
        if re.fullmatch(r"-?[0-9]{1,20}", text):
            return EPOCH + timedelta(microseconds=int(text) * unit)
    except (OverflowError, ValueError):  # the year 300000, infinity, not a number
        return None
    return _read_iso(text, zone)


def _read_iso(text: str, zone: tzinfo) -> datetime | None:
    try:
        return _in_utc(datetime.fromisoformat(text), zone)
    except ValueError:
        return None


def _in_utc(moment: datetime, zone: tzinfo) -> datetime | None:
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError:
        return None


# --- macros ---------------------------------------------------------------------------------------------------------

_macros = re.compile(r"\$\{([^}]*)(\}?)")
_zone_and_pattern = re.compile(rf"({OFFSET}|[^:]*):(.*)", re.S).fullmatch


def expand_macros(url: str, moment: datetime) -> str:
    """The url with each time macro replaced by this moment, still URL-encoded as it was.

    `${gmtDate:FMT}`, `${date}`, `${date:FMT}`, `${dateTimeZone:ZONE:FMT}`, `${epoch}`, `${epoch:ms|s|us}`,
    `${milliseconds}`. One pass: what a macro writes is never looked at again. A macro ends at the first `}`; nothing
    in it is evaluated. Raises InvalidQuery whose message starts with "url has".
    """
    return _macros.sub(lambda match: _expanded(match, moment), url)


def check_macros(url: str) -> None:
    """Raises InvalidQuery unless `expand_macros` can do its work on this url."""
    expand_macros(url, EPOCH)


def _expanded(match: re.Match[str], moment: datetime) -> str:
    macro, end = match.groups()
    shown = match.group()[:80].encode(errors="backslashreplace").decode()  # half a surrogate pair is no text
    if not end:
        raise InvalidQuery(f"url has a macro that no }} closes: {shown}")
    name, colon, argument = macro.partition(":")
    zone = ""
    match name, colon:
        case ("epoch", _) | ("milliseconds", "") if macro in _MICROSECONDS:
            pattern = macro
        case "date", "":
            pattern = ISO
        case (("gmtDate" | "date"), ":"):
            pattern = argument
        case (("dateTimeZone" | "DateTimeZone"), ":"):
            parts = _zone_and_pattern(argument)
            if parts is None:
                raise InvalidQuery(f"url has the macro {shown}, which needs a zone and a date pattern")
            zone, pattern = parts.groups()
        case _:
            raise InvalidQuery(
                f"url has the unknown macro {shown}; known are gmtDate, date, dateTimeZone, epoch and milliseconds"
            )
    try:
        text = format_date(moment, pattern=pattern, zone=zone)
    except InvalidQuery as error:
        raise InvalidQuery(f"url has the macro {shown}: {error}") from error
    return text.replace("+", "%2B")  # the url is decoded after this, and a bare plus would become a space
