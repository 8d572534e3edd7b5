"""Changes of one object are told in order where an instance asks for it, and nothing else waits for them."""

from __future__ import annotations

import itertools
import threading
from collections import defaultdict

import orjson
import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from events import ordering, published, subscriptions
from events.deliver import drain
from events.models import Delivery, Event, OrderingKey, Subscription
from events.plain_cursor import plain_cursor
from events.record import record
from instances.models import Instance
from tests.events.conftest import POLLED_AT, change, make_instance
from tests.events.draining import drain_apart, make_due, with_commits
from tests.events.sink import Answer, Received, Sink
from tests.waiting import until

_versions = itertools.count(1)


def set_ordering(instance: Instance, value: str) -> Instance:
    """As provisioning does: the subscription follows in the transaction of the change."""
    with transaction.atomic():
        instance.notification_ordering = value
        instance.save(update_fields=["notification_ordering", "is_events_enabled"])
        subscriptions.follow_instance(instance=instance)
    return instance


def tell(instance: Instance, *objects: int) -> Delivery:
    """One event with a new version of each of these objects; its delivery to the instance's own subscription."""
    noticed = [change(number, version=f"{next(_versions):09}") for number in objects]
    with transaction.atomic():
        (event_id,) = record(instance=instance, changes=noticed, source="poll", polled_at=POLLED_AT)
    return Delivery.objects.get(event=event_id, subscription__instance=instance)


def waits(delivery: Delivery) -> bool:
    delivery.refresh_from_db()
    return delivery.state == Delivery.PENDING and delivery.next_attempt_at == ordering.WAITS


def refuse(sink: Sink, *deliveries: Delivery) -> None:
    """From now on the sink answers 500 to these, and 200 to all others."""
    refused = {str(delivery.event_id) for delivery in deliveries}

    def decide(received: Received) -> None:
        sink.answers = [Answer(500 if event_id(received) in refused else 200)]

    sink.on_request = decide


def event_id(received: Received) -> str:
    return str(received.json["id"])


def asked(sink: Sink) -> list[int]:
    """Events in the order in which they came to the sink."""
    return [int(event_id(received)) for received in sink.received]


def retry_all() -> None:
    """Retries are due now; what waits goes on waiting."""
    make_due(state=Delivery.PENDING, first_failed_at__isnull=False, next_attempt_at__lt=ordering.WAITS)


@pytest.fixture
def ordered(instance) -> Instance:
    return set_ordering(instance, Instance.BY_OBJECT)


class TestWaiting:
    def test_a_later_change_waits_until_the_one_before_it_is_delivered(self, ordered, sink):
        first, other, second, third = tell(ordered, 1), tell(ordered, 2), tell(ordered, 1), tell(ordered, 1)
        refuse(sink, first)

        drain()

        assert sorted(asked(sink)) == [first.event_id, other.event_id]
        assert [waits(one) for one in (first, second, third)] == [False, True, True]
        refuse(sink)
        retry_all()
        until(lambda: drain().attempts == 0)
        assert asked(sink)[2:] == [first.event_id, second.event_id, third.event_id]
        assert not OrderingKey.objects.exists()

    def test_an_event_of_several_objects_waits_for_all_of_them(self, ordered, sink):
        first, second, both = tell(ordered, 1), tell(ordered, 2), tell(ordered, 1, 2)
        behind = tell(ordered, 2)
        refuse(sink, second)

        drain()

        assert [waits(one) for one in (first, both, behind)] == [False, True, True]
        refuse(sink)
        retry_all()
        until(lambda: drain().attempts == 0)
        assert asked(sink)[-3:] == [second.event_id, both.event_id, behind.event_id]

    def test_where_no_order_is_asked_for_nothing_waits(self, instance, sink):
        tell(instance, 1)
        tell(instance, 1)

        assert not OrderingKey.objects.exists()
        assert drain().delivered == 2

    def test_what_is_queued_keeps_its_place(self, ordered, sink):
        first, second = tell(ordered, 1), tell(ordered, 1)
        Delivery.objects.filter(pk=first.pk).update(state=Delivery.QUEUED)

        drain()
        ordering.tend()

        assert waits(second)

    def test_instances_with_a_common_receiver_have_objects_of_their_own(self, owner, ordered, sink):
        another = set_ordering(make_instance(owner, sink.url), Instance.BY_OBJECT)
        topics = [ordered.topic, another.topic]
        common = Subscription.objects.create(organization=owner.organization, topics=topics, url=sink.url)

        tell(ordered, 1)
        tell(another, 1)
        tell(another, 1)

        waiting = common.deliveries.filter(next_attempt_at=ordering.WAITS)
        assert [one.event.instance for one in waiting] == [another]

    def test_a_poll_that_began_before_the_order_was_switched_off_makes_nothing_wait(self, ordered):
        tell(ordered, 1)
        set_ordering(Instance.objects.get(pk=ordered.pk), Instance.NO_ORDER)

        late = tell(ordered, 1)

        assert not waits(late)
        assert not OrderingKey.objects.exists()


