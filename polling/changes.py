"""Which records of a page are changes, and what kind: the decisions of a poll, without clock, database or network.

For each page: `read_facts` (polling/facts.py), ask the ledger about the ids, `decide_page`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from connectors.change import CREATED, UPDATED, Change
from events.ledger import Confirmation, SeenVersion
from events.models import SeenChange
from polling import content
from polling.creation import created_at, event_type, is_creation_lost, is_creation_told
from polling.decisions import (
    BOGUS_AHEAD,
    UNDER_WAY,
    Confirmed,
    Decision,
    Glimpsed,
    Ignored,
    Noted,
    PageDecisions,
    Poll,
    Witness,
)
from polling.facts import RecordFacts

SETTLING: Final = timedelta(seconds=2)
"""After a stamp's own second: for an answer that was on its way while the provider's clock moved on."""
UNSTAMPED: Final = "~"
"""What versions of records without a stamp begin with."""
CREATION: Final = "created"
"""The version of a creation that was noticed by later saves only; it can be entered once for each object."""


def decide_page(
    page: Sequence[RecordFacts],
    *,
    poll: Poll,
    seen: Mapping[str, Sequence[SeenVersion]],
    clock: datetime,
    witness: Witness | None = None,
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
            if witness is not None:
                witness(facts, versions, Ignored.REPEAT)
            continue
        decision = decide(facts, poll=poll, versions=versions, clock=clock)
        if witness is not None:
            witness(facts, versions, decision)
        if isinstance(decision, Ignored):
            decided.ignored[decision] += 1
            if decision is Ignored.REPEAT and facts.stamped_at is None:
                decided.unstamped.append(facts.object_id)
            elif decision is Ignored.SETTLED and (latest := latest_of(versions, facts.stamp)) is not None:
                decided.settled.append((facts.object_id, latest.version))
        elif isinstance(decision, Noted):
            decided.noted.append(decision.change)
        elif isinstance(decision, Glimpsed):
            decided.glimpsed.append(decision.change)
        elif isinstance(decision, Confirmed):
            decided.confirmed += decision.confirmations
            if decision.change is not None:
                decided.changes.append(decision.change)
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
    latest = latest_of(versions, facts.stamp)
    if latest is not None and latest.found_by == SeenChange.WEBHOOK:
        return _decide_told(facts, poll=poll, versions=versions, clock=clock)
    if latest is not None and (latest.is_settled or not poll.poller.filter_by_updated_date):
        # The same stamp means the same save: fields that a provider computes may drift without one.
        return Ignored.REPEAT
    if not poll.poller.filter_by_updated_date and is_creation_told(versions):
        return Ignored.REPEAT
    if poll.poller.filter_by_current_date and stamped_at > poll.started_at:
        return Ignored.AFTER_START
    if is_creation_lost(facts, poll=poll, versions=versions) and is_under_way(stamped_at, clock=clock, poll=poll):
        return Ignored.UNDER_WAY
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
        event_type=UPDATED if is_before else event_type(facts, poll=poll, versions=versions),
        object_type=poll.poller.resource,
        object_id=facts.object_id,
        version=version,
        changed_at=stamped_at,
        raw=b"" if is_before else _raw(facts, poll=poll),
        content_hash=content_hash,
        is_settled=is_settled,
    )
    return Noted(change) if is_before else change


def _decide_told(
    facts: RecordFacts, *, poll: Poll, versions: Sequence[SeenVersion], clock: datetime
) -> Ignored | Glimpsed | Confirmed:
    """A record that only callbacks told of under its stamp.

    It stays theirs while more of them may come: once a poll has met a stamp, a callback about it is a repeat.
    """
    assert facts.stamped_at is not None
    told = [seen for seen in versions if seen.found_by == SeenChange.WEBHOOK and _is_of(seen, facts.stamp)]
    latest, is_settled = told[-1], _is_settled(facts.stamped_at, clock)
    is_glimpse, is_waiting = not latest.event_type, is_under_way(facts.stamped_at, clock=clock, poll=poll)
    if is_waiting and (is_settled or is_glimpse):
        return Ignored.UNDER_WAY
    # Compared by what it says while it may be read under this stamp again; of old ones the bytes will do.
    compares = is_waiting or is_glimpse or not is_settled
    content_hash = content.canonical_hash(facts.raw) if compares else content.content_hash(facts.raw)
    saved_again = Change(
        event_type=UPDATED,
        object_type=poll.poller.resource,
        object_id=facts.object_id,
        version=_new_version(f"{facts.stamp}#{content_hash.hex()[:16]}", versions),
        changed_at=facts.stamped_at,
        raw=b"",
        content_hash=content_hash,
        is_settled=is_settled,
    )
    if is_waiting:
        return Glimpsed(saved_again)
    is_created = is_creation_lost(facts, poll=poll, versions=versions)
    change: Change | None = None
    if is_glimpse and latest.content_hash != content_hash:
        kind = CREATED if is_created else UPDATED
        change = replace(saved_again, event_type=kind, raw=_raw(facts, poll=poll))
    elif is_created:
        began_at = created_at(facts, poll.poller) or facts.stamped_at
        raw = _raw(facts, poll=poll)
        change = replace(saved_again, event_type=CREATED, version=CREATION, changed_at=began_at, raw=raw)
    return Confirmed(
        tuple(Confirmation(facts.object_id, seen.version, content_hash, is_settled) for seen in told), change
    )


def _decide_unstamped(facts: RecordFacts, *, poll: Poll, versions: Sequence[SeenVersion]) -> Decision:
    """Only the content can tell whether it changed; whether it is new, nothing can."""
    content_hash = content.canonical_hash(facts.raw)
    latest = next((seen for seen in reversed(versions) if seen.version.startswith(UNSTAMPED)), None)
    if latest is not None and latest.content_hash == content_hash:
        return Ignored.REPEAT
    if latest is not None and latest.found_by == SeenChange.WEBHOOK:
        return Confirmed((Confirmation(facts.object_id, latest.version, content_hash, latest.is_settled),))
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


def latest_of(versions: Sequence[SeenVersion], stamp: str) -> SeenVersion | None:
    """What was last seen under this stamp."""
    for seen in reversed(versions):
        if _is_of(seen, stamp):
            return seen
    return None


def _is_of(seen: SeenVersion, stamp: str) -> bool:
    return seen.version == stamp or seen.version.startswith(f"{stamp}#")


def _new_version(version: str, versions: Sequence[SeenVersion]) -> str:
    """New even for a change that brings back a content that was there before."""
    is_taken = any(seen.version == version for seen in versions)
    return f"{version}.{len(versions)}" if is_taken else version


def is_under_way(stamped_at: datetime, *, clock: datetime, poll: Poll) -> bool:
    """Whether callbacks of a save may still come. Within the overlap, so that the next poll meets it again."""
    return stamped_at - clock <= BOGUS_AHEAD and clock - stamped_at < min(UNDER_WAY, poll.overlap)


def _is_settled(stamped_at: datetime, clock: datetime) -> bool:
    """Whether a record read now can no longer be saved again under its stamp, which has whole seconds."""
    return clock - stamped_at.replace(microsecond=0) > SETTLING or stamped_at - clock > BOGUS_AHEAD


def _raw(facts: RecordFacts, *, poll: Poll) -> bytes:
    return content.without_nulls(facts.raw) if poll.filters_nulls else bytes(facts.raw)
