"""A receiver that fails is left alone, tried with one event, and then sent to slowly at first."""

from __future__ import annotations

import random
import threading
from datetime import timedelta
from itertools import accumulate

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from events import circuits, outcomes, subscriptions, windows
from events.circuits import Permit
from events.deliver import drain
from events.models import Circuit, Delivery, Event, Subscription
from events.plain_cursor import plain_cursor
from instances.models import Organization
from tests.events.conftest import make_instance, publish
from tests.events.draining import drain_apart, with_commits
from tests.events.failing import circuit_of, go_round, kinds, pass_time, take, told
from tests.events.sink import Sink
from tests.waiting import until

pytestmark = pytest.mark.django_db


def permits(*, most: int = 1000) -> list[Permit]:
    with transaction.atomic(), plain_cursor() as cursor:
        return circuits.permits(cursor, most=most)


@pytest.fixture
def failing(instance, subscription):
    """Twelve events failed, and its circuit is open."""
    publish(instance, 12)
    go_round(500)
    pass_time(5)
    return subscription


class TestOpening:
    def test_nothing_is_sent_any_more(self, failing):
        circuit = circuit_of(failing)

        assert (circuit.state, circuit.failures, circuit.window_failures) == (Circuit.OPEN, 12, 12)
        assert kinds(failing) == ["opened"]
        assert take() == []

    def test_other_receivers_do_not_notice(self, failing, owner):
        (event,) = publish(make_instance(owner, "http://other.example/"))

        assert go_round(200) == [event.pk]

    def test_nine_failures_do_not_open_it(self, instance, subscription):
        publish(instance, 9)
        go_round(500)
        pass_time(5)

        assert circuit_of(subscription).state == Circuit.CLOSED
        assert len(take()) == 9

    def test_several_workers_that_see_it_fail_note_it_once(self, instance, subscription):
        publish(instance, 40)
        batches = [take(limit=20), take(limit=20)]
        for claimed in batches:
            outcomes.write([told(claim, 500) for claim in claimed])

        assert circuit_of(subscription).failures == 40
        assert kinds(subscription) == ["opened"]

    def test_what_we_are_to_blame_for_does_not_count(self, instance, subscription):
        publish(instance, 12)
        outcomes.write([told(claim, 500, is_own_fault=True) for claim in take()])

        assert not Circuit.objects.exists()

    def test_what_is_not_retried_does_not_count(self, instance, subscription):
        Organization.objects.update(failure_policy=Organization.QUEUE)
        publish(instance, 12)
        go_round(500)

        assert not Circuit.objects.exists()
        assert set(Delivery.objects.values_list("state", flat=True)) == {Delivery.QUEUED}

    def test_an_attempt_at_an_old_url_says_nothing_about_the_new_one(self, instance, subscription):
        publish(instance, 12)
        late = take()
        Subscription.objects.update(url="http://new.example/")
        outcomes.write([told(claim, 500) for claim in late])

        assert not Circuit.objects.exists()
        # What was under way begins afresh there, and does not wait for a retry.
        assert {claim.attempts_made for claim in take()} == {0}

    def test_what_ended_after_the_subscription_was_deleted_is_no_trouble(self, instance, subscription):
        publish(instance, 12)
        late = take()
        subscription.delete()

        assert len(outcomes.write([told(claim, 500) for claim in late])) == 12


class TestPauses:
    def test_who_asks_for_patience_gets_it_and_is_no_worse_for_it(self, instance, subscription):
        publish(instance, 12)
        go_round(429, retry_after=120)
        publish(instance, 1, first=50)

        assert circuit_of(subscription).state == Circuit.CLOSED
        assert take() == []
        pass_time(119)
        assert take() == []
        pass_time(2)
        assert len(take()) == 13

    def test_nobody_is_waited_for_longer_than_a_quarter_of_an_hour(self, instance, subscription):
        publish(instance)
        go_round(503, retry_after=86_400)
        publish(instance, 1, first=50)
        pass_time(901)

        assert len(take()) == 1


