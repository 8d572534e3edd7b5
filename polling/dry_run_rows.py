"""What a poll would make of each record, in words: values in, values out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from connectors.change import Change
from events.ledger import SeenVersion
from events.models import SeenChange
from polling import creation
from polling.changes import latest_of
from polling.decisions import Confirmed, Decision, Glimpsed, Ignored, Noted, Poll
from polling.facts import RecordFacts

NOTED: Final = "noted"
CONFIRMED: Final = "confirmed"
IGNORED: Final = "ignored"
MET_TWICE: Final = "seen before: the provider has sent it twice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One record and its fate. `outcome` is an event type, NOTED, CONFIRMED or IGNORED."""

    object_id: str
    """Empty where it has none that can be used."""
    stamp: str
    """As the provider writes it."""
    stamped_at: datetime | None
    outcome: str
    reason: str
    change: Change | None = None
    """What would be reported."""


def row_of(facts: RecordFacts, versions: Sequence[SeenVersion], decision: Decision, *, poll: Poll) -> Row:
    outcome, reason, change = _fate(facts, versions, decision, poll=poll)
    return Row(
        object_id=facts.object_id,
        stamp=facts.stamp,
        stamped_at=facts.stamped_at,
        outcome=outcome,
        reason=reason,
        change=change,
    )


def _fate(
    facts: RecordFacts, versions: Sequence[SeenVersion], decision: Decision, *, poll: Poll
) -> tuple[str, str, Change | None]:
    match decision:
        case Ignored():
            return IGNORED, _why_ignored(decision, facts, versions, poll=poll), None
        case Noted():
            return NOTED, "it was saved before events began: from then on it is known, and nobody is told", None
        case Glimpsed():
            return NOTED, "a callback told of it a moment ago: what it says now is kept, to compare it later", None
        case Confirmed(change=None):
            return CONFIRMED, "a callback told of this save before: nobody is told again", None
        case Confirmed(change=Change() as change):
            return change.event_type, _why_told_again(change), change
        case Change() as change:
            return change.event_type, _why_changed(facts, versions, change, poll=poll), change
    raise AssertionError(f"no words for {decision!r}")


def _why_ignored(decision: Ignored, facts: RecordFacts, versions: Sequence[SeenVersion], *, poll: Poll) -> str:
    match decision:
        case Ignored.BEFORE_WINDOW if poll.window.is_first:
            return "it was saved before events began: nobody is told"
        case Ignored.BEFORE_WINDOW:
            return "its date lies before the span of time that this poll asks about; an earlier poll had it"
        case Ignored.AFTER_START:
            return "it was saved after the poll began (filterByCurrentDate); the next poll has it"
        case Ignored.NO_ID:
            return f"it has no id that can be used at {poll.poller.id_field}"
        case Ignored.UNDER_WAY:
            return "callbacks told of it a moment ago and more of them may come; the next poll looks again"
        case Ignored.REPEAT | Ignored.SETTLED:
            return f"seen before: {_by_whom(facts, versions)}"


def _by_whom(facts: RecordFacts, versions: Sequence[SeenVersion]) -> str:
    seen = latest_of(versions, facts.stamp) or versions[-1]
    if seen.found_by == SeenChange.WEBHOOK:
        return "a callback told of it"
    if seen.found_by == SeenChange.BOTH:
        return "a callback told of it, and an earlier poll met it"
    return "an earlier poll reported it" if seen.event_type else "it is as it was when events began"


def _why_told_again(change: Change) -> str:
    if change.event_type == "CREATED":
        return creation.Reason.CREATION_LOST
    return "it was saved once more within the second of a save that a callback told of"


def _why_changed(facts: RecordFacts, versions: Sequence[SeenVersion], change: Change, *, poll: Poll) -> str:
    if facts.stamped_at is None:
        return "it has no date that can be read; what it says was not seen before"
    if change.version != facts.stamp:
        return "it was saved once more within the same second, and says something else than before"
    return creation.judged(facts, poll=poll, versions=versions).reason
