"""Histories of saves and polls, made up at random: each save that stands is told exactly once."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.change import CREATED, UPDATED, Change
from connectors.poller import DateField, ResourcePoller
from events.ledger import SeenVersion
from polling import window
from polling.changes import decide_page
from polling.decisions import Poll
from polling.facts import read_facts

STAMP = DateField("_info.lastUpdated", "yyyy-MM-dd'T'HH:mm:ss'Z'")
POLLER = ResourcePoller(resource="contacts", url="/contacts", id_field="id", updated=STAMP, created=STAMP)
OVERLAP = timedelta(seconds=120)
EPOCH = datetime(2018, 1, 15, 12, tzinfo=UTC)
PAGE_SIZE = 2
RECORDS_AT_FIRST = 4


@dataclass
class Provider:
    """Keeps stamps and its `Date` in whole seconds, sorts pages by id, writes keys in any order."""

    milliseconds: int = 500
    saves: dict[int, tuple[int, str]] = field(default_factory=dict)
    """By id: how often it was saved, and the last stamp."""
    uncommitted: list[tuple[int, int, tuple[int, str]]] = field(default_factory=list)
    """Visible at (milliseconds): id and save."""
    next_id: int = 1
    order: random.Random = field(default_factory=lambda: random.Random(5))

    def clock(self) -> datetime:
        return EPOCH + timedelta(seconds=self.milliseconds // 1000)

    def wait(self, milliseconds: int) -> None:
        self.milliseconds += milliseconds
        for due in [one for one in self.uncommitted if one[0] <= self.milliseconds]:
            self.uncommitted.remove(due)
            self.saves[due[1]] = due[2]

    def create(self, *, visible_after: int = 0) -> int:
        record_id, self.next_id = self.next_id, self.next_id + 1
        self._save(record_id, 1, visible_after)
        return record_id

    def edit(self, pick: int, *, visible_after: int = 0) -> None:
        """Not while the row is locked by a save that is not visible yet. A save that takes long follows, within its
        second, upon no other: what was read meanwhile could not be told from it by anybody."""
        ids = sorted(self.saves.keys() - {locked for _, locked, _ in self.uncommitted})
        if ids:
            record_id = ids[pick % len(ids)]
            number, stamp = self.saves[record_id]
            self._save(record_id, number + 1, 0 if stamp == self._stamp() else visible_after)

    def _save(self, record_id: int, number: int, visible_after: int) -> None:
        save = (number, self._stamp())
        if visible_after:
            self.uncommitted.append((self.milliseconds + visible_after, record_id, save))
        else:
            self.saves[record_id] = save

    def _stamp(self) -> str:
        return self.clock().strftime("%Y-%m-%dT%H:%M:%SZ")

    def page(self, *, after_id: int, since: datetime) -> list[msgspec.Raw]:
        """`id > after_id and lastUpdated > since`, by id."""
        found = sorted(
            one for one in self.saves if one > after_id and self.saves[one][1] > f"{since:%Y-%m-%dT%H:%M:%SZ}"
        )
        return [self._written(record_id) for record_id in found[:PAGE_SIZE]]

    def _written(self, record_id: int) -> msgspec.Raw:
        number, stamp = self.saves[record_id]
        members = [("id", record_id), ("number", number), ("_info", {"lastUpdated": stamp})]
        self.order.shuffle(members)
        return msgspec.Raw(json.dumps(dict(members)).encode())


class Platform:
    """A cursor and a ledger, as `polling.poll` and the database keep them; it forgets as early as it may."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.watermark = self.baseline_at = provider.clock()
        self.known_id: int | None = max(provider.saves, default=0)
        self.is_baseline_read = False
        self.ledger: dict[str, dict[str, tuple[SeenVersion, datetime | None]]] = {}
        self.told: list[tuple[int, int, str]] = []
        """Id, number of the save, event type."""

    def poll(self, between_pages=()) -> None:
        asked = window.window_of(
            watermark=self.watermark,
            baseline_at=self.baseline_at,
            is_baseline_read=self.is_baseline_read,
            known_id=self.known_id,
            poller=POLLER,
            overlap=OVERLAP,
        )
        started_at = clock = self.provider.clock()
        poll = Poll(poller=POLLER, window=asked, started_at=started_at, filters_nulls=True)
        steps = iter(between_pages)
        greatest: datetime | None = None
        changes: list[Change] = []
        noted: list[Change] = []
        last_id = 0
        while page := self.provider.page(after_id=last_id, since=asked.since):
            facts = read_facts(page, poller=POLLER)
            seen = {one.object_id: self._seen(one.object_id) for one in facts}
            found = decide_page(facts, poll=poll, seen=seen, clock=clock)
            changes, noted = changes + found.changes, noted + found.noted
            greatest = max(filter(None, (greatest, found.greatest_stamp)), default=None)
            last_id, clock = int(facts[-1].object_id), self.provider.clock()
            act(self.provider, next(steps, None))
        for change in changes:
            assert change.version not in self.ledger.get(change.object_id, {}), "the ledger would swallow it"
            self.told.append((int(change.object_id), json.loads(change.raw)["number"], change.event_type))
        for change in (*changes, *noted):
            version = SeenVersion(change.version, change.content_hash, change.is_settled, change.event_type)
            self.ledger.setdefault(change.object_id, {})[change.version] = (version, change.changed_at)
        self.watermark = window.next_watermark(
            watermark=self.watermark, greatest_stamp=greatest, first_page_at=started_at
        )
        self.is_baseline_read = True
        self._trim(self.watermark - OVERLAP)

    def _seen(self, object_id: str) -> list[SeenVersion]:
        return [version for version, _ in self.ledger.get(object_id, {}).values()]

    def _trim(self, before: datetime) -> None:
        forgotten = []
        for object_id, versions in list(self.ledger.items()):
            for key, (_, changed_at) in list(versions.items()):
                if changed_at is not None and changed_at < before:
                    del versions[key]
                    forgotten.append(int(object_id))
            if not versions:
                del self.ledger[object_id]
        self.known_id = window.next_known_id(known_id=self.known_id, greatest_forgotten=max(forgotten, default=None))


