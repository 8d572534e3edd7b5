"""What one poll has read, and recording it: changes gathered until the last page, or in parts of a very long read."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.db import transaction

from connectors.change import CREATED, UPDATED, Change
from connectors.records import Page
from events import ledger
from events.callback_claims import take_turn
from events.ledger import Confirmation, SeenVersion
from events.models import Event, SeenChange
from events.record import record
from instances import heartbeats
from instances.models import Instance
from polling import schedule
from polling.changes import CREATION, decide_page, is_under_way
from polling.decisions import Ignored, Poll, Witness
from polling.facts import RecordFacts, read_facts
from polling.schedule import Claim

# A part is recorded when so many changes, or so many bytes of them, have gathered.
PART_SIZE = 10_000
PART_BYTES = 32 * 1024 * 1024
# Where a notification repeats all records that are recorded with it, their number must stay small.
RECORDED_AT_ONCE = 1_000
RENEW_AFTER_SECONDS = schedule.LEASE.total_seconds() / 4


@dataclass(slots=True, kw_only=True)
class Reading:
    """What one poll has read, and what of it is not yet recorded."""

    claim: Claim
    instance: Instance
    resource: str
    polled_at: datetime
    """Our clock, to show in notifications."""
    hears_callbacks: bool = False
    """Whether callbacks may tell of the same changes at the same moment."""
    changes: list[Change] = field(default_factory=list)
    noted: list[Change] = field(default_factory=list)
    glimpsed: list[Change] = field(default_factory=list)
    confirmed: list[Confirmation] = field(default_factory=list)
    unstamped: list[str] = field(default_factory=list)
    """Ids of records without a stamp that were met again."""
    settled: list[tuple[str, str]] = field(default_factory=list)
    """Object ids and versions that were read again after their second was over."""
    size: int = 0
    """Bytes of the records gathered."""
    met: dict[str, list[SeenVersion]] = field(default_factory=dict)
    """What the ledger will hold once the gathered changes are recorded."""
    greatest_stamp: datetime | None = None
    record_count: int = 0
    change_count: int = 0
    unreadable_stamps: int = 0
    ignored: Counter[Ignored] = field(default_factory=Counter)
    leased_at: float = field(default_factory=time.monotonic)
    witness: Witness | None = None

    def take(self, page: Page, *, poll: Poll, clock: datetime) -> None:
        """Decide a page and gather what is a change."""
        facts = read_facts(page.slices(), poller=poll.poller)
        self.record_count += len(facts)
        seen = ledger.seen(
            instance_id=self.instance.pk,
            object_type=self.resource,
            object_ids=[one.object_id for one in facts],
        )
        for distinct in _without_repetition(facts):
            versions = {**seen, **{one: seen.get(one, []) + self.met[one] for one in self._met_again(distinct)}}
            decided = decide_page(distinct, poll=poll, seen=versions, clock=clock, witness=self.witness)
            self.changes += decided.changes
            self.noted += decided.noted
            self.glimpsed += decided.glimpsed
            self.confirmed += decided.confirmed
            self.unstamped += decided.unstamped
            self.settled += decided.settled
            self.unreadable_stamps += decided.unreadable_stamps
            self.ignored += decided.ignored
            self.greatest_stamp = max(filter(None, (self.greatest_stamp, decided.greatest_stamp)), default=None)
            for change in (*decided.changes, *decided.noted):
                self.size += len(change.raw)
                self.met.setdefault(change.object_id, []).append(
                    SeenVersion(change.version, change.content_hash, change.is_settled, change.event_type)
                )
            for glimpse in decided.glimpsed:
                self.met.setdefault(glimpse.object_id, []).append(
                    SeenVersion(glimpse.version, glimpse.content_hash, False, "", SeenChange.WEBHOOK)
                )
            if self.hears_callbacks:
                self._expect_callbacks(decided.changes, poll=poll, clock=clock)

    def _expect_callbacks(self, changes: Iterable[Change], *, poll: Poll, clock: datetime) -> None:
        """A callback that tells of the same before we record it is confirmed. While more may come, the next poll is."""
        for change in changes:
            if change.changed_at is not None and not is_under_way(change.changed_at, clock=clock, poll=poll):
                confirmation = Confirmation(change.object_id, change.version, change.content_hash, change.is_settled)
                self.confirmed.append(confirmation)

    def _met_again(self, facts: Iterable[RecordFacts]) -> list[str]:
        return [one.object_id for one in facts if one.object_id in self.met] if self.met else []

    def has_gathered(self, part_size: int) -> bool:
        return len(self.changes) + len(self.noted) >= part_size or self.size >= PART_BYTES

    def has_something(self) -> bool:
        """To write into the ledger, with or without events."""
        return bool(self.changes or self.noted or self.glimpsed or self.confirmed or self.unstamped or self.settled)

    def record_part(self) -> None:
        """Record what has gathered, with the watermark where it is."""
        with transaction.atomic():
            self.hold()
            self.record()

    def hold(self) -> None:
        """Begin a transaction that records. Raises LostLease.

        Callbacks of the instance are not decided meanwhile: they and the poll would wait for each other's changes, and
        each could find an object new.
        """
        if self.hears_callbacks:
            take_turn(instance_id=self.instance.pk)
        schedule.hold(self.claim)

    def _tells_creations(self) -> bool:
        return self.hears_callbacks and any(change.event_type == CREATED for change in self.changes)

    def _without_told_creations(self) -> list[Change]:
        """What a callback told of while we read was created then: our change is a later one, or nothing new."""
        created = [change.object_id for change in self.changes if change.event_type == CREATED]
        seen = ledger.seen(instance_id=self.instance.pk, object_type=self.resource, object_ids=created)
        told = {one for one, versions in seen.items() if any(version.event_type == CREATED for version in versions)}
        return [
            replace(change, event_type=UPDATED) if change.object_id in told else change
            for change in self.changes
            if change.object_id not in told or change.version != CREATION
        ]

    def record(self) -> None:
        """In the caller's transaction, behind `hold`."""
        if self._tells_creations():
            self.changes = self._without_told_creations()
        for start in range(0, len(self.changes), RECORDED_AT_ONCE):
            record(
                instance=self.instance,
                changes=self.changes[start : start + RECORDED_AT_ONCE],
                source=Event.POLL,
                polled_at=self.polled_at,
            )
        if self.noted:
            ledger.note(instance_id=self.instance.pk, changes=self.noted)
        if self.glimpsed:
            ledger.note(instance_id=self.instance.pk, changes=self.glimpsed, found_by=SeenChange.WEBHOOK)
        if self.confirmed:
            ledger.confirm(instance_id=self.instance.pk, object_type=self.resource, confirmations=self.confirmed)
        if self.settled:
            ledger.settle(instance_id=self.instance.pk, object_type=self.resource, versions=self.settled)
        if self.unstamped:
            ledger.touch(instance_id=self.instance.pk, object_type=self.resource, object_ids=self.unstamped)
        self.change_count += len(self.changes)
        self.changes, self.noted, self.glimpsed, self.confirmed = [], [], [], []
        self.unstamped, self.settled, self.met, self.size = [], [], {}, 0

    def keep_lease(self) -> None:
        """Renew the lease before it gets short, between transactions. Raises LostLease."""
        # Reads of very many pages may keep every thread of a worker from all other tasks.
        heartbeats.note("polling")
        if time.monotonic() - self.leased_at > RENEW_AFTER_SECONDS:
            schedule.renew(self.claim)
            self.leased_at = time.monotonic()


def _without_repetition(facts: list[RecordFacts]) -> Iterator[list[RecordFacts]]:
    """Cut up so that no part holds an object twice: a provider that repeats one is decided knowing the first time."""
    while facts:
        ids: set[str] = set()
        first: list[RecordFacts] = []
        again: list[RecordFacts] = []
        for one in facts:
            (again if one.object_id and one.object_id in ids else first).append(one)
            ids.add(one.object_id)
        yield first
        facts = again