class TestLettingGo:
    def test_switching_the_order_off_lets_all_go(self, owner, ordered):
        another = set_ordering(make_instance(owner, "http://127.0.0.1:8999/"), Instance.BY_OBJECT)
        waiting = [tell(ordered, 1), tell(ordered, 1), tell(ordered, 1)][1:]
        others = [tell(another, 1), tell(another, 1)]

        set_ordering(ordered, Instance.NO_ORDER)

        assert [waits(one) for one in waiting] == [False, False]
        assert waits(others[1])

    def test_events_switched_on_again_release_only_who_is_first(self, ordered, sink):
        first, second = tell(ordered, 1), tell(ordered, 1)
        ordered.is_events_enabled = False
        set_ordering(ordered, Instance.BY_OBJECT)
        drain()
        first.refresh_from_db()
        assert first.next_attempt_at == subscriptions.HELD_BACK

        ordered.is_events_enabled = True
        set_ordering(ordered, Instance.BY_OBJECT)

        assert not waits(first)
        assert waits(second)
        until(lambda: drain().attempts == 0)
        assert asked(sink) == [first.event_id, second.event_id]

    def test_deleting_an_event_lets_the_next_one_go(self, ordered):
        first, second, third = tell(ordered, 1), tell(ordered, 1), tell(ordered, 1)

        published.delete(Event.objects.get(pk=first.event_id))

        assert [waits(second), waits(third)] == [False, True]

    def test_what_waits_for_nobody_is_found_sooner_or_later(self, ordered):
        first, second, third = tell(ordered, 1), tell(ordered, 1), tell(ordered, 1)
        Delivery.objects.filter(pk=first.pk).update(state=Delivery.ABANDONED)

        assert ordering.tend() == 1
        assert ordering.tend() == 0
        assert [waits(second), waits(third)] == [False, True]

    def test_what_is_begun_again_stands_in_line_as_before(self, ordered):
        told = [tell(ordered, 1), tell(ordered, 1), tell(ordered, 2), tell(ordered, 1)]
        ids = [one.pk for one in told]
        Delivery.objects.filter(pk__in=ids[1:]).update(state=Delivery.QUEUED)

        def begin_again(*chosen: int) -> list[bool]:
            make_due(pk__in=chosen)
            Delivery.objects.filter(pk__in=chosen).update(state=Delivery.PENDING)
            with plain_cursor() as cursor:
                ordering.line_up_again(cursor, chosen)
            return [waits(one) for one in told]

        assert begin_again(*ids[1:]) == [False, True, False, True]
        # Whoever is asked for alone, before those that stay queued, goes at once.
        Delivery.objects.filter(pk__in=ids[:2]).update(state=Delivery.QUEUED)
        assert begin_again(ids[3]) == [False, False, False, False]

    def test_a_deactivated_subscription_is_told_in_order_when_it_begins_again(self, ordered, subscription, sink):
        told = [tell(ordered, 1), tell(ordered, 1), tell(ordered, 2), tell(ordered, 1)]
        Subscription.objects.filter(pk=subscription.pk).update(state=Subscription.DEACTIVATED)
        Delivery.objects.update(state=Delivery.QUEUED)
        came_meanwhile = tell(ordered, 1)
        assert came_meanwhile.state == Delivery.QUEUED

        of_it = Subscription.objects.filter(pk=subscription.pk)
        assert subscriptions.redeliver(subscription.deliveries.all(), reactivate=of_it) == 5

        until(lambda: drain().attempts == 0)
        of_one = [one.event_id for one in (*told, came_meanwhile) if one != told[2]]
        assert [one for one in asked(sink) if one in of_one] == of_one
        assert len(asked(sink)) == 5

    def test_an_instance_goes_with_its_lines(self, ordered):
        tell(ordered, 1)
        tell(ordered, 1)

        subscriptions.forget_instance(instance=ordered)

        assert not OrderingKey.objects.exists()


