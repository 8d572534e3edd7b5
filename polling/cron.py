"""When a job is due: Quartz cron expressions, read strictly, and the moments they name.

    second minute hour day-of-month month day-of-week [year]        0 0/15 8-18 ? * MON-FRI

`?` stands in one of the two fields of days. Days of the week count from 1, Sunday, or are SUN to SAT. `L` is the last
day of the month, `6L` its last Friday, `6#3` the third one. All times are UTC. Jobs run once a minute at the most.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from croniter import croniter
from croniter.croniter import CroniterBadDateError

from instances.errors import InvalidRequest

LONGEST_EXPRESSION = 200
_FIRST_YEAR, _LAST_YEAR = 1970, 2099
_MONTH_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAY_NAMES = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, start=1)}
_DAYS = {name: number for number, name in enumerate(_DAY_NAMES, start=1)}
_part = re.compile(r"(\*|[0-9A-Z]{1,4})(?:-([0-9A-Z]{1,4}))?(?:/([0-9]{1,4}))?").fullmatch
_special_day = re.compile(r"([1-7]|[A-Z]{3})(?:(L)|#([1-5]))").fullmatch


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: Mapping[str, int] = field(default_factory=dict)


_SECOND, _MINUTE, _HOUR = _Field("seconds", 0, 59), _Field("minutes", 0, 59), _Field("hours", 0, 23)
_DAY, _MONTH = _Field("day of month", 1, 31), _Field("month", 1, 12, _MONTHS)
_WEEKDAY, _YEAR = _Field("day of week", 1, 7, _DAYS), _Field("year", _FIRST_YEAR, _LAST_YEAR)


def check(expression: str, *, now: datetime) -> None:
    """Raises InvalidRequest for what is no Quartz expression, is due too often, or is never due again."""
    if next_run(expression, after=now) is None:
        raise InvalidRequest(f"trigger.cron: {expression!r} names no moment that is still to come")


def next_run(expression: str, *, after: datetime) -> datetime | None:
    """The first moment behind `after`; None when there is none any more. Raises InvalidRequest."""
    try:
        found: datetime = croniter(_translated(expression), after, second_at_beginning=True).get_next(datetime)
    except CroniterBadDateError:
        return None
    return found.astimezone(UTC)


def _translated(expression: str) -> str:
    """The same for croniter, every field as the numbers it names: its own words mean other things here and there."""
    fields = expression.upper().split()
    if len(expression) > LONGEST_EXPRESSION or len(fields) not in (6, 7):
        raise _wrong(f"{expression[:60]!r} is no Quartz expression: second minute hour day month weekday [year]")
    second, minute, hour, day, month, weekday, *years = fields
    seconds = _numbers(_SECOND, second)
    if len(seconds) != 1:
        raise _wrong("seconds: name one; a job runs once a minute at the most")
    if "*" in (day, weekday) and "?" not in (day, weekday):
        # Which of the two is left open, Quartz wants to see; one star says it as well.
        day, weekday = ("?", weekday) if day == "*" and weekday != "*" else (day, "?")
    if (day == "?") == (weekday == "?"):
        raise _wrong("send ? for exactly one of day of month and day of week")
    return " ".join(
        [
            _joined(seconds),
            _joined(_numbers(_MINUTE, minute)),
            _joined(_numbers(_HOUR, hour)),
            "*" if day == "?" else _days(day),
            _joined(_numbers(_MONTH, month)),
            "*" if weekday == "?" else _weekdays(weekday),
            _joined(_numbers(_YEAR, years[0])) if years else "*",
        ]
    )


def _days(text: str) -> str:
    """In croniter a star is no restriction, and every day by number would be one."""
    if text in ("*", "L"):
        return text
    return _joined(_numbers(_DAY, text))


def _weekdays(text: str) -> str:
    if text == "*":
        return text
    if (match := _special_day(text)) is not None:
        day = _number(_WEEKDAY, match[1]) - 1
        return f"L{day}" if match[2] else f"{day}#{match[3]}"
    return _joined([number - 1 for number in _numbers(_WEEKDAY, "SAT" if text == "L" else text)])


def _numbers(kind: _Field, text: str) -> list[int]:
    """Every number that the field names, ascending. Raises InvalidRequest."""
    found: set[int] = set()
    for part in text.split(","):
        match = _part(part)
        if match is None:
            raise _wrong(f"{kind.name}: {part[:20]!r} cannot be read; known are * ? , - / and numbers or names")
        start, end, step_text = match.groups()
        step = int(step_text) if step_text else 1
        if start == "*":
            first, last = kind.low, kind.high
        else:
            first = _number(kind, start)
            last = _number(kind, end) if end else kind.high if step_text else first
        if (start == "*" and end) or not 1 <= step <= kind.high:
            raise _wrong(f"{kind.name}: {part[:20]!r} cannot be read")
        if last < first:  # 22-2: over the end of the clock
            last += kind.high - kind.low + 1
        size = kind.high - kind.low + 1
        found |= {kind.low + (number - kind.low) % size for number in range(first, last + 1, step)}
    return sorted(found)


def _number(kind: _Field, text: str) -> int:
    number = kind.names.get(text) if not text.isdecimal() else int(text)
    if number is None or not kind.low <= number <= kind.high:
        raise _wrong(f"{kind.name}: {text[:20]!r} is not between {kind.low} and {kind.high}")
    return number


def _joined(numbers: list[int]) -> str:
    return ",".join(map(str, numbers))


def _wrong(message: str) -> InvalidRequest:
    return InvalidRequest(f"trigger.cron: {message}")
