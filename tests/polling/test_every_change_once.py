"""Whatever happens at the provider or to a poll: each change is one event, and nothing else is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.db.backends.utils import CursorWrapper
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.change import CREATED, UPDATED
from connectors.sandbox import LoggedRequest, Sandbox
from events.models import Delivery, Event, SeenChange
from instances import provisioning
from instances.models import Instance
from polling.models import PollCursor
from tests.polling.driving import cursor_of, poll, reports, told

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)

PAGED = {
    "contacts": {
        "url": "/hubs/crm/contacts?where=lastUpdated>'${gmtDate:yyyy-MM-dd'T'HH:mm:ss'Z'}'",
        "idField": "id",
        "pageSize": 3,
        "datesConfiguration": {
            f"{which}Date{part}": value
            for which in ("updated", "created")
            for part, value in (("Field", "_info.lastUpdated"), ("Format", "yyyy-MM-dd'T'HH:mm:ss'Z'"))
        },
    }
}


def on_list(sandbox: Sandbox, number: int, act: Callable[[], object]) -> None:
    """Do something once, right before the `number`th page from now on is answered."""
    pages = 0

    def hook(request: LoggedRequest) -> None:
        nonlocal pages
        if request.endpoint == "/company/contacts":
            pages += 1
            if pages == number:
                act()

    sandbox.on_request = hook


# What providers do


def test_2500_records_of_one_second_over_three_pages_with_writes_in_between(instance, sandbox):
    poll(instance)
    sandbox.clock.advance(MINUTE)
    for number in range(1, 13):
        sandbox.contacts.edit(number)
    added = [sandbox.contacts.add()["id"] for _ in range(2_488)]
    behind, ahead, gone = added[10], added[2_400], added[2_300]

    def write() -> None:
        sandbox.contacts.edit(behind, title="in the same second, on a page already read")
        sandbox.contacts.edit(ahead, title="in the same second, on a page to come")
        sandbox.contacts.delete(gone)
        sandbox.clock.advance(SECOND)
        sandbox.contacts.edit(3, title="a second later, on a page already read")
        added.append(sandbox.contacts.add()["id"])

    on_list(sandbox, 2, write)
    poll(instance)
    done = [(number, UPDATED) for number in range(1, 13)] + [(one, CREATED) for one in added if one != gone]
    assert told(instance) == sorted(done)

    done += [(3, UPDATED), (behind, UPDATED)]
    for wait in (SECOND, MINUTE, MINUTE):
        poll(instance)
        assert told(instance) == sorted(done)
        sandbox.clock.advance(wait)


@pytest.mark.parametrize("late", [SECOND, 30 * SECOND, 115 * SECOND])
def test_records_committed_late_inside_the_overlap(instance, sandbox, late):
    poll(instance)
    sandbox.clock.advance(5 * MINUTE)
    sandbox.contacts.edit(3, title="late", is_hidden=True)
    hidden = sandbox.contacts.add(is_hidden=True)["id"]
    sandbox.clock.advance(late)
    visible = sandbox.contacts.add()["id"]
    poll(instance)
    assert told(instance) == [(visible, CREATED)]

    sandbox.contacts.reveal(3)
    sandbox.contacts.reveal(hidden)
    for _ in range(3):
        poll(instance)
        assert told(instance) == sorted([(visible, CREATED), (3, UPDATED), (hidden, CREATED)])


@pytest.mark.parametrize("minutes", [-10, 10])
def test_a_provider_whose_clock_is_ten_minutes_off(connect, sandbox, minutes):
    sandbox.clock.advance(minutes * MINUTE)
    sandbox.contacts.edit(1, title="before events began")
    sandbox.clock.advance(SECOND)
    instance = connect(sandbox)
    done = []
    for step in range(8):
        sandbox.clock.advance(20 * SECOND)
        sandbox.contacts.edit(2 + step, title=f"step {step}")
        done += [(2 + step, UPDATED), (sandbox.contacts.add()["id"], CREATED)]
        poll(instance)
        assert told(instance) == sorted(done)
        sandbox.clock.advance(40 * SECOND)
        poll(instance)
    assert told(instance) == sorted(done)


def test_a_clock_that_is_set_back_within_the_overlap(instance, sandbox):
    done = []
    for number, jump in enumerate([180, -60, 600, -90, 30, -50, 900], start=1):
        sandbox.clock.advance(jump * SECOND)
        sandbox.contacts.edit(number, title="saved")
        done.append((number, UPDATED))
        for _ in range(2):
            poll(instance)
            assert told(instance) == done


def test_a_record_stamped_in_the_year_2099_hides_nothing_and_repeats_nothing(instance, sandbox):
    sandbox.clock.advance(MINUTE)
    sandbox.contacts.edit(3, at=datetime(2099, 1, 1, tzinfo=UTC), title="from the future")
    done = [(3, UPDATED)]
    for number in (4, 5, 6):
        poll(instance)
        assert cursor_of(instance).watermark <= sandbox.clock.now()
        sandbox.clock.advance(10 * MINUTE)
        sandbox.contacts.edit(number, title="from now")
        done.append((number, UPDATED))
    poll(instance)
    poll(instance)
    assert told(instance) == done

    sandbox.contacts.edit(3, title="back from the future")
    poll(instance)
    assert told(instance) == sorted([*done, (3, UPDATED)])


@pytest.mark.parametrize("stamp", [None, "", "soon", "0000-00-00T00:00:00Z", "99999-01-01T00:00:00Z"])
def test_records_without_a_readable_stamp_are_told_by_what_they_say(instance, sandbox, stamp):
    poll(instance)
    sandbox.clock.advance(MINUTE)
    sandbox.contacts.edit(3, at=stamp, title="one")
    sandbox.contacts.edit(4, title="with a stamp")
    poll(instance)
    poll(instance)
    assert told(instance) == [(3, UPDATED), (4, UPDATED)]

    sandbox.contacts.edit(3, at=stamp, title="two")
    poll(instance)
    poll(instance)
    assert told(instance) == [(3, UPDATED), (3, UPDATED), (4, UPDATED)]
    assert [one.record["title"] for one in reports(instance) if one.object_id == "3"] == ["one", "two"]


def test_saves_within_one_second_are_told_apart_while_the_second_lasts(instance, sandbox):
    poll(instance)
    sandbox.clock.advance(MINUTE)
    titles = ["first", "second", "first", "third"]
    for title in titles:
        sandbox.contacts.edit(3, title=title)
        poll(instance)
        poll(instance)
    sandbox.clock.advance(MINUTE)
    poll(instance)

    assert told(instance) == [(3, UPDATED)] * 4
    assert [one.record["title"] for one in reports(instance)] == titles


def test_a_field_that_drifts_without_a_save_is_no_change_once_the_second_is_over(instance, sandbox):
    sandbox.clock.freeze()
    saved_at = sandbox.clock.now()
    sandbox.contacts.edit(3, at=saved_at, title="saved")
    poll(instance)
    sandbox.clock.advance(5 * MINUTE)
    poll(instance)
    sandbox.contacts.edit(3, at=saved_at, title="computed anew, under the stamp of the save")
    poll(instance)

    assert told(instance) == [(3, UPDATED)]


def test_a_longer_delay_brings_nothing_back_that_the_ledger_forgot(instance, sandbox):
    """What was reported long ago, and what was there before events began."""
    sandbox.contacts.edit(3, title="reported")
    poll(instance)
    for number in (4, 5):
        sandbox.clock.advance(timedelta(hours=3))
        sandbox.contacts.edit(number, title="later")
        poll(instance)
    cursor = cursor_of(instance)
    pollers = {"contacts": {**instance.element.poller_configuration["contacts"], "pollDelay": 30 * 86400}}
    provisioning.update(instance_id=instance.pk, configuration={"event.poller.configuration": pollers})
    instance.refresh_from_db()
    sandbox.contacts.edit(9, at=cursor.baseline_at - timedelta(days=1), title="long before events began")
    poll(instance)

    assert told(instance) == [(3, UPDATED), (4, UPDATED), (5, UPDATED)]


def test_a_name_that_reads_another_resource_begins_anew(instance, sandbox):
    contact = sandbox.contacts.edit(3, title="a contact")
    poll(instance)
    pollers = {"contacts": {**instance.element.poller_configuration["incidents"]}}
    provisioning.disable(instance_id=instance.pk)
    provisioning.update(instance_id=instance.pk, configuration={"event.poller.configuration": pollers})
    provisioning.enable(instance_id=instance.pk)
    instance.refresh_from_db()
    sandbox.tickets.edit(3, at=contact["_info"]["lastUpdated"], summary="a ticket of the same id and stamp")
    sandbox.clock.advance(SECOND)
    poll(instance)
    assert cursor_of(instance).reads == "incidents"
    new = sandbox.tickets.add(summary="new")
    poll(instance)

    assert (new["id"], CREATED) in told(instance)


def test_the_first_record_of_an_empty_resource_is_created(connect):
    with Sandbox.start(contacts=0, companies=1, tickets=0) as sandbox:
        instance = connect(sandbox)
        new = sandbox.contacts.add(firstName="Zoë")
        poll(instance)

        assert (new["id"], CREATED) in told(instance)


def test_fractions_of_a_second_that_stamps_do_not_show_change_nothing(connect):
    with Sandbox.start(contacts=12, companies=0, tickets=0, hidden_fractions=True) as sandbox:
        sandbox.clock.freeze(datetime(2026, 6, 9, 12, 0, 0, 900_000, tzinfo=UTC))
        instance = connect(sandbox)
        done = []
        for number in range(1, 9):
            sandbox.clock.advance(timedelta(milliseconds=700))
            sandbox.contacts.edit(number, title="saved")
            done.append((number, UPDATED))
            poll(instance)
        sandbox.clock.advance(MINUTE)
        poll(instance)
        assert told(instance) == done


Action = tuple[str, int]
ACTIONS = st.lists(
    st.tuples(st.sampled_from(["edit", "edit", "add", "delete", "wait", "late edit", "late add"]), st.integers(0, 30)),
    max_size=5,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rounds=st.lists(st.tuples(ACTIONS, ACTIONS, ACTIONS), min_size=1, max_size=3))
def test_edits_inserts_and_deletions_while_pages_are_read(connect, sandbox, rounds):
    """Each save writes its number into the record, so that reports can be matched with saves."""
    sandbox.on_request = None
    before = set(sandbox.contacts.ids())
    instance = connect(sandbox, **{"event.poller.configuration": PAGED})
    saves: dict[str, int] = {}
    hidden: list[int] = []

    def act(kind: str, number: int) -> None:
        ids = [one for one in sandbox.contacts.ids() if one not in hidden]
        title = f"save {len(saves)} of {instance.pk}"
        is_late = kind.startswith("late")
        if kind == "wait":
            sandbox.clock.advance(number % 8 * SECOND)
        elif kind.endswith("add"):
            saves[title] = sandbox.contacts.add(title=title, is_hidden=is_late)["id"]
        elif kind.endswith("edit") and ids:
            saves[title] = sandbox.contacts.edit(ids[number % len(ids)], title=title, is_hidden=is_late)["id"]
        elif kind == "delete" and len(ids) > 3:
            sandbox.contacts.delete(ids[number % len(ids)])
        if is_late and title in saves:
            hidden.append(saves[title])

    for between_polls, *at_pages in rounds:
        for action in between_polls:
            act(*action)
        pages = iter([[], *at_pages])

        def at_a_page(_request: LoggedRequest, pages: Iterator[list[Action]] = pages) -> None:
            for action in next(pages, []):
                act(*action)

        sandbox.on_request = at_a_page
        poll(instance)
        sandbox.on_request = None
        while hidden:
            sandbox.contacts.reveal(hidden.pop())
        poll(instance)
    sandbox.clock.advance(MINUTE)
    poll(instance)
    poll(instance)

    reported = reports(instance)
    # No invention, no repeat: every report is a save of that object, and no save is reported twice.
    assert {(one.record["title"], int(one.object_id)) for one in reported} <= set(saves.items())
    assert set(Counter(one.record["title"] for one in reported).values()) <= {1}
    # No loss: what every object says now was reported, if it was saved since events began.
    now = {sandbox.contacts.get(one)["title"] for one in sandbox.contacts.ids()}
    assert now & saves.keys() <= {one.record["title"] for one in reported}
    # Created once, and first; what was there before is never created.
    first = {int(one.object_id): one.event_type for one in reversed(reported)}
    assert first == {one: UPDATED if one in before else CREATED for one in first}
    assert set(Counter(one.object_id for one in reported if one.event_type == CREATED).values()) <= {1}


# What happens to polls


@pytest.fixture
def story(connect, sandbox):
    """The instance, and what was done at the provider since its first poll: three pages of it wait to be read."""
    instance = connect(sandbox, **{"event.poller.configuration": PAGED})
    poll(instance)
    sandbox.clock.advance(MINUTE)
    done = [(sandbox.contacts.edit(number, title="CFO")["id"], UPDATED) for number in (2, 5, 7, 8, 9)]
    done += [(sandbox.contacts.add()["id"], CREATED) for _ in range(3)]
    return instance, done


def assert_nothing_moved(instance: Instance, before: PollCursor) -> None:
    after = cursor_of(instance)
    assert (after.watermark, after.known_id) == (before.watermark, before.known_id)
    assert (Event.objects.count(), Delivery.objects.count(), SeenChange.objects.count()) == (0, 0, 0)


def assert_told_once(instance: Instance, sandbox: Sandbox, done: list[tuple[int, str]]) -> None:
    """One poll finds everything, further ones nothing."""
    poll(instance)
    assert told(instance) == sorted(done)
    assert Delivery.objects.count() == Event.objects.count() > 0
    sandbox.clock.advance(MINUTE)
    poll(instance)
    poll(instance)
    assert told(instance) == sorted(done)


@pytest.mark.parametrize("page", [1, 2, 3])
@pytest.mark.parametrize(
    "trouble",
    [{"drop": True}, {"cut_after": 40}, {"status": 500}, {"body": "<html><body>Maintenance</body></html>"}],
    ids=["connection lost", "cut short", "server error", "HTML"],
)
def test_a_poll_that_fails_at_a_page(story, sandbox, page, trouble):
    instance, done = story
    before = cursor_of(instance)
    on_list(sandbox, page, lambda: sandbox.behave(**trouble))
    poll(instance)

    assert_nothing_moved(instance, before)
    assert cursor_of(instance).failures == 1
    assert_told_once(instance, sandbox, done)


@contextmanager
def trigger(table: str, operation: str, timing: str = "BEFORE", when: str = "", does: str = "RAISE 'refused'"):
    """The database does something at one kind of write: it refuses it, unless told otherwise."""
    is_at_commit = timing == "AT COMMIT"
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE FUNCTION at_write() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {does}; RETURN NEW; END $$"
        )
        cursor.execute(
            f"CREATE {'CONSTRAINT' if is_at_commit else ''} TRIGGER at_write {'AFTER' if is_at_commit else timing} "
            f"{operation} ON {table} {'DEFERRABLE INITIALLY DEFERRED' if is_at_commit else ''} "
            f"FOR EACH ROW {when} EXECUTE FUNCTION at_write()"
        )
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TRIGGER at_write ON {table}; DROP FUNCTION at_write()")


MOVES = "WHEN (NEW.watermark <> OLD.watermark)"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "point",
    [
        ("events_seenchange", "INSERT"),
        ("events_event", "INSERT"),
        ("events_delivery", "INSERT"),
        ("events_delivery", "INSERT", "AT COMMIT"),
        ("polling_pollcursor", "UPDATE", "BEFORE", MOVES),
        ("polling_pollcursor", "UPDATE", "AFTER", MOVES),
    ],
    ids=lambda point: " ".join(point[:3]),
)
def test_a_commit_that_fails_at_any_of_its_writes(story, sandbox, point):
    instance, done = story
    before = cursor_of(instance)
    with trigger(*point):
        poll(instance)

    assert_nothing_moved(instance, before)
    assert cursor_of(instance).failures == 1
    assert_told_once(instance, sandbox, done)


def test_parts_of_a_long_read_stand_when_the_rest_fails(story, sandbox):
    instance, done = story
    before = cursor_of(instance)
    on_list(sandbox, 3, lambda: sandbox.behave(status=500))
    poll(instance, part_size=4)

    assert told(instance) == sorted(done)[:6]  # two pages of three make a part
    assert cursor_of(instance).watermark == before.watermark
    assert_told_once(instance, sandbox, done)


def test_parts_of_a_long_read_that_succeeds(story, sandbox):
    instance, done = story
    poll(instance, part_size=1)

    assert told(instance) == sorted(done)
    assert cursor_of(instance).last_change_count == len(done)
    assert_told_once(instance, sandbox, done)


def test_parts_of_a_first_poll_note_what_was_there(connect, sandbox):
    for number in range(1, 9):
        sandbox.contacts.edit(number, title="before events began")
    sandbox.clock.advance(30 * SECOND)
    instance = connect(sandbox, **{"event.poller.configuration": PAGED})
    on_list(sandbox, 3, lambda: sandbox.behave(status=500))
    poll(instance, part_size=2)
    assert SeenChange.objects.count() == 6

    sandbox.contacts.edit(9, title="after")
    assert_told_once(instance, sandbox, [(9, UPDATED)])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("page", [1, 2, 3])
def test_a_poll_that_is_overtaken_records_nothing(story, sandbox, page):
    """Its lease ends while it waits for a page, and another worker polls in the meantime."""
    instance, done = story

    def overtake() -> None:
        try:
            poll(instance)
        finally:
            connection.close()

    on_list(sandbox, page, overtake)
    poll(instance)

    assert told(instance) == sorted(done)
    cursor = cursor_of(instance)
    assert (cursor.failures, cursor.last_change_count) == (0, len(done))
    assert_told_once(instance, sandbox, done)


@pytest.mark.django_db(transaction=True)
def test_parts_of_a_poll_whose_events_were_switched_off_end_there(story, sandbox):
    instance, done = story

    def switch_off() -> None:
        try:
            provisioning.update(instance_id=instance.pk, configuration={"event.notification.enabled": False})
        finally:
            connection.close()

    on_list(sandbox, 2, switch_off)
    poll(instance, part_size=1)

    assert told(instance) == sorted(done)[:3]  # what the first page brought, before


@pytest.mark.django_db(transaction=True)
def test_an_instance_deleted_while_its_poll_commits(story):
    """Neither waits for the other in a circle: the poll ends, and the instance goes with its events."""
    instance, _ = story
    ended: list[str] = []

    def in_a_thread(name: str, act: Callable[[], object]) -> threading.Thread:
        def run() -> None:
            act()
            ended.append(name)
            connection.close()

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    holds_up = trigger("polling_pollcursor", "UPDATE", "BEFORE", MOVES, does="PERFORM pg_advisory_xact_lock(42)")
    with holds_up, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(42)")
        polling = in_a_thread("poll", lambda: poll(instance))
        wait_for_waiting(cursor, 1)
        deleting = in_a_thread("delete", lambda: provisioning.delete(instance_id=instance.pk))
        wait_for_waiting(cursor, 2)
        cursor.execute("SELECT pg_advisory_unlock(42)")
        polling.join(20)
        deleting.join(20)

    assert sorted(ended) == ["delete", "poll"]
    assert (Instance.objects.count(), Event.objects.count()) == (0, 0)


POLLING_PROCESS = """
import django
from django.conf import settings
settings.DATABASES["default"]["NAME"] = {database!r}
django.setup()
from polling import schedule
from polling.poll import poll_resource
[claim] = schedule.claim(limit=10)
poll_resource(cursor_id=claim.cursor_id, epoch=claim.epoch, part_size={part_size})
print("done", flush=True)
"""


@contextmanager
def polling_process(*, part_size: int = 1_000) -> Iterator[subprocess.Popen[str]]:
    PollCursor.objects.update(next_poll_at=datetime.now(UTC) - MINUTE, leased_until=None)
    script = POLLING_PROCESS.format(database=connection.settings_dict["NAME"], part_size=part_size)
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings", "LOG_LEVEL": "WARNING"}
    process = subprocess.Popen([sys.executable, "-c", script], env=environment, text=True, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        assert process.communicate(timeout=20)[0] == ""  # it did not get to its end


@pytest.mark.stack
@pytest.mark.django_db(transaction=True)
def test_a_process_killed_while_it_reads(story, sandbox):
    instance, done = story
    with polling_process(part_size=2) as process:
        on_list(sandbox, 3, lambda: process.send_signal(signal.SIGKILL))
        assert process.wait(60) == -signal.SIGKILL

    assert told(instance) == sorted(done)[:6]
    assert cursor_of(instance).leased_until is not None
    assert_told_once(instance, sandbox, done)


@pytest.mark.stack
@pytest.mark.django_db(transaction=True)
def test_a_process_killed_inside_its_commit(story, sandbox):
    """It is held up by a lock at its last write, and killed there."""
    instance, done = story
    before = cursor_of(instance)
    holds_up = trigger("polling_pollcursor", "UPDATE", "BEFORE", MOVES, does="PERFORM pg_advisory_xact_lock(42)")
    with holds_up, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(42)")
        try:
            with polling_process() as process:
                wait_for_waiting(cursor, 1)
                process.kill()
        finally:
            cursor.execute("SELECT pg_advisory_unlock(42)")

    assert_nothing_moved(instance, before)
    assert_told_once(instance, sandbox, done)


def wait_for_waiting(cursor: CursorWrapper, count: int) -> None:
    """Until so many sessions wait for a lock."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        cursor.execute("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")
        if cursor.fetchone() == (count,):
            return
        cursor.execute("SELECT pg_sleep(0.02)")  # the others need the processor
    raise AssertionError("nobody came to wait")
