"""Whatever happens to a poll: each change is one event, and nothing else is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from connectors.change import CREATED, UPDATED
from connectors.sandbox import Sandbox
from events.models import Delivery, Event, SeenChange
from instances import provisioning
from instances.models import Instance
from polling.models import PollCursor
from tests.polling.driving import PAGED, cursor_of, on_list, poll, told, wait_for_waiting

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


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
    assert cursor_of(instance).failures == 0
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
