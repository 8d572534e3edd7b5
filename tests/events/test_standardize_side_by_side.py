"""Several drains at once, a drain that dies, and others at the same rows: each change is told once all the same."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import orjson
import pytest
from django.db import connection, transaction
from django.db.models.functions import Now

from connectors.change import UPDATED, Change
from events import callback_claims
from events.models import Callback, Delivery, Event, Inbox, SeenChange
from events.record import record
from events.standardize import drain
from events.understanding import Understanding
from events.verification import KEYS
from instances import provisioning
from instances.models import Instance
from tests.events.conftest import POLLED_AT

pytestmark = pytest.mark.django_db(transaction=True)


def together(*actions: Callable[[], object]) -> None:
    """Each in a thread of its own, all begun at once. Whatever one of them raises is raised here."""
    begin, errors = threading.Barrier(len(actions)), []

    def run(act: Callable[[], object]) -> None:
        try:
            begin.wait(10)
            act()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[act]) for act in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    if errors:
        raise errors[0]


def end_leases() -> None:
    Callback.objects.update(leased_until=Now() - timedelta(seconds=1))


def test_two_drains_at_the_same_doubled_callbacks_tell_each_once(line, monkeypatch):
    monkeypatch.setattr("events.standardize.CLAIMED_AT_ONCE", 20)
    for number in range(1, 201):
        line.store_signed(line.words(number))
    for number in range(200, 0, -1):
        line.store_signed(line.words(number))

    together(drain, drain)

    assert sorted(int(object_id) for _, _, object_id in line.told()) == list(range(1, 201))
    assert Delivery.objects.count() == 200
    assert not Callback.objects.exclude(state=Callback.DONE).exists()
    assert Callback.objects.filter(reason="repeat").count() == 200


def test_saves_of_one_second_in_several_drains_are_all_told(line, monkeypatch):
    # Callbacks of one object come to different drains.
    monkeypatch.setattr("events.standardize.CLAIMED_AT_ONCE", 1)

    def saved(name: str, number: int) -> None:
        entity = {"id": number, "firstName": name, "_info": {"lastUpdated": "2026-06-09T21:59:47Z"}}
        line.store_signed(line.words(number, MessageId=f"{name} {number}", Entity=orjson.dumps(entity).decode()))

    for number in range(1, 31):
        saved("Ann", number)
        saved("Bob", number)

    together(drain, drain, drain)

    assert len(line.told()) == 60
    assert SeenChange.objects.count() == 60


def test_a_drain_that_dies_before_it_records_loses_and_invents_nothing(line):
    for number in range(1, 6):
        line.store_signed(line.words(number))
    # All that a drain does up to its commit.
    understanding = Understanding(line.instance, keys=KEYS)
    claims = callback_claims.claim(limit=200)
    assert len([understanding.of(claim) for claim in claims]) == 5
    assert drain().done == 0, "they are somebody's"
    end_leases()

    assert drain().done == 5

    assert len(line.told()) == 5
    assert set(Callback.objects.values_list("epoch", flat=True)) == {2}


def test_long_bodies_are_claimed_a_few_at_a_time(line, monkeypatch):
    monkeypatch.setattr(callback_claims, "BYTES_AT_ONCE", 1000)
    sizes = [5000, 400, 400, 400, 400, 5000]
    ids = [line.store(b"x" * size).pk for size in sizes]

    claimed = []
    while claims := callback_claims.claim(limit=200):
        claimed.append(sorted(claim.callback_id for claim in claims))

    assert claimed == [ids[:1], ids[1:4], ids[4:]]


def test_what_was_found_out_under_an_old_claim_is_not_written(line):
    callback = line.store_signed(line.words())
    (old,) = callback_claims.claim(limit=200)
    end_leases()
    drain()

    with transaction.atomic():
        assert callback_claims.hold([old]) == set()
        callback_claims.write([callback_claims.Ended(claim=old, state=Callback.PARKED, reason="too late")])

    callback.refresh_from_db()
    assert callback.state == Callback.DONE
    assert callback_claims.claim(limit=200) == []


def test_a_claim_that_is_lost_on_the_way_is_left_to_who_has_it(line):
    _, second, _ = [line.store_signed(line.words(number)) for number in range(1, 4)]
    stolen: list[callback_claims.Claim] = []
    asked = iter(range(100))

    def steal() -> bool:
        if next(asked) == 3:
            Callback.objects.filter(pk=second.pk).update(leased_until=Now() - timedelta(seconds=1))
            stolen.extend(callback_claims.claim(limit=200))
        return False

    drained = drain(is_stopping=steal)

    assert drained.done == 2
    assert sorted(object_id for _, _, object_id in line.told()) == ["1", "3"]
    assert len(stolen) == 1
    end_leases()
    assert drain().done == 1


def test_a_poll_and_a_drain_with_the_same_changes_tell_each_once(line):
    numbers = range(1, 61)
    for number in numbers:
        line.store_signed(line.words(number))

    def poll() -> None:
        for start in range(60, 0, -20):
            changes = [
                Change(
                    event_type=UPDATED,
                    object_type="contacts",
                    object_id=str(number),
                    version="2026-06-09T21:59:47Z",
                    changed_at=POLLED_AT,
                    raw=b"{}",
                    content_hash=b"0" * 16,
                )
                for number in range(start, start - 20, -1)
            ]
            with transaction.atomic():
                record(instance=line.instance, changes=changes, source=Event.POLL, polled_at=POLLED_AT)

    together(poll, drain)

    assert sorted(int(object_id) for _, _, object_id in line.told()) == list(numbers)
    by_poll = sum(event.change_count for event in Event.objects.filter(source=Event.POLL))
    assert SeenChange.objects.filter(found_by=SeenChange.BOTH).count() == by_poll
    assert not SeenChange.objects.filter(found_by=SeenChange.POLL).exists()


def test_a_switch_that_is_under_way_is_waited_for(line):
    """Off means off: what the switch has not committed yet is not decided without it."""
    callback = line.store_signed(line.words())
    draining = threading.Thread(target=lambda: together(drain))

    with transaction.atomic():
        Instance.objects.select_for_update().get(pk=line.instance.pk)
        Instance.objects.update(is_events_enabled=False)
        draining.start()
        wait_until(somebody_waits_for_a_lock)
        callback.refresh_from_db()
        assert callback.epoch == 1
    draining.join(30)

    assert Event.objects.count() == Callback.objects.count() == 0


def wait_until(is_so: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < give_up_at, "it did not come to that"


def somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        return bool(cursor.fetchone()[0])


def test_switching_events_off_and_a_drain_never_block_each_other(line):
    for number in range(1, 101):
        line.store_signed(line.words(number))

    def toggle() -> None:
        for _ in range(5):
            with transaction.atomic():
                Instance.objects.select_for_update().get(pk=line.instance.pk)
                Instance.objects.update(is_events_enabled=False)
                Callback.objects.filter(state=Callback.WAITING).delete()
                Inbox.objects.update(is_open=False)
            with transaction.atomic():
                Instance.objects.select_for_update().get(pk=line.instance.pk)
                Instance.objects.update(is_events_enabled=True)
                Inbox.objects.update(is_open=True)

    together(drain, toggle, drain)

    assert not Callback.objects.filter(state=Callback.WAITING).exists()
    assert len(set(line.told())) == len(line.told())


def test_deleting_the_instance_and_a_drain_never_block_each_other(line):
    for number in range(1, 51):
        line.store_signed(line.words(number))

    together(drain, lambda: provisioning.delete(instance_id=line.instance.pk), drain)

    assert Event.objects.count() == Callback.objects.count() == 0