objects = st.sets(st.integers(1, 4), min_size=1, max_size=3)


@hypothesis_settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(objects, min_size=1, max_size=8), st.sets(st.integers(0, 12), max_size=3))
def test_however_answers_fail_each_object_is_told_in_order_and_nothing_is_left(ordered, sink, told, failing):
    """`failing` says which requests are refused, counted as they come."""
    Delivery.objects.all().delete()
    sink.received.clear()
    numbers, accepted = itertools.count(), []
    events = {tell(ordered, *sorted(numbers_told)).event_id: numbers_told for numbers_told in told}

    def decide(received: Received) -> None:
        is_refused = next(numbers) in failing
        sink.answers = [Answer(500 if is_refused else 200)]
        if not is_refused:
            accepted.append(int(event_id(received)))

    sink.on_request = decide
    for _ in range(len(told) + len(failing) + 1):
        drain()
        retry_all()
        if len(accepted) == len(events):
            break

    by_object = defaultdict(list)
    for one in accepted:
        for number in events[one]:
            by_object[number].append(one)
    assert sorted(accepted) == sorted(events)
    assert all(ids == sorted(ids) for ids in by_object.values())
    assert not OrderingKey.objects.exists()


@with_commits
def test_of_ten_objects_with_one_that_is_refused_nine_are_told_in_order_by_two_drains(ordered, sink):
    poison, versions = 3, 25
    noticed = [
        change(number, version=f"{version:04}", sequence=version) for version in range(versions) for number in range(10)
    ]
    with transaction.atomic():
        record(instance=ordered, changes=noticed, source="webhook", polled_at=None)
    heard: dict[str, list[int]] = defaultdict(list)

    def decide(received: Received) -> None:
        told = orjson.loads(received.body)["message"]
        number = told["events"][0]["objectId"]
        sink.answers = [Answer(500 if number == str(poison) else 200)]
        heard[number].append(told["raw"]["sequence"])

    sink.on_request = decide
    for _ in range(5 * versions):
        drains = [threading.Thread(target=drain_apart) for _ in range(2)]
        for thread in drains:
            thread.start()
        for thread in drains:
            thread.join()
        if Delivery.objects.filter(state=Delivery.DELIVERED).count() == 9 * versions:
            break

    assert set(heard.pop(str(poison))) == {0}
    assert set(map(tuple, heard.values())) == {tuple(range(versions))}
    assert len(heard) == 9


@with_commits
def test_who_comes_while_the_one_before_it_leaves_is_not_left_behind(ordered, sink):
    tell(ordered, 1)
    with transaction.atomic():
        noticed = [change(1, version="later")]
        (later,) = record(instance=ordered, changes=noticed, source="poll", polled_at=POLLED_AT)
        draining = threading.Thread(target=drain_apart)
        draining.start()
        until(_somebody_waits_for_a_line)
    draining.join(15)

    until(lambda: drain().attempts == 0)
    assert asked(sink)[-1] == later


def _somebody_waits_for_a_line() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        (count,) = cursor.fetchone()
    return bool(count)


@with_commits
def test_lines_are_locked_before_deliveries_by_whoever_changes_the_callback_url(ordered):
    delivery = tell(ordered, 1)
    Subscription.objects.update(state=Subscription.DEACTIVATED)
    Delivery.objects.update(state=Delivery.QUEUED)

    def move() -> None:
        ordered.callback_url = "http://new.example/"
        set_ordering(ordered, "")
        connection.close()

    mover = threading.Thread(target=move)
    with transaction.atomic(), plain_cursor() as cursor:
        ordering.hold(cursor, ordered.pk)
        mover.start()
        until(lambda: cursor.execute("SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted").rowcount)
        # As who writes outcomes does: behind the lines, and in nobody's way.
        cursor.execute("SELECT FROM events_delivery WHERE id = %b FOR UPDATE NOWAIT", [delivery.pk])
    mover.join(10)

    delivery.refresh_from_db()
    assert delivery.state == Delivery.PENDING