class TestProbes:
    def test_one_delivery_is_tried_when_its_time_has_come_by_one_worker(self, failing):
        pass_time(30)

        assert [(permit.subscription_id, permit.most, permit.is_probe, permit.from_queue) for permit in permits()] == [
            (failing.pk, 1, True, False)
        ]
        assert permits() == []

    @with_commits
    def test_two_workers_at_once_never_both_probe(self, failing):
        pass_time(30)
        others: list[Permit] = []

        def look() -> None:
            others.extend(permits())
            connection.close()

        with transaction.atomic(), plain_cursor() as cursor:
            mine = circuits.permits(cursor, most=10)
            other = threading.Thread(target=look)
            other.start()
            other.join(10)

        assert (len(mine), others) == (1, [])
        assert permits() == []

    def test_a_probe_of_which_nothing_was_heard_is_repeated_after_the_lease(self, failing):
        pass_time(30)
        assert len(take()) == 1
        assert take() == []
        pass_time(settings.DELIVERY_LEASE_SECONDS + 1)

        assert len(take()) == 1

    def test_without_anything_to_send_the_probe_waits_for_something(self, failing, instance):
        pass_time(30)
        Delivery.objects.update(next_attempt_at=Now() + timedelta(hours=1))
        assert permits() == []

        (event,) = publish(instance, 1, first=50)

        assert go_round(200) == [event.pk]

    def test_while_it_fails_the_next_one_is_twice_as_far_and_nobody_is_told_again(self, failing):
        pass_time(30)
        assert len(go_round(500)) == 1
        pass_time(59)
        assert take() == []
        pass_time(2)
        assert len(go_round(500)) == 1

        assert circuit_of(failing).trips == 2
        assert kinds(failing) == ["opened"]

    @pytest.mark.parametrize("seed", range(2))
    def test_whatever_happens_two_workers_send_to_it_no_more_than_it_lets_through(self, failing, instance, seed):
        chances = random.Random(seed)
        probed_at, now, recovering_at, seen = -3600.0, 0.0, 0.0, set()
        for number in range(20):
            step = chances.choice([0.0, 0.2, 1.0, 20.0, 61.0, 400.0])
            pass_time(step)
            now += step
            publish(instance, chances.randrange(3), first=100 + 10 * number)
            circuit = Circuit.objects.filter(subscription=failing).first()
            seen.add(circuit.state if circuit else None)
            batches = [take(limit=chances.choice([1, 50])), take()]
            count = sum(len(batch) for batch in batches)
            if circuit is not None and circuit.state == Circuit.OPEN:
                assert count <= 1
                if count:
                    assert now - probed_at >= 29
                    probed_at = now
            elif circuit is not None and circuit.state == Circuit.RECOVERING:
                assert count <= 2 ** (now - recovering_at + 2)
            for claimed in batches:
                status = chances.choice([200, 200, 500, 500, 429])
                outcomes.write([told(claim, status) for claim in claimed])
            circuit = Circuit.objects.filter(subscription=failing).first()
            if circuit is not None and circuit.state == Circuit.RECOVERING and circuit.recovering_claims == 0:
                recovering_at = now
        assert {Circuit.OPEN, Circuit.RECOVERING} <= seen


