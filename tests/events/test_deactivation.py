"""Giving up on a receiver that is gone or dead, and finding out that it is back."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from django.db.models.functions import Now

from events import circuit_upkeep, deactivation, outcomes
from events.models import Circuit, CircuitTransition, Delivery, DeliveryAttempt, Subscription
from instances import retry_schedules
from instances.models import Instance, Organization
from tests.events.conftest import make_instance, publish
from tests.events.failing import (
    circuit_of,
    go_round,
    kinds,
    pass_time,
    seconds_until_something_is_due,
    take,
    told,
)

pytestmark = pytest.mark.django_db

HOUR = 3600
DAYS_73 = 262_144


def use_up_retries(*, of: int) -> None:
    """Let this delivery have failed so often and so long that the next failure is its last."""
    schedule = retry_schedules.PRESETS[retry_schedules.DEFAULT]
    Delivery.objects.filter(pk=of).update(
        attempts_made=len(schedule.steps), first_failed_at=Now() - schedule.end, next_attempt_at=Now() - schedule.end
    )


def states() -> list[str]:
    return list(Delivery.objects.order_by("pk").values_list("state", flat=True))


def follow(status_at, *, until: float) -> list[float]:
    """Go from one due moment to the next, answering as `status_at` says, and return when something was sent."""
    passed, sent = 0.0, list[float]()
    while True:
        wait = seconds_until_something_is_due()
        if wait is None or passed + wait > until:
            return sent
        pass_time(wait)
        passed += wait
        if go_round(status_at(passed)):
            sent.append(passed)


class TestHealthyReceivers:
    def test_they_cost_no_statement(self, instance):
        publish(instance, 3)
        ended = [told(claim, 200) for claim in take()]

        # There is no cursor to make one with.
        assert deactivation.carry_out(None, ended) is ended  # type: ignore[arg-type]


class TestGivingUp:
    @pytest.fixture
    def dead(self, instance, subscription):
        """One delivery has used up its retries, another is waiting."""
        first, _ = publish(instance, 2)
        go_round(500)
        use_up_retries(of=Delivery.objects.get(event=first).pk)
        go_round(500)
        subscription.refresh_from_db()
        return subscription

    def test_what_waits_and_what_comes_is_queued(self, dead, instance):
        publish(instance, 1, first=50)

        assert (dead.state, states()) == (Subscription.DEACTIVATED, [Delivery.QUEUED] * 3)
        assert "HTTP 500" in dead.deactivated_reason
        assert kinds(dead) == ["deactivated"]

    def test_while_others_get_through_only_that_one_delivery_is_queued(self, instance, subscription):
        first, *_ = publish(instance, 2)
        delivery = Delivery.objects.get(event=first)
        use_up_retries(of=delivery.pk)
        claimed = sorted(take(), key=lambda claim: claim.delivery_id)
        outcomes.write([told(claimed[1], 200)])
        outcomes.write([told(claimed[0], 500)])
        subscription.refresh_from_db()

        assert (subscription.state, states()) == (Subscription.ACTIVE, [Delivery.QUEUED, Delivery.DELIVERED])
        assert kinds(subscription) == []

    def test_one_answer_of_410_is_enough_and_it_is_never_probed(self, instance, subscription):
        publish(instance, 2)
        claimed = take()
        outcomes.write([told(claimed[0], 200), told(claimed[1], 410)])
        subscription.refresh_from_db()
        pass_time(100 * HOUR)

        assert subscription.state == Subscription.DEACTIVATED
        assert circuit_of(subscription).next_probe_at is None
        assert (kinds(subscription), take()) == (["deactivated"], [])

    def test_a_probe_that_is_answered_410_is_the_last(self, dead):
        pass_time(6 * HOUR)
        assert len(go_round(410)) == 1
        pass_time(100 * HOUR)

        assert take() == []
        assert kinds(dead) == ["deactivated"]

    def test_a_probe_that_fails_after_the_time_that_retries_take_deactivates(self, instance, subscription):
        publish(instance, 12)
        go_round(500)
        Circuit.objects.update(failing_since=Now() - timedelta(seconds=DAYS_73 + 1), next_probe_at=Now())
        pass_time(5)
        go_round(500)
        subscription.refresh_from_db()

        assert subscription.state == Subscription.DEACTIVATED
        assert "No attempt has succeeded since" in subscription.deactivated_reason
        assert kinds(subscription) == ["opened", "deactivated"]

    def test_of_very_many_the_rest_is_queued_by_the_upkeep(self, instance, subscription, monkeypatch):
        monkeypatch.setattr("events.queued.put_aside.__kwdefaults__", {"most": 3})
        monkeypatch.setattr("events.queued.AT_ONCE", 3)
        first, *_ = publish(instance, 10)
        use_up_retries(of=Delivery.objects.get(event=first).pk)
        Delivery.objects.exclude(event=first).update(next_attempt_at=Now() + timedelta(hours=1))
        go_round(500)
        assert states().count(Delivery.PENDING) == 7

        assert circuit_upkeep.queue_rest() == 7
        assert set(states()) == {Delivery.QUEUED}


class TestComingBack:
    @pytest.fixture
    def dead(self, instance, subscription):
        publish(instance, 20)
        use_up_retries(of=Delivery.objects.earliest("pk").pk)
        go_round(500, limit=1)
        subscription.refresh_from_db()
        assert subscription.state == Subscription.DEACTIVATED
        return subscription

    def test_it_is_found_out_by_one_real_event_and_everything_goes_in_order(self, dead, instance):
        pass_time(HOUR)
        probe = go_round(200)
        arrived = publish(instance, 1, first=100)[0].pk
        sent = list(probe)
        while Circuit.objects.exclude(state=Circuit.CLOSED).exists():
            sent += go_round(200)
            pass_time(1)
        dead.refresh_from_db()

        assert len(probe) == 1
        assert (sent, sent[-1]) == (sorted(set(sent)), arrived)
        assert (dead.state, dead.deactivated_reason, set(states())) == (Subscription.ACTIVE, "", {Delivery.DELIVERED})
        assert kinds(dead) == ["deactivated", "recovering", "reactivated", "closed"]

    def test_while_it_is_down_it_is_asked_ever_more_rarely(self, dead):
        asked = follow(lambda _passed: 500, until=60 * HOUR)

        distances = [round(later - earlier) for earlier, later in pairwise(asked)]
        assert distances == [60, 120, 240, 480, 960, 1920, 3840, 7680, 15360, *[6 * HOUR] * len(distances[9:])]
        assert len(distances) > 12
        assert set(states()) == {Delivery.QUEUED}

    @pytest.mark.parametrize("off", [{"is_events_enabled": False}, {"is_disabled": True}])
    def test_not_while_its_instance_is_switched_off(self, dead, instance, off):
        Instance.objects.filter(pk=instance.pk).update(**off)
        pass_time(HOUR)

        assert take() == []

    def test_what_is_switched_off_keeps_nothing_of_others_from_being_tried(self, dead, instance):
        other = make_instance(instance.user, "http://other.example/")
        Subscription.objects.filter(pk=dead.pk).update(topics=[instance.topic, other.topic], instance=None)
        Subscription.objects.filter(instance=other).delete()
        (event,) = publish(other, 1, first=50)
        Instance.objects.filter(pk=instance.pk).update(is_events_enabled=False)
        pass_time(HOUR)

        assert go_round(200) == [event.pk]

    def test_not_where_the_account_keeps_what_fails_until_it_is_asked_for(self, dead):
        Organization.objects.update(failure_policy=Organization.QUEUE)
        pass_time(HOUR)

        assert take() == []

    def test_a_long_queue_is_let_go_in_batches_before_it_is_active(self, dead, instance, monkeypatch):
        monkeypatch.setattr("events.circuits.LET_GO_AT_ONCE", 8)
        pass_time(HOUR)
        go_round(200)

        seen = []
        for _ in range(3):
            assert circuit_upkeep.queue_rest() == 0
            seen.append(len(go_round(200)))
        dead.refresh_from_db()

        assert dead.state == Subscription.ACTIVE
        assert seen == [0, 0, 1]


class TestDaysOfSilence:
    def test_a_single_delivery_is_tried_by_the_schedule_then_the_receiver_is_given_up_on(self, instance, subscription):
        publish(instance)

        sent = follow(lambda _passed: 500, until=DAYS_73 + 1)

        assert sent == pytest.approx([0, *(4**step for step in range(1, 10))], abs=2)
        subscription.refresh_from_db()
        assert subscription.state == Subscription.DEACTIVATED

    def test_warned_three_times_deactivated_once_and_all_that_came_meanwhile_arrives(self, instance, subscription):
        Organization.objects.update(retry_schedule="4,16,64,256,1024,4096")
        published = [event.pk for event in publish(instance, 30)]
        passed = 0.0
        while Subscription.objects.get(pk=subscription.pk).state == Subscription.ACTIVE:
            wait = seconds_until_something_is_due()
            assert wait is not None
            # Somebody looks for whom to warn of every few minutes, whatever else happens.
            step = min(wait, 300.0)
            pass_time(step)
            passed += step
            go_round(503)
            circuit_upkeep.tend()
            if round(passed) % 3 == 0:
                published += [event.pk for event in publish(instance, 1, first=1000 + len(published))]
        attempts_when_dead = DeliveryAttempt.objects.count()
        published += [event.pk for event in publish(instance, 20, first=2000)]

        arrived: list[int] = []
        while wait := seconds_until_something_is_due():
            pass_time(wait)
            arrived += go_round(200)

        assert 4096 <= passed < 4096 + 900 + 60
        assert kinds(subscription) == [
            "opened",
            "warned",
            "warned",
            "warned",
            "deactivated",
            "recovering",
            "reactivated",
            "closed",
        ]
        warned = CircuitTransition.objects.filter(kind="warned").order_by("pk").values_list("reason", flat=True)
        assert [reason.split()[0] for reason in warned] == ["50", "70", "90"]
        # A dead receiver is asked a few times in this hour, not over and over for each of what waits.
        assert attempts_when_dead < 30 + 30
        assert sorted(arrived) == sorted(published)
        assert set(states()) == {Delivery.DELIVERED}
