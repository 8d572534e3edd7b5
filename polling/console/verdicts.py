"""What a trace comes to, in a few words: before its summary, and before all that happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from events import decisions
from events.models import Delivery
from events.where import CREATED, RETRY
from instances.console.home import BAD, GOOD, PLAIN, WARNING
from polling.trace import BASELINE, POLL_FAILED, REFUSED, WAITING
from polling.trace_words import Entry


@dataclass(frozen=True, slots=True)
class Verdict:
    words: str
    tone: str


NOT_SEEN: Final = Verdict("Nothing has been seen of it", WARNING)
_OF_LAST: Final = {
    BASELINE: Verdict("It was like that when events began", PLAIN),
    WAITING: Verdict("A callback about it waits to be looked at", WARNING),
    REFUSED: Verdict("A callback about it was refused", BAD),
    decisions.PARKED: Verdict("A callback about it is parked", WARNING),
    decisions.SEEN_BEFORE: Verdict("Callbacks told nothing new of it", PLAIN),
    decisions.NOT_WANTED: Verdict("What callbacks told of it is not wanted", PLAIN),
    decisions.TOO_OLD: Verdict("What callbacks told of it was too old", WARNING),
    decisions.EVENTS_OFF: Verdict("Events were off when a callback told of it", WARNING),
}
_UNSURE: Final = frozenset({POLL_FAILED, decisions.NO_ID})
"""These may have been about another object."""
_WORST_FIRST: Final = (
    (Delivery.ABANDONED, Verdict("It was given up", BAD)),
    (Delivery.QUEUED, Verdict("It is queued until somebody asks for it", WARNING)),
    (RETRY, Verdict("It is being tried again", WARNING)),
    (CREATED, Verdict("It is on its way", PLAIN)),
    (Delivery.DELIVERED, Verdict("It was delivered", GOOD)),
)


def verdict_of(entries: Sequence[Entry]) -> Verdict:
    """Of what is known of an object, the oldest first: what became of the last of it that is an event, else of all."""
    events = [entry for entry in entries if entry.event_id is not None]
    if events:
        statuses = {delivery.status for delivery in events[-1].deliveries}
        if not statuses:
            return Verdict("There is an event, and nobody it goes to", WARNING)
        return next((verdict for status, verdict in _WORST_FIRST if status in statuses), NOT_SEEN)
    about_it = [entry for entry in entries if entry.decision not in _UNSURE]
    if about_it:
        return _OF_LAST.get(about_it[-1].decision, Verdict("It came to no event", WARNING))
    return NOT_SEEN