class TestRecovering:
    def test_everything_is_sent_once_in_order_slowly_at_first(self, failing, instance):
        later = [event.pk for event in publish(instance, 30, first=100)]
        pass_time(30)
        sent, seconds = [go_round(200)], []
        while circuit_of(failing).state == Circuit.RECOVERING:
            seconds.append(go_round(200))
            assert take() == []
            pass_time(1)
        everything = [*sent[0], *(event_id for second in seconds for event_id in second)]

        # What failed before was to wait for its next try, and goes at once, before what came later.
        assert everything[-30:] == later
        assert everything == sorted(everything)
        assert len(everything) == len(set(everything)) == 42
        assert [len(second) for second in seconds[:5]] == [1, 2, 4, 8, 16]
        assert set(Delivery.objects.values_list("state", flat=True)) == {Delivery.DELIVERED}
        assert kinds(failing) == ["opened", "recovering", "closed"]

    def test_a_relapse_opens_it_again(self, failing):
        pass_time(30)
        go_round(200)
        go_round(500)

        assert (circuit_of(failing).state, circuit_of(failing).trips) == (Circuit.OPEN, 1)
        assert kinds(failing) == ["opened", "recovering", "opened"]

    def test_one_bad_notification_holds_up_the_others_once(self, failing):
        bad = Delivery.objects.earliest("pk").pk
        pass_time(30)
        for _ in range(3):
            for _ in range(2):
                outcomes.write([told(claim, 500 if claim.delivery_id == bad else 200) for claim in take()])
            pass_time(120)

        # The first probe, the first after the second, and then it has its own times.
        assert kinds(failing) == ["opened", "recovering", "opened", "recovering"]

    def test_a_row_that_says_nothing_any_more_goes(self, instance, subscription):
        publish(instance, 1)
        go_round(500)
        pass_time(5)
        go_round(200)
        assert Circuit.objects.exists()

        pass_time(301)
        publish(instance, 1, first=2)
        go_round(200)

        assert not Circuit.objects.exists()


class TestBeginningAfresh:
    def test_a_request_to_redeliver_closes_it(self, failing, instance):
        count = subscriptions.redeliver(Delivery.objects.all(), reactivate=Subscription.objects.all())

        assert (count, len(take())) == (12, 12)
        assert kinds(failing) == ["opened", "closed"]

    def test_another_url_closes_it(self, failing, instance):
        instance.callback_url = "http://new.example/"
        instance.save(update_fields=["callback_url"])
        subscriptions.follow_instance(instance=instance)

        assert len(take()) == 12
        assert kinds(failing) == ["opened", "closed"]


class TestOverHttp:
    def test_what_waited_for_a_receiver_reaches_it_once_and_in_order(self, instance, subscription, sink):
        sink.answer(500)
        publish(instance, 30)
        drain()
        tried = len(sink.received)
        pass_time(25)
        assert drain().attempts == 0
        pass_time(10)
        assert drain().attempts == 1

        sink.answer(200)
        sink.received.clear()
        pass_time(61)
        batches: list[list[int]] = []
        while not batches or circuit_of(subscription).state == Circuit.RECOVERING:
            before = len(sink.received)
            drain()
            # What goes in the same second goes at the same time.
            batches.append(sorted(one.json["id"] for one in sink.received[max(1, before) :]))
            pass_time(1)
        probe = sink.received[0].json["id"]
        received = [event_id for batch in batches for event_id in batch]

        assert 10 <= tried <= 30
        assert received == [key for key in Event.objects.order_by("pk").values_list("pk", flat=True) if key != probe]
        # Between two batches lies a second, and what the machine took.
        for seconds, count in enumerate(accumulate(len(batch) for batch in batches)):
            assert count < 2 ** (seconds + 3)
        assert kinds(subscription) == ["opened", "recovering", "closed"]

    def test_one_drain_goes_on_until_it_is_trusted_again_where_it_is_to_wait_for_that(self, failing, sink):
        Delivery.objects.exclude(pk__in=Delivery.objects.order_by("pk")[:4]).delete()
        pass_time(61)
        drain()
        assert circuit_of(failing).state == Circuit.RECOVERING
        drain(waits_for_recovery=True)

        assert len({one.json["id"] for one in sink.received}) == len(sink.received) == 4
        assert circuit_of(failing).state == Circuit.CLOSED

    @with_commits
    def test_one_that_hangs_has_few_requests_and_the_others_have_theirs_answered(self, owner, sink):
        with Sink() as hanging:
            hanging.hang()
            publish(make_instance(owner, hanging.url), 30)
            others = [make_instance(owner, sink.url) for _ in range(19)]
            for other in others:
                publish(other, 3)
            runner = threading.Thread(target=drain_apart)
            runner.start()
            until(lambda: len(sink.received) == 3 * 19 and hanging.received)

            assert len(hanging.received) <= windows.BEGINNING
            hanging.let_go.set()
            runner.join(20)

        assert len(hanging.received) == 30
        assert set(Delivery.objects.values_list("state", flat=True)) == {Delivery.DELIVERED}
