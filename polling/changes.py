"""Which records of a page are changes, and what kind: the decisions of a poll, without clock, database or network.

For each page: `read_facts` (polling/facts.py), ask the ledger about the ids, `decide_page`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from connectors.change import CREATED, UPDATED, Change, EventType
from connectors.dates import ISO, date_reader
from connectors.poller import DateField, ResourcePoller
from events.ledger import SeenVersion
from polling import content
from polling.facts import RecordFacts
from polling.window import Window

SETTLING: Final = timedelta(seconds=2)
"""After a stamp's own second: for an answer that was on its way while the provider's clock moved on."""
BOGUS_AHEAD: Final = timedelta(days=1)
"""A stamp this far beyond the provider's clock is no time of saving; it will not be saved again under it."""
UNSTAMPED: Final = "~"
"""What versions of records without a stamp begin with."""

_read_entered = date_reader(ISO, "GMT")


class Ignored(StrEnum):
    """Why a record is no change."""

    BEFORE_WINDOW = "before the window"
    AFTER_START = "after the poll began"
    REPEAT = "seen before"
    SETTLED = "seen before, and no longer open to another save within its second"
    NO_ID = "no id"


@dataclass(frozen=True, slots=True)
class Noted:
    """A record from before the baseline: the ledger is to know it, nobody is told."""

    change: Change


Decision = Ignored | Noted | Change


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """What holds for all records of one poll of one resource."""

    poller: ResourcePoller
    window: Window
    started_at: datetime
    """The provider's clock at the first page."""
    filters_nulls: bool
    overlap: timedelta = timedelta(minutes=2)
    """How late a save may become visible."""


@dataclass(slots=True, kw_only=True)
class PageDecisions:
    changes: list[Change] = field(default_factory=list)
    noted: list[Change] = field(default_factory=list)
    """For `ledger.note`; without their raw."""
    unstamped: list[str] = field(default_factory=list)
    """For `ledger.touch`: ids of records without a stamp that were met again."""
    settled: list[tuple[str, str]] = field(default_factory=list)
    """For `ledger.settle`: object id and version of saves that were read again after their second was over."""
    ignored: Counter[Ignored] = field(default_factory=Counter)
    unreadable_stamps: int = 0
    greatest_stamp: datetime | None = None
    """Of all records, ignored ones too; for the watermark."""


def decide_page(
    page: Sequence[RecordFacts], *, poll: Poll, seen: Mapping[str, Sequence[SeenVersion]], clock: datetime
) -> PageDecisions:
    """Decides each record of a page.

    `seen` is what the ledger holds of the page's ids, in the order it was seen. `clock` is the provider's, no later
    than when it read these records: the Date of the answer before this page's, or of its own for the first.
    """
    decided = PageDecisions()
    stamps = [facts.stamped_at for facts in page if facts.stamped_at is not None]
    decided.greatest_stamp = max(stamps, default=None)
    decided.unreadable_stamps = len(page) - len(stamps)
    for facts in page:
        versions = seen.get(facts.object_id, ())
        if versions and versions[-1].is_settled and versions[-1].version == facts.stamp:
            decided.ignored[Ignored.REPEAT] += 1  # as `decide` would say; most records of most polls are this
            continue
        decision = decide(facts, poll=poll, versions=versions, clock=clock)
        if isinstance(decision, Ignored):
            decided.ignored[decision] += 1
            if decision is Ignored.REPEAT and facts.stamped_at is None:
                decided.unstamped.append(facts.object_id)
            elif decision is Ignored.SETTLED and (latest := _latest(versions, facts.stamp)) is not None:
                decided.settled.append((facts.object_id, latest.version))
        elif isinstance(decision, Noted):
            decided.noted.append(decision.change)
        else:
            decided.changes.append(decision)
    return decided


