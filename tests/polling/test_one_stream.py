"""Histories of saves, callbacks and polls, made up at random: whichever tells of a save first, it is told once.

The provider, and what a cursor keeps, are those of `test_exactly_once`; callbacks are lost, late and out of order.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.change import CREATED, UPDATED, Change, EventType
from events import callback_changes
from events.callback_changes import Told
from events.ledger import Identity, SeenVersion
from events.models import SeenChange
from polling import window
from polling.changes import CREATION, decide_page, is_under_way
from polling.decisions import Poll
from polling.facts import read_facts
from tests.polling.test_exactly_once import OVERLAP, POLLER, Provider

MEMORY = timedelta(seconds=1_500)
"""Of the ledger. Longer than any callback takes, shorter than a history."""


@dataclass(frozen=True)
class Sent:
    """A callback on its way."""

    record_id: int
    number: int
    stamp: str
    action: EventType

    def change(self) -> Change:
        return Change(
            event_type=self.action,
            object_type="contacts",
            object_id=str(self.record_id),
            version=self.stamp,
            changed_at=datetime.fromisoformat(self.stamp),
            raw=json.dumps({"number": self.number}).encode(),
            content_hash=hashlib.blake2b(b"%d" % self.number, digest_size=16).digest(),
            is_settled=False,
        )


@dataclass
class Stream:
    """A cursor, a ledger, and who was told what."""

    provider: Provider
    ledger: dict[str, dict[str, tuple[SeenVersion, datetime | None]]] = field(default_factory=dict)
    on_the_way: list[tuple[int, Sent]] = field(default_factory=list)
    """Due at (milliseconds)."""
    told: list[tuple[int, int, str, str]] = field(default_factory=list)
    """Id, number of the save, event type, version."""
    is_baseline_read: bool = False
    untellable: set[tuple[int, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.watermark = self.baseline_at = self.provider.clock()
        self.known_id: int | None = max(self.provider.saves, default=0)

    def saved(self, record_id: int, action: EventType, delay: int | None) -> None:
        if delay is not None:
            number, stamp = self.provider.saves[record_id]
            self.on_the_way.append((self.provider.milliseconds + delay, Sent(record_id, number, stamp, action)))

    def wait(self, milliseconds: int) -> None:
        self.provider.wait(milliseconds)
        arrived = [one for one in self.on_the_way if one[0] <= self.provider.milliseconds]
        self.on_the_way = [one for one in self.on_the_way if one not in arrived]
        for _, sent in sorted(arrived, key=lambda one: one[0]):
            self._hear(sent)

    def _hear(self, sent: Sent) -> None:
        change = sent.change()
        known = {("contacts", change.object_id): self._seen(change.object_id)}
        decided = callback_changes.decide_all(
            [Told(callback_id=1, message_id="", changes=(change,))], seen=known, done=()
        )
        for one in decided.changes:
            self._enter(one, SeenChange.WEBHOOK)
        for identity in decided.repeated:
            self._mark_both(identity)

    def poll(self, between_pages) -> None:
        asked = window.window_of(
            watermark=self.watermark,
            baseline_at=self.baseline_at,
            is_baseline_read=self.is_baseline_read,
            known_id=self.known_id,
            poller=POLLER,
            overlap=OVERLAP,
        )
        started_at = clock = self.provider.clock()
        poll = Poll(poller=POLLER, window=asked, started_at=started_at, filters_nulls=True, overlap=OVERLAP)
        steps = iter(between_pages)
        greatest: datetime | None = None
        found, last_id = [], 0
        while page := self.provider.page(after_id=last_id, since=asked.since):
            facts = read_facts(page, poller=POLLER)
            seen = {one.object_id: self._seen(one.object_id) for one in facts}
            decided = decide_page(facts, poll=poll, seen=seen, clock=clock)
            found.append(decided)
            greatest = max(filter(None, (greatest, decided.greatest_stamp)), default=None)
            last_id, clock = int(facts[-1].object_id), self.provider.clock()
            act(self, next(steps, None))
        for decided in found:
            self._record(decided, poll=poll, clock=clock)
        self.watermark = window.next_watermark(
            watermark=self.watermark, greatest_stamp=greatest, first_page_at=started_at
        )
        self.is_baseline_read = True
        self._trim(min(self.watermark - OVERLAP, started_at - MEMORY))

    def _record(self, decided, *, poll: Poll, clock: datetime) -> None:
        """As `Reading.record` does: callbacks may have been told between the page and this."""
        for change in decided.changes:
            versions = self.ledger.get(change.object_id, {})
            if change.event_type == CREATED and any(seen.event_type == CREATED for seen, _ in versions.values()):
                if change.version == CREATION:
                    continue
                change = Change(**{name: getattr(change, name) for name in Change.__slots__} | {"event_type": UPDATED})
            if change.version in versions:
                if not is_under_way(change.changed_at, clock=clock, poll=poll):
                    self._mark_both(Identity("contacts", change.object_id, change.version), is_settled=True)
                continue
            self._enter(change, SeenChange.POLL)
        for change in decided.noted:
            self._note(change, SeenChange.POLL)
        for change in decided.glimpsed:
            self._note(change, SeenChange.WEBHOOK)
        for one in decided.confirmed:
            seen, changed_at = self.ledger[one.object_id][one.version]
            if seen.found_by == SeenChange.WEBHOOK:
                both = SeenVersion(seen.version, one.content_hash, one.is_settled, seen.event_type, SeenChange.BOTH)
                self.ledger[one.object_id][one.version] = (both, changed_at)
        for object_id, version in decided.settled:
            seen, changed_at = self.ledger[object_id][version]
            settled = SeenVersion(seen.version, seen.content_hash, True, seen.event_type, seen.found_by)
            self.ledger[object_id][version] = (settled, changed_at)

    def _enter(self, change: Change, found_by: str) -> None:
        self.told.append((int(change.object_id), json.loads(change.raw)["number"], change.event_type, change.version))
        self._put(change, change.event_type, found_by)

    def _note(self, change: Change, found_by: str) -> None:
        if change.version not in self.ledger.get(change.object_id, {}):
            self._put(change, "", found_by)

    def _put(self, change: Change, event_type: str, found_by: str) -> None:
        seen = SeenVersion(change.version, change.content_hash, change.is_settled, event_type, found_by)
        self.ledger.setdefault(change.object_id, {})[change.version] = (seen, change.changed_at)

    def _mark_both(self, identity: Identity, *, is_settled: bool | None = None) -> None:
        seen, changed_at = self.ledger[identity.object_id][identity.version]
        settled = seen.is_settled if is_settled is None else is_settled
        both = SeenVersion(seen.version, seen.content_hash, settled, seen.event_type, SeenChange.BOTH)
        if seen.found_by != SeenChange.WEBHOOK or is_settled is not None:
            self.ledger[identity.object_id][identity.version] = (both, changed_at)

    def _seen(self, object_id: str) -> list[SeenVersion]:
        return [seen for seen, _ in self.ledger.get(object_id, {}).values()]

    def _trim(self, before: datetime) -> None:
        forgotten = []
        for object_id, versions in list(self.ledger.items()):
            for version, (_, changed_at) in list(versions.items()):
                if changed_at is not None and changed_at < before:
                    del versions[version]
                    forgotten.append(int(object_id))
        self.known_id = window.next_known_id(known_id=self.known_id, greatest_forgotten=max(forgotten, default=None))


def act(stream: Stream, step) -> None:
    provider = stream.provider
    match step:
        case ("wait", milliseconds):
            stream.wait(milliseconds)
        case ("edit", pick, delay):
            ids = sorted(provider.saves)
            record_id = ids[pick % len(ids)]
            before = provider.saves[record_id]
            provider.edit(pick)
            note_save(stream, record_id, delay, shares_second=provider.saves[record_id][1] == before[1])
            stream.saved(record_id, UPDATED, delay)
        case ("create", delay):
            record_id = provider.create()
            note_save(stream, record_id, delay, shares_second=False)
            stream.saved(record_id, CREATED, delay)


def note_save(stream: Stream, record_id: int, delay: int | None, *, shares_second: bool) -> None:
    """What cannot be known by anybody: a further save of a second, of which no callback tells in time."""
    number, _ = stream.provider.saves[record_id]
    if shares_second and (delay is None or delay >= 25_000):
        stream.untellable.add((record_id, number))


lost = st.none()
delays = st.one_of(lost, st.integers(0, 1_500), st.integers(0, 15_000), st.integers(40_000, 90_000))
waits = st.one_of(st.integers(1, 900), st.integers(1_000, 5_000), st.integers(20_000, 400_000))
saves = st.one_of(
    st.tuples(st.just("edit"), st.integers(0, 20), delays),
    st.tuples(st.just("create"), delays),
    st.tuples(st.just("wait"), waits),
)
polls = st.tuples(st.just("poll"), st.lists(saves, max_size=4))
soon = st.integers(0, 700)
# Saved twice within about a second, with a poll in or soon after it: what random steps seldom come to.
bursts: st.SearchStrategy[list[tuple[Any, ...]]] = st.builds(
    lambda pick, first, pause, second, then: [
        ("edit", pick, first),
        ("wait", pause),
        ("edit", pick, second),
        ("wait", then),
        ("poll", []),
    ],
    st.integers(0, 20),
    soon,
    soon,
    delays,
    st.one_of(soon, st.integers(1, 40_000)),
)
glimpses: st.SearchStrategy[list[tuple[Any, ...]]] = st.builds(
    lambda pick, first, pause, second: [
        ("edit", pick, first),
        ("wait", pause),
        ("poll", [("edit", pick, second)]),
        ("edit", pick, second),
    ],
    st.integers(0, 20),
    st.integers(0, 300),
    st.integers(300, 600),
    delays,
)
steps = st.one_of(saves.map(lambda one: [one]), polls.map(lambda one: [one]), bursts, glimpses)


@settings(max_examples=60, deadline=None)
@given(history=st.lists(steps, max_size=12).map(lambda parts: [step for part in parts for step in part]))
def test_each_save_is_told_once_by_callback_or_poll(history):
    provider = Provider()
    for _ in range(3):
        provider.create()
    provider.wait(200_000)
    begun, highest_id = dict(provider.saves), max(provider.saves)
    stream = Stream(provider)

    for step in history:
        if step[0] == "poll":
            stream.poll(step[1])
        else:
            act(stream, step)
    for _ in range(3):
        stream.wait(101_000)
        stream.poll(())

    told = [(record_id, number) for record_id, number, _, version in stream.told if version != CREATION]
    assert max(Counter(told).values(), default=1) == 1, "told twice"
    assert all(number > begun.get(record_id, (0, ""))[0] for record_id, number in told), "told of before events began"
    for record_id, (number, _) in provider.saves.items():
        if number > begun.get(record_id, (0, ""))[0] and (record_id, number) not in stream.untellable:
            assert (record_id, number) in told, "the last save was not told"
    created = Counter(record_id for record_id, _, event_type, _ in stream.told if event_type == CREATED)
    assert created == Counter({record_id for record_id, _ in told if record_id > highest_id}), "created once each"
