"""An instance's subscription follows it, and deliveries follow the subscription."""

from __future__ import annotations

import pytest
from django.conf import settings

from events import claims, outcomes, subscriptions
from events.deliver import drain
from events.models import Delivery, DeliveryAttempt, Event, SeenChange, Subscription
from events.retries import Verdict
from instances.models import Instance, Organization
from instances.provisioning import Baseline
from instances.signals import instance_configured, instance_deleting
from tests.events.conftest import POLLED_AT, make_instance, publish
from tests.events.draining import ended
from tests.events.sink import Sink
from tests.factories import InstanceFactory

pytestmark = pytest.mark.django_db


def configure(instance: Instance, **columns) -> None:
    """Change columns of the instance and follow it, as in provisioning's transaction."""
    for name, value in columns.items():
        setattr(instance, name, value)
    instance.save(update_fields=list(columns))
    subscriptions.follow_instance(instance=instance)


def subscription_of(instance: Instance) -> Subscription:
    return Subscription.objects.get(instance=instance)


def states() -> list[str]:
    return list(Delivery.objects.order_by("pk").values_list("state", flat=True))


def fail_for_good(instance: Instance, sink) -> None:
    """Its receiver answers 410: the subscription is deactivated, one delivery queued."""
    sink.answer(410)
    publish(instance)
    drain()
    sink.answer(200)
    sink.received.clear()


class TestFollowing:
    def test_provisioning_is_heard(self, owner, sink):
        sent = {"event.notification.enabled": True, "event.notification.callback.url": sink.url}
        instance = InstanceFactory.create(user=owner, sent=sent)
        baseline = Baseline(clock=POLLED_AT, highest_ids=dict.fromkeys(["contacts", "incidents", "organizations"]))

        instance_configured.send(
            sender=Instance, instance=instance, baseline=baseline, starts_over=False, previous_configuration=""
        )

        assert Subscription.objects.get().instance_id == instance.pk

    def test_events_and_a_callback_url_make_one_subscription_on_the_topic(self, owner, sink):
        instance = make_instance(owner, sink.url)
        configure(instance, name="renamed")
        subscription = subscription_of(instance)

        assert Subscription.objects.count() == 1
        assert subscription.organization == owner.organization
        assert (subscription.channel, subscription.topics, subscription.url, subscription.state) == (
            "webhook",
            [f"instance-{instance.pk}-connectwisecrmrest-events"],
            sink.url,
            Subscription.ACTIVE,
        )

    @pytest.mark.parametrize("url", ["", f"{settings.PUBLIC_URL}/elements/api-v2/events/connectwisehd/MQ=="])
    def test_without_a_url_or_with_our_own_there_is_none(self, owner, url):
        assert not hasattr(make_instance(owner, url), "subscription")
        assert not Subscription.objects.exists()

    def test_without_events_there_is_none(self, owner, sink):
        instance = make_instance(owner, "")

        configure(instance, callback_url=sink.url, is_events_enabled=False)

        assert not Subscription.objects.exists()

    def test_another_url_takes_the_very_next_notification(self, instance, subscription, sink):
        with Sink() as other:
            publish(instance, 1)
            configure(instance, callback_url=other.url)
            changed = subscription_of(instance)
            publish(instance, 1, first=2)

            drain()

            assert changed.pk == subscription.pk
            assert (len(sink.received), len(other.received)) == (0, 2)

    def test_another_url_begins_failing_deliveries_afresh(self, instance, sink):
        sink.answer(500)
        publish(instance)
        drain()

        with Sink() as other:
            configure(instance, callback_url=other.url)
            drain()

            assert len(other.received) == 1
        assert states() == [Delivery.DELIVERED]

    def test_another_url_reactivates_and_sends_what_was_queued(self, instance, sink):
        fail_for_good(instance, sink)
        publish(instance, 1, first=2)
        assert states() == [Delivery.QUEUED, Delivery.QUEUED]

        with Sink() as other:
            configure(instance, callback_url=other.url)
            subscription = subscription_of(instance)
            drain()

            assert len(other.received) == 2
        assert (subscription.state, subscription.deactivated_reason) == (Subscription.ACTIVE, "")

    def test_another_url_leaves_alone_what_the_policy_queued(self, instance, sink):
        Organization.objects.update(failure_policy=Organization.QUEUE)
        sink.answer(500)
        publish(instance)
        drain()

        with Sink() as other:
            configure(instance, callback_url=other.url)
            drain()

            assert other.received == []
        assert states() == [Delivery.QUEUED]

    def test_other_changes_do_not_reactivate(self, instance, sink):
        fail_for_good(instance, sink)

        configure(instance, name="renamed")
        subscription = subscription_of(instance)

        assert subscription.state == Subscription.DEACTIVATED
        assert states() == [Delivery.QUEUED]

    def test_an_attempt_at_the_old_url_does_not_deactivate_the_new_one(self, instance, sink):
        publish(instance)
        (stale,) = claims.claim(limit=1)
        with Sink() as other:
            configure(instance, callback_url=other.url)
            subscription = subscription_of(instance)
            gone = Verdict(state=Delivery.QUEUED, attempts_made=1, first_failure="note", deactivates="410")
            outcomes.write([ended(stale, gone)])

            subscription.refresh_from_db()
            assert subscription.state == Subscription.ACTIVE
            assert drain().delivered == 1
            assert len(other.received) == 1