def decide(facts: RecordFacts, *, poll: Poll, versions: Sequence[SeenVersion], clock: datetime) -> Decision:
    """What this record is to the poll. `versions` is what the ledger holds of its id; `clock` as in `decide_page`."""
    window, stamped_at = poll.window, facts.stamped_at
    if not facts.object_id:
        return Ignored.NO_ID
    if stamped_at is None:
        return _decide_unstamped(facts, poll=poll, versions=versions)
    if stamped_at < window.since:
        return Ignored.BEFORE_WINDOW
    latest = _latest(versions, facts.stamp)
    if latest is not None and (latest.is_settled or not poll.poller.filter_by_updated_date):
        # The same stamp means the same save: fields that a provider computes may drift without one.
        return Ignored.REPEAT
    if poll.poller.filter_by_current_date and stamped_at > poll.started_at:
        return Ignored.AFTER_START
    is_settled = _is_settled(stamped_at, clock)
    # What may be read once more is compared by what it says: an order of keys must not look like a save.
    content_hash = content.content_hash(facts.raw) if is_settled else content.canonical_hash(facts.raw)
    version = facts.stamp
    if latest is not None:
        # It was read in the second of its stamp, and may have been saved once more in it.
        canonical_hash = content.canonical_hash(facts.raw)
        if canonical_hash == latest.content_hash:
            # Another save of that second may still become visible, as late as any.
            return Ignored.SETTLED if clock - stamped_at > poll.overlap else Ignored.REPEAT
        content_hash, version = canonical_hash, _new_version(f"{facts.stamp}#{canonical_hash.hex()[:16]}", versions)
    is_before = window.is_first and stamped_at < window.baseline_at
    change = Change(
        event_type=UPDATED if is_before else _event_type(facts, poll=poll, is_known=bool(versions)),
        object_type=poll.poller.resource,
        object_id=facts.object_id,
        version=version,
        changed_at=stamped_at,
        raw=b"" if is_before else _raw(facts, poll=poll),
        content_hash=content_hash,
        is_settled=is_settled,
    )
    return Noted(change) if is_before else change


def _decide_unstamped(facts: RecordFacts, *, poll: Poll, versions: Sequence[SeenVersion]) -> Decision:
    """Only the content can tell whether it changed; whether it is new, nothing can."""
    content_hash = content.canonical_hash(facts.raw)
    latest = next((seen for seen in reversed(versions) if seen.version.startswith(UNSTAMPED)), None)
    if latest is not None and latest.content_hash == content_hash:
        return Ignored.REPEAT
    version = _new_version(f"{UNSTAMPED}{content_hash.hex()}", versions)
    change = Change(
        event_type=UPDATED,
        object_type=poll.poller.resource,
        object_id=facts.object_id,
        version=version,
        changed_at=None,
        raw=b"" if poll.window.is_first else _raw(facts, poll=poll),
        content_hash=content_hash,
    )
    return Noted(change) if poll.window.is_first else change


def _latest(versions: Sequence[SeenVersion], stamp: str) -> SeenVersion | None:
    """What was last seen under this stamp."""
    for seen in reversed(versions):
        if seen.version == stamp or seen.version.startswith(f"{stamp}#"):
            return seen
    return None


def _new_version(version: str, versions: Sequence[SeenVersion]) -> str:
    """New even for a change that brings back a content that was there before."""
    is_taken = any(seen.version == version for seen in versions)
    return f"{version}.{len(versions)}" if is_taken else version


def _is_settled(stamped_at: datetime, clock: datetime) -> bool:
    """Whether a record read now can no longer be saved again under its stamp, which has whole seconds."""
    return clock - stamped_at.replace(microsecond=0) > SETTLING or stamped_at - clock > BOGUS_AHEAD


def _event_type(facts: RecordFacts, *, poll: Poll, is_known: bool) -> EventType:
    """CREATED at most once for an object: what the ledger knows was there before.

    Where the poller names two dates, they decide. Where both are the same field, they say nothing: then the date of
    entry decides, and on records without one the id, because ids only grow.
    """
    poller, window = poll.poller, poll.window
    if is_known:
        return UPDATED
    if poller.dates_tell_created:
        updated_at, created_at = _moment(facts.updated, poller.updated), _moment(facts.created, poller.created)
        is_created = (
            updated_at is not None
            and created_at is not None
            and abs(updated_at - created_at) <= poller.created_check_tolerance
        )
    elif (entered_at := _read_entered(facts.entered)) is not None:
        is_created = entered_at >= max(window.since, window.baseline_at)
    else:
        number = _number(facts.object_id)
        is_created = number is not None and window.known_id is not None and number > window.known_id
    return CREATED if is_created else UPDATED


def _moment(value: object, date: DateField) -> datetime | None:
    return date_reader(date.pattern, date.zone)(value)


def _number(object_id: str) -> int | None:
    return int(object_id) if object_id.isascii() and object_id.isdecimal() else None


def _raw(facts: RecordFacts, *, poll: Poll) -> bytes:
    return content.without_nulls(facts.raw) if poll.filters_nulls else bytes(facts.raw)
