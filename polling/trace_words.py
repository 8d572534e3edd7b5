"""What a trace says, in sentences: made from values, without database or clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from events import decisions
from events.models import Callback, Decision, Event, SeenChange
from events.traced_callbacks import TracedCallback
from events.traced_events import TracedDelivery, TracedEvent
from instances.serializers import timestamp
from polling.models import PollRun
from polling.standing import Standing

DELIVERIES_NAMED = 3
"""In a summary."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that happened."""

    at: datetime
    """Our clock."""
    source: str
    """Event.POLL or Event.WEBHOOK."""
    decision: str
    detail: str
    event_id: int | None = None
    callback_id: int | None = None
    poll_id: int | None = None
    deliveries: tuple[TracedDelivery, ...] = ()


def summary(name: str, entries: Sequence[Entry], standing: Standing) -> str:
    """The last that is known of an object, where it went, and what keeps later changes from being noticed.

    `entries` are those about the object, the oldest first.
    """
    sentences = _last_of(name, entries, standing) if entries else _silence(name, standing)
    return " ".join(f"{sentence}." for sentence in [*sentences, *obstacles(standing)])


def _last_of(name: str, entries: Sequence[Entry], standing: Standing) -> list[str]:
    last = entries[-1]
    events = [entry for entry in entries if entry.event_id is not None]
    sentences = [f"The last that is known of {name} is of {timestamp(last.at)}: {last.detail}"]
    if events and last.event_id is None:
        sentences.append(f"Before that, event {events[-1].event_id} of {timestamp(events[-1].at)} told of it")
    deliveries = events[-1].deliveries if events else ()
    sentences += [delivery.detail for delivery in deliveries[:DELIVERIES_NAMED]]
    if (more := len(deliveries) - DELIVERIES_NAMED) > 0:
        sentences.append(f"{more} more subscriptions got it, too, or wait for it")
    cursor = standing.cursor
    if cursor is not None and cursor.created_at > last.at:
        sentences.append(
            f"What was saved before {timestamp(cursor.baseline_at)}, when events began anew, is not reported"
        )
    return sentences


def _silence(name: str, standing: Standing) -> list[str]:
    cursor, what = standing.cursor, standing.object_type
    since = standing.kept_since if cursor is None else max(standing.kept_since, cursor.created_at)
    sentences = [f"No poll or callback has shown {name} since {timestamp(since)}"]
    if cursor is not None and cursor.is_active:
        last = f"last at {timestamp(cursor.last_polled_at)}" if cursor.last_polled_at else "not yet"
        sentences.append(
            f"{what} are polled every {standing.interval_minutes:g} min, {last}, next at "
            f"{timestamp(cursor.next_poll_at)}; they are read up to {timestamp(cursor.watermark)} of the provider's "
            "clock"
        )
        sentences.append(f"Polls ask for {standing.asked_for}; what that leaves out is not noticed")
        sentences.append(f"What was saved before {timestamp(cursor.baseline_at)}, when events began, is not reported")
    if standing.is_told:
        limit = f", as far as event.callback.types says: {standing.callback_types}" if standing.callback_types else ""
        sentences.append(f"Callbacks of the provider tell of {what}{limit}")
    return sentences


def obstacles(standing: Standing) -> list[str]:
    """Why a later change would not be noticed, as far as that is known."""
    what, cursor = standing.object_type, standing.cursor
    if standing.is_disabled:
        return ["The instance is disabled: nothing is noticed until it is enabled"]
    if not standing.is_events_enabled:
        return ["Events are off: nothing is noticed until event.notification.enabled is true"]
    found = []
    if what not in standing.polled and not standing.is_told:
        names = ", ".join(standing.polled) or "nothing"
        found.append(f"{what} are not polled: event.poller.configuration names {names}")
    if cursor is not None and not cursor.is_active:
        found.append(f"Polling of {what} is stopped: {_bare(cursor.stopped_reason)}")
    elif cursor is not None and cursor.last_error:
        found.append(f"The last poll of {what} failed: {_bare(cursor.last_error)}")
    if standing.is_told and standing.registration_problem:
        found.append(f"Callbacks are not registered as they should be: {_bare(standing.registration_problem)}")
    return found


def of_change(row: SeenChange, event: TracedEvent | None, *, source: str) -> str:
    saved = f"saved at {timestamp(row.changed_at)}" if row.changed_at else "with no date that can be read"
    if not row.event_type:
        return f"A poll noted it as it was when events began, {saved}; that is no event"
    found = "A callback told of it" if source == Event.WEBHOOK else "A poll found it"
    other = "a poll met it" if source == Event.WEBHOOK else "a callback told of it"
    words = f"{found}, {saved}" if row.changed_at or source == Event.POLL else found
    if row.found_by == SeenChange.BOTH:
        words += f" ({other}, too)"
    if event is None:
        return f"{words}; event {row.event_id} has been deleted since"
    if not event.is_addressed:
        return (
            f"{words}; event {event.event_id} has nobody to go to: there was no callback URL, and no subscription to "
            "its topic, or they have been deleted since"
        )
    return f"{words}; it is in event {event.event_id}"


_DECIDED = {
    decisions.SEEN_BEFORE: "A callback told nothing new",
    decisions.NOT_WANTED: "A callback about it came to no event",
    decisions.TOO_OLD: "A callback about it came to no event",
    decisions.PARKED: "A callback about it could not be understood and is parked",
    decisions.EVENTS_OFF: "A callback about it was dropped",
    decisions.NO_ID: "A poll passed over records, and it may have been one of them",
}


def of_decision(row: Decision) -> str:
    words = _DECIDED.get(row.decision, row.decision)
    return f"{words}: {_bare(row.reason)}" if row.reason else words


def of_callback(one: TracedCallback) -> str:
    if one.state == Callback.REFUSED:
        return f"A callback that says it is about it was refused: {_bare(one.reason)}"
    if not one.reason:
        return "A callback about it waits to be looked at"
    return f"A callback about it waits, next at {timestamp(one.next_attempt_at)}: {_bare(one.reason)}"


def of_failures(runs: Sequence[PollRun]) -> str:
    """Of polls that failed alike, with none between them that failed otherwise or found something."""
    first, last = runs[0], runs[-1]
    budget = f" ({last.budget.replace('_', ' ')})" if last.budget else ""
    if len(runs) == 1:
        return f"A poll failed{budget}: {_bare(last.error)}"
    between = f"between {timestamp(first.began_at)} and {timestamp(last.began_at)}"
    return f"{len(runs)} polls failed {between}{budget}: {_bare(first.error)}"


def _bare(sentence: str) -> str:
    return sentence.rstrip().rstrip(".")
