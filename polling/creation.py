"""Whether a change is the creation of its object. An object is created at most once, by whatever road it is told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from connectors.change import CREATED, DELETED, UPDATED, EventType
from connectors.dates import ISO, date_reader
from connectors.poller import DateField, ResourcePoller
from events.ledger import SeenVersion
from events.models import SeenChange
from polling.decisions import Poll
from polling.facts import RecordFacts

_read_entered = date_reader(ISO, "GMT")


class Reason(StrEnum):
    """Why a change is a creation, or none."""

    KNOWN = "it was seen before"
    CREATION_LOST = "callbacks told of later saves of this new object, and nobody of its creation"
    DATES_AGREE = "its dates of creation and of update are the same"
    DATES_DIFFER = "its dates of creation and of update are not the same"
    ENTERED_SINCE = "it was entered in the span of time that this poll asks about"
    ENTERED_BEFORE = "it was entered before the span of time that this poll asks about, or before events began"
    NEW_ID = "its id is greater than all that were there before"
    OLD_ID = "its id is not greater than those that were there before"
    NOTHING_TELLS = "nothing about it tells when it was created"


class Judgement(NamedTuple):
    event_type: EventType
    reason: Reason


def event_type(facts: RecordFacts, *, poll: Poll, versions: Sequence[SeenVersion]) -> EventType:
    return judged(facts, poll=poll, versions=versions).event_type


def judged(facts: RecordFacts, *, poll: Poll, versions: Sequence[SeenVersion]) -> Judgement:
    """CREATED at most once for an object: what the ledger knows was there before.

    Where the poller names two dates, they decide. Where both are the same field, they say nothing: then the date of
    entry decides, and on records without one the id, because ids only grow.
    """
    poller = poll.poller
    if versions:
        is_lost = is_creation_lost(facts, poll=poll, versions=versions)
        return Judgement(CREATED, Reason.CREATION_LOST) if is_lost else Judgement(UPDATED, Reason.KNOWN)
    if not poller.dates_tell_created:
        return _judged_by_entry(facts, poll=poll, since=poll.window.since)
    updated_at, began_at = _moment(facts.updated, poller.updated), _moment(facts.created, poller.created)
    is_created = (
        updated_at is not None and began_at is not None and abs(updated_at - began_at) <= poller.created_check_tolerance
    )
    return Judgement(CREATED, Reason.DATES_AGREE) if is_created else Judgement(UPDATED, Reason.DATES_DIFFER)


def is_creation_lost(facts: RecordFacts, *, poll: Poll, versions: Sequence[SeenVersion]) -> bool:
    """Whether callbacks told of later saves of a new object, and nobody of its creation."""
    is_told = versions and all(
        seen.found_by == SeenChange.WEBHOOK and seen.event_type not in (CREATED, DELETED) for seen in versions
    )
    window = poll.window
    # What the ledger remembers no more may have been told. The poll that first met it may have waited for callbacks.
    since = window.since if window.remembered_since is None else min(window.since, window.remembered_since)
    return bool(is_told) and _judged_by_entry(facts, poll=poll, since=since).event_type == CREATED


def is_creation_told(versions: Sequence[SeenVersion]) -> bool:
    """Whether a callback told of the creation. Its version is another than that of a poll that goes by other dates."""
    return any(seen.event_type == CREATED and seen.found_by != SeenChange.POLL for seen in versions)


def _judged_by_entry(facts: RecordFacts, *, poll: Poll, since: datetime) -> Judgement:
    """Whether an object that the ledger does not know was created since events began."""
    if (began_at := created_at(facts, poll.poller)) is not None:
        is_new = began_at >= max(since, poll.window.baseline_at)
        return Judgement(CREATED, Reason.ENTERED_SINCE) if is_new else Judgement(UPDATED, Reason.ENTERED_BEFORE)
    number = _number(facts.object_id)
    known_id = poll.window.known_id
    if number is None or known_id is None:
        return Judgement(UPDATED, Reason.NOTHING_TELLS)
    return Judgement(CREATED, Reason.NEW_ID) if number > known_id else Judgement(UPDATED, Reason.OLD_ID)


def created_at(facts: RecordFacts, poller: ResourcePoller) -> datetime | None:
    return _moment(facts.created, poller.created) if poller.dates_tell_created else _read_entered(facts.entered)


def _moment(value: object, date: DateField) -> datetime | None:
    return date_reader(date.pattern, date.zone)(value)


def _number(object_id: str) -> int | None:
    return int(object_id) if object_id.isascii() and object_id.isdecimal() else None
