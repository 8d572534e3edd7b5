"""When a notification is tried again, and when we stop. Everything here is decided from values.

Retries are due by a schedule that counts from the first failure. Time is counted in durations that the database
measured, so no machine's clock has a say.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from functools import cache
from typing import Literal

from connectors.budgets import Budget
from events.models import Delivery
from instances.models import Organization
from instances.retry_schedules import Schedule

JITTER = 0.1
LONGEST_JITTER = timedelta(minutes=15)
# A tenth of a few seconds spreads nothing: what failed together would come back together.
SHORTEST_JITTER = timedelta(seconds=5)
# A receiver that asks for patience again and again is asked at growing distances, up to this one.
LONGEST_PATIENCE = timedelta(minutes=15)
# What is wrong on our side is looked at again soon, and costs the receiver none of its attempts.
OWN_FAULT_WAIT = timedelta(minutes=1)

NOTHING = timedelta(0)
# A receiver that says more says too much.
LONGEST_HINT_SECONDS = 30 * 86_400
LONGEST_ERROR = 200
TOO_MANY_REQUESTS = 429
SERVICE_UNAVAILABLE = 503
GONE = 410


class ErrorClass(StrEnum):
    """What kind of failure an attempt was."""

    NONE = ""
    REFUSED_DESTINATION = "refused_destination"
    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    PROTOCOL = "protocol"
    REDIRECT = "redirect"
    HTTP_4XX = "http_4xx"
    HTTP_5XX = "http_5xx"
    INTERNAL = "internal"
    """Ours, not the receiver's."""

    @property
    def budget(self) -> Budget | None:
        """Whom such an attempt is charged to; None for a success."""
        if self == ErrorClass.NONE:
            return None
        return Budget.OWN if self == ErrorClass.INTERNAL else Budget.RECEIVER


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One attempt that has ended, and what led up to it."""

    status: int | None
    error_class: ErrorClass
    error: str = ""
    """What went wrong, where there was no answer."""
    retry_after: timedelta | None = None
    attempts_made: int
    """Before this one."""
    failing_for: timedelta | None
    """Since the first failure; None if there was none before."""
    failure_policy: str
    schedule: Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What becomes of the delivery."""

    state: str
    attempts_made: int
    wait: timedelta = NOTHING
    """Until the next attempt of a pending delivery."""
    first_failure: Literal["keep", "note", "forget"] = "keep"
    """What to do about the moment of the first failure; `note` keeps an earlier one."""
    deactivates: str = ""
    """Why the subscription gets nothing more; empty if it goes on."""


AFRESH = Verdict(state=Delivery.PENDING, attempts_made=0, first_failure="forget")
"""A new beginning: what failed so far says nothing about where it goes now."""


def error_class_of(status: int) -> ErrorClass:
    """Of an answer."""
    if 200 <= status < 300:
        return ErrorClass.NONE
    if status < 400:
        return ErrorClass.REDIRECT
    return ErrorClass.HTTP_4XX if status < 500 else ErrorClass.HTTP_5XX


@cache
def success(*, attempts_made: int) -> Verdict:
    """Of an attempt after so many others."""
    return Verdict(state=Delivery.DELIVERED, attempts_made=attempts_made + 1)


def judge(attempt: Try, *, chance: float) -> Verdict:
    """Decide after an attempt. `chance`, in [0, 1), spreads retries; it never makes one earlier."""
    if attempt.error_class == ErrorClass.NONE:
        return success(attempts_made=attempt.attempts_made)
    if attempt.error_class == ErrorClass.INTERNAL:
        wait = OWN_FAULT_WAIT + _jitter(OWN_FAULT_WAIT, chance)
        return Verdict(state=Delivery.PENDING, attempts_made=attempt.attempts_made, wait=wait)
    made = attempt.attempts_made + 1
    if attempt.status == GONE:
        return _stopped(made, "The receiver answered 410: it is gone for good")
    if attempt.failure_policy == Organization.QUEUE:
        return Verdict(state=Delivery.QUEUED, attempts_made=made, first_failure="note")
    is_free = attempt.status == TOO_MANY_REQUESTS and attempt.retry_after is not None
    due = _patience(attempt) if is_free else _wait(attempt)
    if due is None:
        last = words_of(status=attempt.status, error_class=attempt.error_class, error=attempt.error)
        return _stopped(made, f"No attempt succeeded in the time that retries take; the last one: {last}")
    return Verdict(
        state=Delivery.PENDING,
        attempts_made=attempt.attempts_made if is_free else made,
        wait=due + _jitter(due, chance),
        first_failure="note",
    )


def parse_retry_after(text: str | None, *, now: datetime) -> timedelta | None:
    """`Retry-After` in seconds or as an HTTP date; None if there is none that can be read."""
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:9]), LONGEST_HINT_SECONDS))
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # receivers send what they like
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(NOTHING, moment - now)


def _stopped(attempts_made: int, reason: str) -> Verdict:
    return Verdict(state=Delivery.QUEUED, attempts_made=attempts_made, first_failure="note", deactivates=reason)


def _wait(attempt: Try) -> timedelta | None:
    """Until the next step of the schedule; for 503 not before the receiver wants.

    None behind the last one, by number or by time: an open circuit lets few attempts through.
    """
    steps = attempt.schedule.steps
    failing_for = attempt.failing_for or NOTHING
    if attempt.attempts_made >= len(steps) or failing_for >= attempt.schedule.end:
        return None
    step = steps[attempt.attempts_made]
    # A step that passed while no worker ran is not made up for at once: half of its distance stays between attempts.
    distance = step - steps[attempt.attempts_made - 1] if attempt.attempts_made else step
    wait = max(step - failing_for, distance / 2)
    if attempt.status == SERVICE_UNAVAILABLE and attempt.retry_after is not None:
        wait = max(wait, min(attempt.retry_after, attempt.schedule.end - failing_for))
    return wait


def _patience(attempt: Try) -> timedelta | None:
    """As long as the receiver asked for, without going over the end; None when the end is reached."""
    failing_for = attempt.failing_for or NOTHING
    remaining = attempt.schedule.end - failing_for
    if remaining <= NOTHING:
        return None
    shortest = max(attempt.schedule.steps[0], min(failing_for / 8, LONGEST_PATIENCE))
    return min(max(attempt.retry_after or NOTHING, shortest), remaining)


def _jitter(wait: timedelta, chance: float) -> timedelta:
    """Up to a tenth, of short waits up to as much again."""
    return min(max(wait * JITTER, min(wait, SHORTEST_JITTER)), LONGEST_JITTER) * chance


def words_of(*, status: int | None, error_class: ErrorClass, error: str) -> str:
    """A failure in a few words, for reasons that people read."""
    if status is not None:
        return f"HTTP {status}"
    return error[:LONGEST_ERROR] or str(error_class).replace("_", " ")
