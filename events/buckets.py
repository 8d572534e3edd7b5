"""A time cut into buckets: hours, days, months, by UTC. Both ends belong to it, to the second."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from instances.errors import InvalidRequest

MOST_BUCKETS = 10_000
DEFAULT_SPAN = timedelta(hours=24)

# How long a bucket is: so many seconds, or so many months.
_SECONDS = {"week": 604_800, "day": 86_400, "hour": 3_600, "minute": 60, "second": 1}
_MONTHS = {"year": 12, "quarter": 3, "month": 1}
INTERVALS = (*_MONTHS, *_SECONDS)

# For spans up to a length, unless somebody asks for another: from tens to some two hundred buckets.
_BY_LENGTH = (
    (timedelta(minutes=2), "second"),
    (timedelta(hours=3), "minute"),
    (timedelta(days=8), "hour"),
    (timedelta(days=200), "day"),
    (timedelta(days=3 * 366), "week"),
    (timedelta(days=15 * 366), "month"),
)
# 0001-01-01 was a Monday, the first day of a week.
_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)
_BLANK_FOR_PLUS = re.compile(r"(T.*) (?=[0-9:]+$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From the first microsecond of one second to the last of another."""

    begins_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """Those that a span touches. The first and the last may be wider than what the span has of them."""

    span: Span
    interval: str

    def starts(self) -> Iterator[datetime]:
        first, last = (_index(moment, self.interval) for moment in (self.span.begins_at, self.span.ends_at))
        return (_start(index, self.interval) for index in range(first, last + 1))

    def __len__(self) -> int:
        return _index(self.span.ends_at, self.interval) - _index(self.span.begins_at, self.interval) + 1


def span(*, begins: str, ends: str, now: datetime) -> Span:
    """What `from` and `to` say, both ISO 8601; without them, the day up to now. Raises InvalidRequest."""
    ends_at = moment("to", ends) if ends else now
    begins_at = moment("from", begins) if begins else ends_at - min(DEFAULT_SPAN, ends_at - _BEGINNING)
    if ends_at < begins_at:
        raise InvalidRequest("to is before from")
    return Span(begins_at=begins_at.replace(microsecond=0), ends_at=ends_at.replace(microsecond=999_999))


def cut(span: Span, *, interval: str) -> Buckets:
    """Into years, hours and so on; by the span's length if `interval` is empty. Raises InvalidRequest."""
    if interval and interval not in INTERVALS:
        raise InvalidRequest(f"interval: send {', '.join(INTERVALS)}")
    buckets = Buckets(span=span, interval=interval or _interval_for(span))
    if len(buckets) > MOST_BUCKETS:
        raise InvalidRequest(
            f"interval: from and to are {len(buckets)} times a {buckets.interval} apart, more than {MOST_BUCKETS}; "
            "ask for a longer interval or a shorter time"
        )
    return buckets


def _interval_for(span: Span) -> str:
    length = span.ends_at - span.begins_at
    return next((interval for longest, interval in _BY_LENGTH if length <= longest + timedelta(seconds=1)), "year")


def _index(moment: datetime, interval: str) -> int:
    """Which bucket it is in, counted from the year 1."""
    if interval in _MONTHS:
        return ((moment.year - 1) * 12 + moment.month - 1) // _MONTHS[interval]
    return (moment - _BEGINNING) // timedelta(seconds=_SECONDS[interval])


def _start(index: int, interval: str) -> datetime:
    if interval in _MONTHS:
        years, months = divmod(index * _MONTHS[interval], 12)
        return _BEGINNING.replace(year=1 + years, month=1 + months)
    return _BEGINNING + index * timedelta(seconds=_SECONDS[interval])


def moment(name: str, text: str) -> datetime:
    """What somebody sends as `name`, ISO 8601; in UTC unless it says otherwise. Raises InvalidRequest."""
    # The plus of an offset arrives as a blank where nobody escaped it.
    try:
        sent = datetime.fromisoformat(_BLANK_FOR_PLUS.sub(r"\1+", text.strip()))
        return (sent if sent.tzinfo else sent.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidRequest(f"{name}: send a moment such as 2026-11-22T10:00:00Z") from None
