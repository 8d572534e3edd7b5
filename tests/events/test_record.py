"""Changes become events: once, in the caller's transaction, ten or twenty at a time."""

from __future__ import annotations

import threading
from collections import Counter

import orjson
import pytest
from django.db import connection, transaction
from django.db.transaction import TransactionManagementError

from connectors.change import Change
from events import ledger
from events.models import Delivery, Event, SeenChange, Subscription
from events.record import record
from tests.events.conftest import POLLED_AT, change, changes, make_instance


def record_polled(instance, noticed) -> list[int]:
    return record(instance=instance, changes=noticed, source="poll", polled_at=POLLED_AT)


def object_ids(event: Event) -> list[str]:
    return [entry["objectId"] for entry in orjson.loads(bytes(event.body))["message"]["events"]]


def test_an_event_holds_ten_changes_when_polled_and_twenty_from_a_callback(instance):
    sent = b'{"callback":1}'
    of_callback = [
        Change(**{name: getattr(one, name) for name in Change.__slots__} | {"raw": sent, "version": "callback"})
        for one in changes(25)
    ]

    polled = record_polled(instance, changes(25))
    called_back = record(instance=instance, changes=of_callback, source="webhook", polled_at=None)

    counts = dict(Event.objects.values_list("pk", "change_count"))
    assert [counts[event_id] for event_id in polled] == [10, 10, 5]
    assert [counts[event_id] for event_id in called_back] == [20, 5]


def test_resources_do_not_share_an_event(instance):
    record_polled(instance, [*changes(3), *changes(3, object_type="incidents")])

    bodies = [orjson.loads(bytes(event.body))["message"]["raw"] for event in Event.objects.order_by("pk")]
    assert [raw["objectType"] for raw in bodies] == ["contacts", "incidents"]
    assert [len(raw[raw["objectType"]]) for raw in bodies] == [3, 3]


def test_a_change_counts_once(instance):
    first = record_polled(instance, [*changes(3), *changes(3)])
    again = record_polled(instance, changes(3))

    assert (len(first), again) == (1, [])
    assert Event.objects.get().change_count == 3
    assert SeenChange.objects.filter(event_id=first[0]).count() == 3


def test_what_is_new_among_repeats_moves_together(instance):
    known = changes(30)
    record_polled(instance, [known[index] for index in range(0, 30, 2)])

    ids = record_polled(instance, known)

    assert [Event.objects.get(pk=event_id).change_count for event_id in ids] == [10, 5]
    for event_id in ids:
        entered = SeenChange.objects.filter(event_id=event_id).values_list("object_id", flat=True)
        assert sorted(entered) == sorted(object_ids(Event.objects.get(pk=event_id)))


def test_another_version_another_object_and_another_instance_are_other_changes(owner, sink, instance):
    other_instance = make_instance(owner, sink.url)

    assert record_polled(instance, [change(1)])
    assert record_polled(instance, [change(1, version="2026-11-22T09:00:00Z")])
    assert record_polled(instance, [change(1, object_type="incidents")])
    assert record_polled(instance, [change(2)])
    assert record_polled(other_instance, [change(1)])


def test_nothing_to_record_is_nothing(instance):
    assert record_polled(instance, []) == []
    assert not Event.objects.exists()


def test_every_subscription_of_the_topic_gets_a_delivery(owner, stranger, instance, sink):
    topics = [instance.topic, "another"]
    also = Subscription.objects.create(organization=owner.organization, topics=topics, url=sink.url)
    off = Subscription.objects.create(
        organization=owner.organization, topics=topics, url=sink.url, state=Subscription.DEACTIVATED
    )
    Subscription.objects.create(organization=owner.organization, topics=["another"], url=sink.url)
    Subscription.objects.create(organization=stranger.organization, topics=topics, url=sink.url)

    record_polled(instance, changes(1))

    assert dict(Delivery.objects.values_list("subscription_id", "state")) == {
        instance.subscription.pk: Delivery.PENDING,
        also.pk: Delivery.PENDING,
        off.pk: Delivery.QUEUED,
    }


def test_an_instance_without_callback_url_has_events_and_no_deliveries(owner):
    instance = make_instance(owner, "")

    record_polled(instance, changes(1))

    assert Event.objects.count() == 1
    assert not Delivery.objects.exists()


def test_what_was_noted_at_the_baseline_is_no_event(instance):
    ledger.note(instance_id=instance.pk, changes=changes(3))

    assert record_polled(instance, changes(4)) != []
    assert object_ids(Event.objects.get()) == ["4"]
    assert list(SeenChange.objects.filter(event_type="").values_list("event_id", flat=True)) == [None] * 3


@pytest.mark.django_db(transaction=True)
def test_it_belongs_into_the_callers_transaction(instance):
    with pytest.raises(TransactionManagementError):
        record_polled(instance, changes(1))

    with transaction.atomic():
        record_polled(instance, changes(25))
        transaction.set_rollback(True)

    assert not Event.objects.exists()
    assert not SeenChange.objects.exists()
    assert not Delivery.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_recorders_of_the_same_changes_at_the_same_moment_make_one_event_of_each(instance):
    noticed = changes(200)
    orders = [noticed, noticed[::-1], noticed[100:] + noticed[:100], noticed[::2] + noticed[1::2]]
    barrier = threading.Barrier(len(orders))
    errors: list[BaseException] = []

    def report(mine: list[Change]) -> None:
        try:
            with transaction.atomic():
                barrier.wait(10)
                record_polled(instance, mine)
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=report, args=(order,)) for order in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    told = Counter(object_id for event in Event.objects.all() for object_id in object_ids(event))
    assert told == Counter({str(number): 1 for number in range(1, 201)})
