"""Date patterns in the words of Java's SimpleDateFormat: `yyyy-MM-dd'T'HH:mm:ss'Z'`, to write and to read.

Supported: yy yyyy M MM MMM MMMM d dd H HH h hh m mm s ss S.. EEE EEEE a z Z X XX XXX, text in single quotes, `''`
for a quote. Names are English. Two departures, both towards what people mean: `S` is always a fraction of the second
(Java reads `.5` under `.SSS` as 5 ms), and a date with text behind it does not match (Java would drop a `Z` there).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

from connectors.errors import InvalidQuery
from connectors.time_zones import OFFSET, time_zone

LONGEST_PATTERN = 100
_MONTHS = [
    *["January", "February", "March", "April", "May", "June"],
    *["July", "August", "September", "October", "November", "December"],
]
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
_MONTH_NUMBERS = {name[:length].lower(): number for number, name in enumerate(_MONTHS, 1) for length in (3, None)}
_NUMBERS = "yMdHhmsS"
_MOST_REPEATS = {"y": 4, "M": 4, "d": 2, "H": 2, "h": 2, "m": 2, "s": 2, "S": 9, "E": 4, "a": 1, "z": 4, "Z": 3, "X": 3}

_tokens = re.compile(
    r"(?P<quote>'')|'(?P<text>(?:[^']|'')+)'|(?P<field>(?P<letter>[A-Za-z])(?P=letter)*)|(?P<other>.)", re.S
)


@dataclass(frozen=True, slots=True)
class _Field:
    letter: str
    count: int

    @property
    def is_number(self) -> bool:
        return self.letter in _NUMBERS and not (self.letter == "M" and self.count > 2)


@dataclass(frozen=True, slots=True)
class DatePattern:
    """One compiled pattern. Make it with `date_pattern`."""

    parts: tuple[_Field | str, ...]
    """Fields, and literal text between them."""
    matches: Callable[[str], re.Match[str] | None]

    @property
    def fields(self) -> list[_Field]:
        return [part for part in self.parts if isinstance(part, _Field)]

    def format(self, moment: datetime) -> str:
        """Writes this moment (aware) in its own zone."""
        return "".join(part if isinstance(part, str) else _written(part, moment) for part in self.parts)

    def parse(self, text: str, zone: tzinfo) -> datetime | None:
        """The moment in UTC; None when the text does not match or names no moment. `zone`: of text without one."""
        match = self.matches(text)
        if match is None:
            return None
        try:
            return _moment(dict(zip([field.letter for field in self.fields], match.groups(), strict=True)), zone)
        except (ValueError, OverflowError, InvalidQuery):  # 31 February, the year 0, an unheard-of zone
            return None


@lru_cache(maxsize=512)
def date_pattern(pattern: str) -> DatePattern:
    """Compiles a pattern. Raises InvalidQuery that says what is wrong with it."""
    if not pattern:
        raise InvalidQuery("a date pattern is missing")
    if len(pattern) > LONGEST_PATTERN:
        raise InvalidQuery(f"a date pattern of more than {LONGEST_PATTERN} characters")
    parts: list[_Field | str] = []
    for token in _tokens.finditer(pattern):
        if letter := token["letter"]:
            count = len(token["field"])
            if count > _MOST_REPEATS.get(letter, 0):
                raise InvalidQuery(f"{pattern!r} is no date pattern: {token['field']!r} is not known")
            parts.append(_Field(letter, count))
        elif token["other"] == "'":
            raise InvalidQuery(f"{pattern!r} is no date pattern: a quote is not closed")
        else:
            parts.append("'" if token["quote"] else (token["text"] or token["other"]).replace("''", "'"))
    return DatePattern(parts=tuple(parts), matches=re.compile(_regex(parts), re.IGNORECASE | re.ASCII).fullmatch)


def _regex(parts: list[_Field | str]) -> str:
    pieces = []
    for part, following in zip(parts, [*parts[1:], ""], strict=True):
        if isinstance(part, str):
            pieces.append(re.escape(part))
        else:
            # Numbers that touch are told apart by their width only.
            is_touching = part.is_number and isinstance(following, _Field) and following.is_number
            pieces.append(f"({_field_regex(part, is_exact=is_touching)})")
    return "".join(pieces)


def _field_regex(field: _Field, *, is_exact: bool) -> str:
    match field.letter:
        case "y":
            return "[0-9]{2}" if field.count == 2 else "[0-9]{4}"
        case "S":
            return f"[0-9]{{{field.count}}}" if is_exact else "[0-9]{1,9}"
        case "M" | "E" if not field.is_number:
            return "[A-Za-z]{3,9}"
        case "a":
            return "AM|PM"
        case "Z":
            return "[+-][0-9]{2}:?[0-9]{2}"
        case "X":
            return "Z|[+-][0-9]{2}" + ["", ":?[0-9]{2}", ":?[0-9]{2}"][field.count - 1]
        case "z":
            return f"{OFFSET}|[A-Za-z]{{1,5}}|[A-Za-z]+(?:/[A-Za-z_-]+){{1,2}}"
        case _:
            return f"[0-9]{{{field.count}}}" if is_exact else "[0-9]{1,2}"


def _written(field: _Field, moment: datetime) -> str:
    match field.letter:
        case "y":
            return f"{moment.year % 100:02d}" if field.count == 2 else f"{moment.year:04d}"
        case "M" if field.count > 2:
            return _MONTHS[moment.month - 1][: 3 if field.count == 3 else None]
        case "E":
            return _DAYS[moment.weekday()][: 3 if field.count < 4 else None]
        case "S":
            return f"{moment.microsecond:06d}"[: field.count].ljust(field.count, "0")
        case "a":
            return "AM" if moment.hour < 12 else "PM"
        case "z":
            return "GMT" if moment.tzinfo is UTC else str(moment.tzname())
        case "Z":
            return _offset(moment, with_minutes=True, colon="")
        case "X":
            zulu = not moment.utcoffset()
            return "Z" if zulu else _offset(moment, with_minutes=field.count > 1, colon=":" if field.count == 3 else "")
        case "h":
            number = moment.hour % 12 or 12
        case letter:
            attribute = {"M": "month", "d": "day", "H": "hour", "m": "minute", "s": "second"}[letter]
            number = getattr(moment, attribute)
    return str(number).zfill(field.count)


def _offset(moment: datetime, *, with_minutes: bool, colon: str) -> str:
    seconds = int((moment.utcoffset() or timedelta()).total_seconds())
    hours, minutes = divmod(abs(seconds) // 60, 60)
    return f"{'-' if seconds < 0 else '+'}{hours:02d}" + (f"{colon}{minutes:02d}" if with_minutes else "")


def _moment(found: dict[str, str], zone: tzinfo) -> datetime:
    """From the text of each field. Raises ValueError or OverflowError where there is no such moment."""
    year = int(found.get("y", "1970"))
    if len(found.get("y", "")) == 2:
        year += 1900 if year >= 69 else 2000  # the POSIX rule: without a clock, unlike Java's
    month = found.get("M", "1")
    hour = int(found.get("H", "0"))
    if "h" in found:
        hour = int(found["h"]) % 12 + (12 if found.get("a", "AM").upper() == "PM" else 0)
    for letter in "XZz":
        if letter in found:
            zone = time_zone(found[letter].upper() if letter != "z" else found[letter])
    local = datetime(
        year,
        int(month) if month.isdecimal() else _MONTH_NUMBERS.get(month.lower(), 0),
        int(found.get("d", "1")),
        hour,
        int(found.get("m", "0")),
        int(found.get("s", "0")),
        int(found.get("S", "0").ljust(6, "0")[:6]),
        tzinfo=zone,
    )
    return local.astimezone(UTC)
