"""Notifications that somebody posts, to a topic and to one URL."""

from __future__ import annotations

import threading
from base64 import b64encode

import pytest
from django.db import connection, transaction
from standardwebhooks import Webhook

from connectors.errors import DestinationRefused
from events import subscriptions
from events.deliver import drain
from events.models import Delivery, Event, Subscription
from events.posting import check_destination, post, post_to
from instances.errors import InvalidRequest
from instances.models import Instance, Organization
from tests.events.conftest import KEY, make_instance, publish
from tests.events.draining import give_up_on
from tests.events.sink import Sink
from tests.waiting import until

pytestmark = pytest.mark.django_db

OVER = {"id": "7", "status": "COMPLETED"}


def subscribe(user, url: str, *topics: str) -> Subscription:
    return Subscription.objects.create(organization=user.organization, topics=list(topics), url=url)


def posted(user, *, topic: str = "news", message: object = "hello") -> Event:
    return post(organization=user.organization, topic=topic, message=message, severity="high", sender="ops")


def switch(instance, **columns) -> None:
    """Change an instance as provisioning does."""
    with transaction.atomic():
        for name, value in columns.items():
            setattr(instance, name, value)
        instance.save(update_fields=list(columns))
        subscriptions.follow_instance(instance=instance)


class TestToATopic:
    def test_every_subscription_of_the_topic_gets_it_and_nobody_else(self, owner, stranger, sink):
        for user, topic in ((owner, "news"), (owner, "other"), (stranger, "news")):
            subscribe(user, sink.url, topic)
        subscribe(owner, sink.url + "/second", "other", "news")

        event = posted(owner, message={"text": "é"})
        drain()

        assert sorted(one.path for one in sink.received) == ["/hook", "/hook/second"]
        assert sink.received[0].json == {
            "id": event.pk,
            "from": "ops",
            "topic": "news",
            "severity": "high",
            "createdDate": event.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "message": {"text": "é"},
        }
        assert set(Delivery.objects.values_list("state", flat=True)) == {Delivery.DELIVERED}

    def test_without_an_instance_it_is_not_signed(self, owner, sink):
        subscribe(owner, sink.url, "news")

        posted(owner)
        drain()

        assert sink.received[0].headers["Elements-Webhook-Id"] == str(Delivery.objects.get().pk)
        assert "Elements-Webhook-Signature" not in sink.received[0].headers

    def test_a_deactivated_subscription_gets_it_when_it_is_active_again(self, owner, sink):
        subscription = subscribe(owner, sink.url, "news")
        give_up_on(subscription)

        posted(owner)
        assert drain().attempts == 0
        subscriptions.redeliver(Delivery.objects.all(), reactivate=Subscription.objects.all())
        drain()

        assert len(sink.received) == 1

    def test_while_it_waits_a_deactivated_subscription_has_it_queued(self, owner, sink):
        subscription = subscribe(owner, sink.url, "news")
        posted(owner)
        Subscription.objects.filter(pk=subscription.pk).update(state=Subscription.DEACTIVATED)

        drain()

        assert Delivery.objects.get().state == Delivery.QUEUED

    def test_to_an_instances_topic_it_goes_signed_like_all_that_goes_there(self, owner, instance, sink):
        posted(owner, topic=instance.topic)
        drain()

        Webhook("whsec_" + b64encode(KEY.encode()).decode()).verify(sink.received[0].body, sink.received[0].headers)

    @pytest.mark.parametrize("off", [{"is_events_enabled": False}, {"is_disabled": True}])
    def test_a_switched_off_instance_gets_what_was_posted_to_its_topic_when_it_is_on_again(
        self, owner, instance, sink, off
    ):
        switch(instance, **off)
        posted(owner, topic=instance.topic)
        drain()
        held_back = list(sink.received)

        switch(instance, is_events_enabled=True, is_disabled=False)
        drain()

        assert (held_back, len(sink.received)) == ([], 1)


