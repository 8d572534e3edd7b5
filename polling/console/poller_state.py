"""How a poller stands, in a word and in a sentence: what is in the way, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q

from polling.cursors import DISABLED
from polling.models import PollCursor
from polling.poll_jobs import DELETED
from polling.schedule import CREDENTIALS_REFUSED

POLLING, FAILING, HELD_UP, BEHIND, STOPPED = "polling", "failing", "held up", "behind", "stopped"
STATES: Final = (POLLING, FAILING, HELD_UP, BEHIND, STOPPED)
TONES: Final = {HELD_UP: "warning"}
"""Of the words that the console's badges do not know."""
LATE: Final = timedelta(minutes=2)
"""A poll that is due for longer than this finds no worker."""

ENABLE, START, REAUTHENTICATE = "enable", "start", "reauthenticate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """What keeps a poller from reading, and the way out. Both may be empty."""

    what: str = ""
    advice: str = ""
    remedy: str = ""
    """ENABLE, START, REAUTHENTICATE, or nothing that a button could do."""


def state_of(cursor: PollCursor, *, now: datetime) -> str:
    if not cursor.is_active:
        return STOPPED
    if cursor.failures:
        return FAILING
    if cursor.last_error:
        return HELD_UP
    return BEHIND if is_late(cursor, now=now) else POLLING


def is_late(cursor: PollCursor, *, now: datetime) -> bool:
    is_at_work = cursor.leased_until is not None and cursor.leased_until > now
    return cursor.is_active and not is_at_work and cursor.next_poll_at < now - LATE


def in_state(state: str, *, now: datetime) -> Q:
    """The same for a list: rows that `state_of` calls so."""
    is_late = Q(next_poll_at__lt=now - LATE) & (Q(leased_until=None) | Q(leased_until__lte=now))
    fine = Q(is_active=True, failures=0, last_error="")
    conditions = {
        STOPPED: Q(is_active=False),
        FAILING: Q(is_active=True, failures__gt=0),
        HELD_UP: Q(is_active=True, failures=0) & ~Q(last_error=""),
        BEHIND: fine & is_late,
        POLLING: fine & ~is_late,
    }
    return conditions[state]


def obstacle_of(cursor: PollCursor, *, now: datetime) -> Obstacle:
    match state_of(cursor, now=now):
        case "stopped":
            return _stopped(cursor)
        case "failing":
            count = "The last poll" if cursor.failures == 1 else f"The last {cursor.failures} polls"
            return Obstacle(
                what=f"{count} failed: {cursor.last_error}",
                advice="It is tried again by itself and nothing is missed meanwhile. A dry run shows what is asked "
                "and answered.",
            )
        case "held up":
            return Obstacle(
                what=cursor.last_error,
                advice="It waits and goes on by itself; what changes meanwhile is found then.",
            )
        case "behind":
            return Obstacle(
                what="It is due and nobody polls it.",
                advice="Is a worker of the queue polling running? Once one is, everything that changed is found.",
            )
    return Obstacle()


def _stopped(cursor: PollCursor) -> Obstacle:
    reason = cursor.stopped_reason
    if reason == DISABLED:
        return Obstacle(
            what=reason, advice="Polling goes on where it stood once the instance is enabled.", remedy=ENABLE
        )
    if reason == CREDENTIALS_REFUSED:
        return Obstacle(
            what=reason,
            advice="Give the instance credentials that work; polling goes on where it stood.",
            remedy=REAUTHENTICATE,
        )
    if reason == DELETED:
        return Obstacle(what="Somebody stopped it.", advice="It goes on where it stood.", remedy=START)
    return Obstacle(
        what=reason,
        advice="Once the cause is gone, start it again: it goes on where it stood, and finds what changed since.",
        remedy=START,
    )
