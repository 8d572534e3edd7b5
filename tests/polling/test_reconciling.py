"""Where callbacks tell of changes, polls find what these lost, and tell nothing twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import orjson
import pytest
from django.db import connection, transaction

from connectors.change import CREATED, DELETED, UPDATED, Change
from events.models import Event, SeenChange
from instances import provisioning
from instances.models import Instance
from polling import window
from polling.models import PollCursor
from tests.events.desks import make_desk
from tests.polling.driving import cursor_of, on_list, poll, wait_for_waiting
from tests.polling.hearing import entries, found_by, hear, says

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def desk(owner, sandbox) -> Instance:
    """Hears callbacks about contacts, and polls them too."""
    return make_desk(owner, sandbox, callback_types="contact")


def test_an_instance_that_hears_callbacks_has_cursors_for_what_they_cover(owner, sandbox):
    desk = make_desk(owner, sandbox, callback_types="contact,company")
    assert set(PollCursor.objects.filter(instance=desk).values_list("resource", flat=True)) == {
        "contacts",
        "organizations",
    }
    assert cursor_of(desk).known_id == max(sandbox.contacts.ids())

    provisioning.update(instance_id=desk.pk, configuration={"event.callback.types": "contact"})
    assert PollCursor.objects.get(instance=desk).resource == "contacts"
    provisioning.disable(instance_id=desk.pk)
    assert not cursor_of(desk).is_active
    provisioning.update(instance_id=desk.pk, configuration={"event.notification.enabled": False})
    assert not PollCursor.objects.exists()


def test_what_a_poll_alone_finds_is_told_in_the_words_of_the_hub(desk, sandbox):
    poll(desk)
    sandbox.clock.advance(MINUTE)
    saved = sandbox.contacts.edit(3, firstName="Zoë")
    poll(desk)

    [event] = Event.objects.filter(instance=desk)
    message = orjson.loads(event.body)["message"]
    [told] = message["raw"]["contacts"]
    assert (event.source, entries(desk)) == ("poll", [(3, UPDATED)])
    assert (told["id"], told["firstName"]) == (3, "Zoë")
    assert told["lastUpdated"] == saved["_info"]["lastUpdated"] == SeenChange.objects.get(instance=desk).version


def test_a_fifth_of_the_callbacks_lost_is_what_the_polls_tell(desk, sandbox):
    poll(desk)
    heard: list[Change] = []
    lost: list[Change] = []
    for number in range(1, 51):
        sandbox.clock.advance(7 * SECOND)
        if number % 3:
            action, saved = UPDATED, sandbox.contacts.edit(number % 12 + 1, title=f"save {number}")
        else:
            action, saved = CREATED, sandbox.contacts.add(title=f"save {number}")
        change = says(saved, action)
        (lost if number % 5 == 0 else heard).append(change)
        if number % 5:
            hear(desk, change)
        if number % 9 == 0:
            poll(desk)
    for _ in range(2):
        sandbox.clock.advance(MINUTE)
        poll(desk)

    # A poll reads what a record says now: of two lost saves of one record between polls it tells the last.
    last = {change.object_id: change.version for change in (*heard, *lost)}
    expected = sorted((int(one.object_id), one.event_type) for one in heard)
    assert entries(desk, "webhook") == expected
    polled = set(SeenChange.objects.filter(instance=desk, found_by="poll").values_list("object_id", "version"))
    assert polled <= {(one.object_id, one.version) for one in lost}
    assert {(one.object_id, one.version) for one in lost if last[one.object_id] == one.version} <= polled
    told = entries(desk)
    assert len(told) == len(heard) + len(polled)

    hear(desk, *lost, *heard)
    assert [one for one in entries(desk) if one not in told] == []
    assert not SeenChange.objects.filter(instance=desk, found_by="poll").exists()


def test_a_late_callback_makes_it_found_by_both_and_tells_nothing(desk, sandbox):
    poll(desk)
    sandbox.clock.advance(MINUTE)
    saved = sandbox.contacts.edit(3, title="CFO")
    poll(desk)
    assert found_by(desk) == {3: "poll"}
    hear(desk, says(saved))

    assert (found_by(desk), entries(desk)) == ({3: "both"}, [(3, UPDATED)])


def test_what_callbacks_told_of_is_confirmed_by_the_poll_after_them_and_costs_nothing_then(desk, sandbox):
    poll(desk)
    sandbox.clock.advance(MINUTE)
    hear(desk, says(sandbox.contacts.edit(3, title="CFO")))
    poll(desk)
    assert found_by(desk) == {3: "webhook"}  # more callbacks may be under way
    sandbox.clock.advance(MINUTE)
    poll(desk)
    known = SeenChange.objects.get(instance=desk, event_type=UPDATED)
    assert (known.found_by, known.is_settled) == ("both", True)

    sandbox.clock.advance(MINUTE)
    hear(desk, says(sandbox.contacts.edit(3, title="CEO")))
    sandbox.clock.advance(MINUTE)
    sandbox.contacts.edit(3, title="chair")  # its callback is lost
    poll(desk)
    assert entries(desk) == [(3, UPDATED)] * 3
    assert entries(desk, "poll") == [(3, UPDATED)]


def test_callbacks_before_the_first_poll_are_confirmed_by_it(desk, sandbox):
    sandbox.clock.advance(10 * SECOND)
    heard = [says(sandbox.contacts.edit(3)), says(sandbox.contacts.add(), CREATED)]
    hear(desk, *heard)
    sandbox.contacts.edit(4, title="its callback is lost")
    sandbox.clock.advance(MINUTE)
    poll(desk)
    new = int(heard[1].object_id)

    assert found_by(desk) == {3: "both", new: "both", 4: "poll"}
    assert entries(desk) == [(3, UPDATED), (4, UPDATED), (new, CREATED)]
    sandbox.clock.advance(MINUTE)
    poll(desk)
    assert len(entries(desk)) == 3


def test_a_second_save_within_a_second_whose_callback_is_lost(desk, sandbox):
    poll(desk)
    sandbox.clock.advance(MINUTE)
    hear(desk, says(sandbox.contacts.edit(3, title="first")))
    poll(desk)
    sandbox.contacts.edit(3, title="second, in the same second")
    for _ in range(2):
        sandbox.clock.advance(MINUTE)
        poll(desk)

    assert (entries(desk, "webhook"), entries(desk, "poll")) == ([(3, UPDATED)], [(3, UPDATED)])
    assert found_by(desk) == {3: "poll"}
    assert set(SeenChange.objects.filter(instance=desk).values_list("found_by", flat=True)) == {"both", "poll"}


def test_a_second_save_within_a_second_whose_callback_comes_while_polls_read(desk, sandbox):
    poll(desk)
    sandbox.clock.advance(MINUTE)
    hear(desk, says(sandbox.contacts.edit(3, title="first")))
    second = says(sandbox.contacts.edit(3, title="second, in the same second"))
    for wait in (SECOND, 5 * SECOND):
        poll(desk)
        sandbox.clock.advance(wait)
    hear(desk, second)
    for _ in range(2):
        sandbox.clock.advance(MINUTE)
        poll(desk)

    assert (entries(desk, "webhook"), entries(desk, "poll")) == ([(3, UPDATED)] * 2, [])
    assert set(SeenChange.objects.filter(instance=desk).values_list("found_by", flat=True)) == {"both"}


@pytest.mark.parametrize("comes_late", [True, False])
def test_a_lost_callback_of_a_creation(desk, sandbox, comes_late):
    poll(desk)
    sandbox.clock.advance(MINUTE)
    added = says(sandbox.contacts.add(firstName="Zoë"), CREATED)
    number = int(added.object_id)
    sandbox.clock.advance(SECOND)
    hear(desk, says(sandbox.contacts.edit(number, title="CFO")))
    poll(desk)
    assert entries(desk) == [(number, UPDATED)]

    for _ in range(3):
        sandbox.clock.advance(MINUTE)
        poll(desk)
        if comes_late:
            hear(desk, added)
    assert entries(desk) == [(number, CREATED), (number, UPDATED)]
    assert entries(desk, "poll") == [(number, CREATED)]


def test_an_object_deleted_while_polls_still_read_it_is_told_deleted_and_no_more(desk, sandbox):
    poll(desk)
    sandbox.clock.advance(MINUTE)
    saved = sandbox.contacts.edit(3, title="CFO")
    poll(desk)
    hear(desk, says(saved, DELETED))
    sandbox.clock.advance(MINUTE)
    poll(desk)

    assert entries(desk) == [(3, DELETED), (3, UPDATED)]


# What the ledger keeps


def test_the_ledger_keeps_a_month_where_callbacks_may_come_late(desk, sandbox):
    poll(desk)
    first = cursor_of(desk)
    sandbox.clock.advance(MINUTE)
    old = says(sandbox.contacts.edit(3, title="CFO"))
    new = says(sandbox.contacts.add(), CREATED)
    for days in (14, 15):
        sandbox.clock.advance(timedelta(days=days))
        sandbox.contacts.edit(4, title=f"{days} days later")
        poll(desk)
    hear(desk, old, new)
    assert (len(entries(desk)), set(found_by(desk, [3, int(new.object_id)]).values())) == (4, {"both"})
    assert cursor_of(desk).remembered_since == first.remembered_since

    sandbox.clock.advance(timedelta(days=1, seconds=5))
    sandbox.contacts.edit(4, title="a month later")
    poll(desk)
    cursor = cursor_of(desk)
    assert cursor.remembered_since == cursor.watermark - window.CALLBACK_MEMORY
    assert (set(found_by(desk)), cursor.known_id) == ({4}, int(new.object_id))

    sandbox.contacts.edit(int(new.object_id), title="known, though the ledger has forgotten it")
    poll(desk)
    assert (int(new.object_id), UPDATED) in entries(desk)


# Both at the same moment


@pytest.fixture
def paged(owner, sandbox) -> Instance:
    """Its polls read three contacts on a page."""
    stamp = "yyyy-MM-dd'T'HH:mm:ss'Z'"
    contacts = {
        "url": f"/hubs/helpdesk/contacts?where=lastUpdated>='${{gmtDate:{stamp}}}'",
        "idField": "id",
        "pageSize": 3,
        "datesConfiguration": {
            f"{which}Date{part}": value
            for which in ("updated", "created")
            for part, value in (("Field", "lastUpdated"), ("Format", stamp))
        },
    }
    return make_desk(owner, sandbox, callback_types="contact", poller_configuration={"contacts": contacts})


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("age", [5 * SECOND, MINUTE])
def test_a_callback_heard_between_reading_a_record_and_recording_it(paged, sandbox, age):
    poll(paged)
    sandbox.clock.advance(MINUTE)
    edited = [says(sandbox.contacts.edit(number, title="CFO")) for number in (1, 2, 3, 11)]
    added = [sandbox.contacts.add() for _ in range(3)]
    sandbox.clock.advance(SECOND)
    again = [sandbox.contacts.edit(one["id"], title="CFO") for one in added]
    created = [says(one, CREATED) for one in added]
    sandbox.clock.advance(age)

    def callbacks() -> None:
        try:
            hear(paged, edited[0], edited[1], edited[3], created[0])
        finally:
            connection.close()

    on_list(sandbox, 3, callbacks)  # the first two pages are read, and nothing of them is recorded
    poll(paged)
    hear(paged, *created, *map(says, again), *edited)
    for _ in range(2):
        sandbox.clock.advance(MINUTE)
        poll(paged)

    ids = sorted(one["id"] for one in added)
    expected = [(number, UPDATED) for number in (1, 2, 3, 11)] + [(one, CREATED) for one in ids]
    assert entries(paged) == sorted([*expected, (added[0]["id"], UPDATED)])
    assert set(found_by(paged).values()) == {"both"}


@pytest.mark.django_db(transaction=True)
def test_what_a_callback_told_while_the_poll_read_is_confirmed_by_that_poll(paged, sandbox):
    """The next one may not meet it again."""
    poll(paged)
    sandbox.clock.advance(MINUTE)
    edited = [says(sandbox.contacts.edit(number, title="CFO")) for number in (1, 2, 3)]
    sandbox.clock.advance(10 * MINUTE)
    sandbox.contacts.edit(11, title="CFO")

    def callbacks() -> None:
        try:
            hear(paged, *edited)
        finally:
            connection.close()

    on_list(sandbox, 2, callbacks)
    poll(paged)

    assert (entries(paged, "webhook"), entries(paged, "poll")) == (
        [(1, UPDATED), (2, UPDATED), (3, UPDATED)],
        [(11, UPDATED)],
    )
    assert found_by(paged) == {1: "both", 2: "both", 3: "both", 11: "poll"}


@pytest.mark.django_db(transaction=True)
def test_a_poll_waits_for_callbacks_that_are_being_recorded(paged, sandbox):
    """Else each would find the object new."""
    poll(paged)
    sandbox.clock.advance(MINUTE)
    added = sandbox.contacts.add()
    sandbox.clock.advance(SECOND)
    sandbox.contacts.edit(added["id"], title="CFO")
    with ExitStack() as threads, connection.cursor() as cursor, transaction.atomic():
        hear(paged, says(added, CREATED))
        threads.enter_context(beside(lambda: poll(paged)))
        wait_for_waiting(cursor, 1)

    assert entries(paged) == [(added["id"], CREATED), (added["id"], UPDATED)]


@pytest.mark.django_db(transaction=True)
def test_callbacks_and_polls_that_race(paged, sandbox):
    """Whoever is first: one event for each save, and one creation for each object."""
    poll(paged)
    expected: list[tuple[int, str]] = []
    winners = set()
    for number in range(50):
        sandbox.clock.advance(MINUTE)
        saves = [says(sandbox.contacts.edit(one, title=f"save {number}")) for one in (number % 5 + 1, 9)]
        saves.append(says(sandbox.contacts.add(), CREATED))
        sandbox.clock.advance(number % 2 * MINUTE)
        expected += [(int(one.object_id), one.event_type) for one in saves]
        together = threading.Barrier(2)
        # Callbacks are done in a moment, so they begin a little later or earlier each time: at a page of the poll.
        begin_at, pages = number % 4, iter(range(9))

        def at_a_page(_request: object, barrier=together, begin_at=begin_at, pages=pages) -> None:
            if next(pages) == begin_at:
                barrier.wait(20)

        def callbacks(barrier=together, saves=saves, number=number) -> None:
            barrier.wait(20)
            hear(paged, *(reversed(saves) if number % 3 else saves))

        sandbox.on_request = at_a_page if begin_at < 2 else None
        with beside(callbacks):
            if begin_at >= 2:
                together.wait(20)
            poll(paged)
        sandbox.on_request = None
        winners |= set(Event.objects.filter(instance=paged).order_by("-id").values_list("source", flat=True)[:3])
        assert entries(paged) == sorted(expected)
    sandbox.clock.advance(MINUTE)
    poll(paged)

    assert entries(paged) == sorted(expected)
    assert winners == {"poll", "webhook"}
    assert cursor_of(paged).failures == 0


@contextmanager
def beside(act: Callable[[], object]) -> Iterator[None]:
    """Runs `act` in a thread with a database connection of its own; raises what it raised."""

    def run() -> None:
        try:
            act()
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=1) as threads:
        running = threads.submit(run)
        yield
        running.result(timeout=30)