class TestToOneUrl:
    def test_the_message_itself_arrives_signed_with_the_instances_key(self, owner, instance):
        with Sink() as listener:
            event_id = post_to(instance=instance, url=listener.url, message=OVER)
            drain()

        (received,) = listener.received
        assert received.json == OVER
        assert received.headers["webhook-id"] == f"evt_{event_id}"
        Webhook("whsec_" + b64encode(KEY.encode()).decode()).verify(received.body, received.headers)

    def test_nobody_else_gets_it(self, owner, instance, sink):
        subscribe(owner, sink.url, instance.topic, "")
        with Sink() as listener:
            post_to(instance=instance, url=listener.url, message=OVER)
            drain()

        assert (len(listener.received), sink.received) == (1, [])

    def test_messages_to_one_url_share_a_subscription_of_the_organization(self, owner, stranger, sink):
        instances = [make_instance(owner, ""), make_instance(owner, ""), make_instance(stranger, "")]
        for instance in instances:
            post_to(instance=instance, url=sink.url, message=OVER)

        theirs = Subscription.objects.filter(url=sink.url)
        organizations = Organization.objects.values_list("pk", flat=True)
        assert sorted(theirs.values_list("organization", flat=True)) == sorted(organizations)
        assert not theirs.filter(instance__isnull=False).exists()

    def test_a_subscription_to_topics_at_that_url_is_another_one(self, owner, instance, sink):
        subscribe(owner, sink.url, "news")

        post_to(instance=instance, url=sink.url, message=OVER)
        posted(owner)
        drain()

        assert len(sink.received) == 2

    def test_events_that_are_off_do_not_hold_it_back(self, instance, sink):
        switch(instance, is_events_enabled=False)
        publish(instance)

        post_to(instance=instance, url=sink.url, message=OVER)
        drain()

        assert [one.json for one in sink.received] == [OVER]

    def test_a_disabled_instance_sends_it_once_it_is_enabled_with_its_events_still_off(self, instance, sink):
        switch(instance, is_disabled=True, is_events_enabled=False)
        publish(instance)
        post_to(instance=instance, url=sink.url, message=OVER)
        drain()
        held_back = list(sink.received)

        switch(instance, is_disabled=False)
        drain()

        assert (held_back, [one.json for one in sink.received]) == ([], [OVER])

    def test_a_deactivated_url_keeps_it_queued(self, instance, sink):
        post_to(instance=instance, url=sink.url, message=OVER)
        subscription = Subscription.objects.get(instance=None)
        give_up_on(subscription)

        post_to(instance=instance, url=sink.url, message=OVER)

        assert [one.state for one in Delivery.objects.all()] == [Delivery.QUEUED, Delivery.QUEUED]

    def test_what_the_caller_takes_back_is_not_sent(self, instance, sink):
        with transaction.atomic():
            post_to(instance=instance, url=sink.url, message=OVER)
            transaction.set_rollback(True)

        assert (drain().attempts, Event.objects.count()) == (0, 0)

    def test_it_goes_with_its_instance(self, instance, sink):
        post_to(instance=instance, url=sink.url, message=OVER)

        subscriptions.forget_instance(instance=instance)
        instance.delete()

        assert (Event.objects.count(), Delivery.objects.count()) == (0, 0)

    @pytest.mark.parametrize(
        "url, error",
        [
            ("http://10.0.0.1/", DestinationRefused),
            ("nowhere", DestinationRefused),
            ("http://127.0.0.1:8000/elements/api-v2/events/x", InvalidRequest),
        ],
    )
    def test_where_nothing_may_be_sent_it_is_refused(self, instance, url, error):
        with pytest.raises(error):
            post_to(instance=instance, url=url, message=OVER)
        with pytest.raises(error):
            check_destination(url)

        assert not Event.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_instance_is_locked_before_the_subscription(owner, sink):
    """As everywhere: while somebody changes the instance, nobody waits for it with the subscription in hand."""
    instance = make_instance(owner, sink.url)
    with transaction.atomic():
        post_to(instance=instance, url=sink.url + "/over", message=OVER)

    def report() -> None:
        post_to(instance=instance, url=sink.url + "/over", message=OVER)
        connection.close()

    reporting = threading.Thread(target=report)
    with transaction.atomic():
        Instance.objects.select_for_update(of=("self",)).get(pk=instance.pk)
        reporting.start()
        until(_somebody_waits_for_a_lock)
        assert Subscription.objects.select_for_update(nowait=True, of=("self",)).get(topics=[])
    reporting.join()
    assert Event.objects.count() == 2


def _somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted")
        return cursor.fetchone() is not None