class TestSwitching:
    @pytest.mark.parametrize("off", [{"is_events_enabled": False}, {"is_disabled": True}])
    def test_off_sends_nothing_more_and_on_sends_what_waited(self, instance, sink, off):
        publish(instance, 2)
        configure(instance, **off)

        drain()

        assert sink.received == []
        assert states() == [Delivery.PENDING, Delivery.PENDING]
        assert claims.claim(limit=10) == []

        configure(instance, **{name: not value for name, value in off.items()})
        drain()

        assert len(sink.received) == 2
        assert states() == [Delivery.DELIVERED, Delivery.DELIVERED]

    def test_switching_keeps_what_the_policy_queued(self, instance, sink):
        Organization.objects.update(failure_policy=Organization.QUEUE)
        sink.answer(500, 200)
        publish(instance)
        drain()

        configure(instance, is_events_enabled=False)
        configure(instance, is_events_enabled=True)

        assert drain().attempts == 0
        assert states() == [Delivery.QUEUED]

    def test_switching_does_not_reactivate_what_failures_deactivated(self, instance, sink):
        fail_for_good(instance, sink)

        configure(instance, is_disabled=True)
        configure(instance, is_disabled=False)
        subscription = subscription_of(instance)

        assert subscription.state == Subscription.DEACTIVATED
        assert states() == [Delivery.QUEUED]

    def test_off_stops_other_subscribers_of_the_topic_too(self, owner, instance, sink):
        with Sink() as other:
            Subscription.objects.create(organization=owner.organization, topics=[instance.topic], url=other.url)
            publish(instance)
            configure(instance, is_events_enabled=False)
            drain()
            assert (sink.received, other.received) == ([], [])

            configure(instance, is_events_enabled=True)
            drain()
            assert (len(sink.received), len(other.received)) == (1, 1)

    def test_a_claim_made_before_the_switch_back_on_is_not_put_aside(self, instance, sink):
        publish(instance)
        configure(instance, is_events_enabled=False)
        claimed = claims.claim(limit=1)
        configure(instance, is_events_enabled=True)

        claims.park(claimed)

        assert drain().delivered == 1

    def test_without_a_url_events_go_on_without_deliveries_until_there_is_one_again(self, instance, sink):
        publish(instance, 1)
        configure(instance, callback_url="")
        publish(instance, 1, first=2)
        drain()
        assert sink.received == []

        configure(instance, callback_url=sink.url)
        publish(instance, 1, first=3)
        drain()

        assert Event.objects.count() == 3
        assert len(sink.received) == 2


class TestRedelivering:
    def test_it_reactivates_and_begins_again(self, instance, subscription, sink):
        fail_for_good(instance, sink)

        count = subscriptions.redeliver(Delivery.objects.all(), reactivate=Subscription.objects.all())

        subscription.refresh_from_db()
        assert (count, subscription.state, subscription.deactivated_reason) == (1, Subscription.ACTIVE, "")
        assert drain().delivered == 1
        assert Delivery.objects.get().attempts_made == 1

    def test_of_a_switched_off_instance_it_waits_for_the_switch(self, instance, sink):
        fail_for_good(instance, sink)
        configure(instance, is_events_enabled=False)

        subscriptions.redeliver(Delivery.objects.all(), reactivate=Subscription.objects.all())

        assert drain().attempts == 0
        configure(instance, is_events_enabled=True)
        assert drain().delivered == 1


class TestForgetting:
    def test_everything_goes_with_the_instance_and_nothing_else(self, owner, instance, sink):
        other = make_instance(owner, sink.url)
        publish(instance, 3)
        publish(other, 1)
        drain()

        instance_deleting.send(sender=Instance, instance=instance)
        instance.delete()

        assert set(Subscription.objects.values_list("instance", flat=True)) == {other.pk}
        for kept in (Event.objects.all(), Delivery.objects.all(), DeliveryAttempt.objects.all()):
            assert kept.count() == 1
        assert set(SeenChange.objects.values_list("instance", flat=True)) == {other.pk}
