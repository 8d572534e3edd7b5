"""A delivery's retries on a line: what was tried, next to when it is to be tried. Decided from values.

The line is logarithmic, since schedules grow: seconds after the first failure and days after it are both to be seen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from instances.retry_schedules import Schedule

NOTHING = timedelta(0)
TAKEN, FAILED, PLANNED, NEXT, NOW = "taken", "failed", "planned", "next", "now"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    started_at: datetime
    is_success: bool
    said: str
    """How it went, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    kind: str
    place: float
    """Percent of the line."""
    label: str
    """Below a planned step; else what is said when it is pointed at."""
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    steps: Sequence[Mark]
    tried: Sequence[Mark]
    next: Mark | None
    """None where it is due: what it waits for then is no moment."""
    now: Mark | None
    gives_up_at: datetime
    """When the last planned attempt is. It comes later where the receiver is left alone or the delivery held back."""
    is_last: bool
    """Whether it is given up when the next attempt fails."""
    summary: str


def timeline(
    *,
    first_failed_at: datetime,
    tried: Sequence[Tried],
    attempts_made: int,
    schedule: Schedule,
    next_attempt_at: datetime | None,
    now: datetime,
) -> Timeline:
    """`tried` since it was last begun, oldest first; `next_attempt_at` while it is pending.

    Of what was tried, `attempts_made` count: not what was our fault, nor where the receiver asked for patience.
    """
    # The first failure is noted when it has been written down, a moment after it was tried.
    round_began_at = max((one.started_at for one in tried if one.started_at <= first_failed_at), default=None)
    of_round = [one for one in tried if round_began_at is None or one.started_at >= round_began_at]
    is_pending = next_attempt_at is not None
    lengths = [schedule.end, *(one.started_at - first_failed_at for one in of_round)]
    if next_attempt_at is not None:
        lengths.append(next_attempt_at - first_failed_at)
    longest = max(lengths)

    def mark(kind: str, at: datetime, label: str) -> Mark:
        return Mark(kind=kind, place=_place(at - first_failed_at, longest), label=label, at=at)

    steps = [mark(PLANNED, first_failed_at + step, _short(step)) for step in schedule.steps]
    return Timeline(
        steps=steps,
        tried=[mark(TAKEN if one.is_success else FAILED, one.started_at, one.said) for one in of_round],
        next=mark(NEXT, next_attempt_at, "next attempt")
        if next_attempt_at is not None and next_attempt_at > now
        else None,
        now=mark(NOW, now, "now") if is_pending and now - first_failed_at <= longest else None,
        gives_up_at=first_failed_at + schedule.end,
        is_last=attempts_made >= len(schedule.steps) or now >= first_failed_at + schedule.end,
        summary=_summary(attempts_made, len(schedule.steps), free=len(of_round) - attempts_made),
    )


def _place(offset: timedelta, longest: timedelta) -> float:
    seconds, most = max(0.0, offset.total_seconds()), max(1.0, longest.total_seconds())
    return round(100 * min(1.0, math.log1p(seconds) / math.log1p(most)), 2)


def _short(step: timedelta) -> str:
    seconds = step.total_seconds()
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        # 65,536 seconds are 18 hours to people, and 36 hours are not 2 days.
        if seconds >= size * (2 if size == 86_400 else 1):
            return f"{round(seconds / size)} {unit}"
    return f"{round(seconds)} s"


def _summary(made: int, steps: int, *, free: int) -> str:
    attempts = "1 attempt" if made == 1 else f"{made} attempts"
    uncounted = f", and {free} that {'does' if free == 1 else 'do'} not count" if free > 0 else ""
    return f"{attempts} of at most {steps + 1}{uncounted}"