def act(provider: Provider, step) -> None:
    match step:
        case ("wait", milliseconds):
            provider.wait(milliseconds)
        case ("edit", pick, visible_after):
            provider.edit(pick, visible_after=visible_after)
        case ("create", visible_after):
            provider.create(visible_after=visible_after)


# Within a second, around the two seconds of settling, up to and beyond the overlap.
waits = st.one_of(st.integers(1, 900), st.integers(1_000, 5_000), st.integers(30_000, 400_000))
commits = st.one_of(st.just(0), st.just(0), st.integers(1, 100_000))
saves = st.one_of(
    st.tuples(st.just("edit"), st.integers(0, 20), commits),
    st.tuples(st.just("create"), commits),
    st.tuples(st.just("wait"), waits),
)
polls = st.tuples(st.just("poll"), st.lists(saves, max_size=4))


@settings(max_examples=60, deadline=None)
@given(before=st.lists(saves, max_size=4), history=st.lists(st.one_of(saves, polls), max_size=25))
def test_each_save_that_a_poll_can_meet_is_told_exactly_once(before, history):
    provider = Provider()
    for _ in range(RECORDS_AT_FIRST):
        provider.create()
    provider.wait(200_000)
    for step in before:
        act(provider, step)
    began_at = provider.milliseconds
    uncommitted = {record_id: save for _, record_id, save in provider.uncommitted}
    begun = provider.saves | uncommitted
    highest_id = max(provider.saves)
    platform = Platform(provider)

    for step in history:
        if step[0] == "poll":
            platform.poll(step[1])
        else:
            act(provider, step)
    for _ in range(3):
        provider.wait(101_000)
        platform.poll()

    told = [(record_id, number) for record_id, number, _ in platform.told]
    assert len(told) == len(set(told)), "told twice"
    last_told = dict(sorted(told))
    for record_id, (number, _) in provider.saves.items():
        if number > begun.get(record_id, (0, ""))[0]:
            assert last_told.get(record_id) == number, "the last save was not told"
    for record_id, number in told:
        if number <= begun.get(record_id, (0, ""))[0]:
            # Only what the whole seconds of the baseline cannot tell apart, or what became visible after it.
            began_in = EPOCH + timedelta(seconds=began_at // 1000)
            is_of_that_second = begun[record_id][1] >= f"{began_in:%Y-%m-%dT%H:%M:%SZ}"
            assert is_of_that_second or record_id in uncommitted, "no back-fill"
    for record_id in {record_id for record_id, _ in told}:
        types = [event_type for one, _, event_type in platform.told if one == record_id]
        # One that was created before, and could be seen only afterwards, may be either.
        assert types[0] == (CREATED if record_id > highest_id else UPDATED) or record_id in uncommitted
        assert types[1:] == [UPDATED] * (len(types) - 1)
