"""Old events go with all that hangs on them, a little at a time; what is still to be delivered stays."""

from __future__ import annotations

import logging
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from events import posting, retention
from events.models import Delivery, DeliveryAttempt, Event, OrderingKey, Replay, Subscription
from events.record import record
from instances.models import Instance, Organization
from tests.events.conftest import POLLED_AT, change, make_instance, publish
from tests.events.draining import with_commits


def age(events, *, days: float) -> None:
    Event.objects.filter(pk__in=[event.pk for event in events]).update(created_at=Now() - timedelta(days=days))


def delivered(instance: Instance, count: int = 1, *, first: int = 1, days: float, state: str = Delivery.DELIVERED):
    """Events of so many days ago with an attempt each."""
    events = publish(instance, count, first=first)
    age(events, days=days)
    Delivery.objects.filter(event__in=events).update(state=state)
    DeliveryAttempt.objects.bulk_create(
        DeliveryAttempt(delivery=delivery, number=1, started_at=POLLED_AT, duration_ms=1)
        for delivery in Delivery.objects.filter(event__in=events)
    )
    return events


def left() -> list[int]:
    return list(Event.objects.order_by("pk").values_list("pk", flat=True))


@pytest.mark.parametrize(
    ("own_days", "days", "is_kept"), [(None, 29.9, True), (None, 30.1, False), (3, 3.1, False), (90, 60, True)]
)
def test_events_go_after_the_days_of_their_organization(owner, instance, own_days, days, is_kept):
    Organization.objects.filter(pk=owner.organization.pk).update(retention_days=own_days)
    delivered(instance, days=days)

    assert retention.prune()

    rows = (Event.objects.count(), Delivery.objects.count(), DeliveryAttempt.objects.count())
    assert rows == ((1, 1, 1) if is_kept else (0, 0, 0))


@pytest.mark.parametrize("state", [Delivery.QUEUED, Delivery.ABANDONED])
def test_what_nobody_fetched_in_all_that_time_goes_too(instance, state):
    delivered(instance, days=31, state=state)

    retention.prune()

    assert left() == []


def test_what_is_still_to_be_delivered_stays_with_its_event(owner, instance, sink):
    also = Subscription.objects.create(organization=owner.organization, topics=[instance.topic], url=sink.url)
    (_first, second, third) = delivered(instance, 3, days=400)
    second.deliveries.filter(subscription=also).update(state=Delivery.PENDING)
    third.deliveries.filter(subscription=also).update(state=Delivery.QUEUED, leased_until=Now() + timedelta(minutes=1))

    assert retention.prune(at_once=1)

    assert left() == [second.pk, third.pk]
    assert DeliveryAttempt.objects.count() == Delivery.objects.count() == 4


def test_younger_ones_and_those_of_others_stay(owner, stranger, instance, sink):
    Organization.objects.filter(pk=stranger.organization.pk).update(retention_days=60)
    delivered(instance, 5, days=31)
    (young,) = delivered(instance, first=6, days=29)
    (theirs,) = delivered(make_instance(stranger, sink.url), days=31)

    retention.prune(at_once=2)

    assert left() == [young.pk, theirs.pk]


def test_what_was_posted_goes_likewise(owner, stranger, instance, sink):
    def post(user, topic: str) -> Event:
        return posting.post(organization=user.organization, topic=topic, message={}, severity="low", sender="me")

    old = [post(owner, "a"), post(owner, "b"), post(stranger, "b")]
    reported = Event.objects.get(pk=posting.post_to(instance=instance, url=sink.url, message={}))
    Delivery.objects.update(state=Delivery.DELIVERED)
    Organization.objects.filter(pk=stranger.organization.pk).update(retention_days=100)
    age([*old, reported], days=31)
    young = post(owner, "a")

    retention.prune()

    assert left() == [old[2].pk, young.pk]


def test_an_event_without_deliveries_goes(owner):
    age(publish(make_instance(owner, "")), days=31)

    retention.prune()

    assert left() == []


def test_what_happened_goes_after_the_same_days(owner, stranger, subscription):
    Organization.objects.filter(pk=owner.organization.pk).update(retention_days=3)
    ended, young = Now() - timedelta(days=4), Now() - timedelta(days=2)
    kept = {"wanted": {}, "rate": 1, "total": 1, "total_bytes": 1, "last_id": 1}
    for user, finished_at in ((owner, ended), (owner, None), (owner, young), (stranger, ended)):
        Replay.objects.create(organization=user.organization, finished_at=finished_at, **kept)
    for kind, happened_at in (("opened", ended), ("deactivated", ended), ("opened", young)):
        subscription.transitions.create(kind=kind, happened_at=happened_at)

    assert retention.forget_histories(at_once=1) == 2

    assert Replay.objects.filter(organization=owner.organization).count() == 2
    # Nobody has been told of the deactivation.
    assert [one.kind for one in subscription.transitions.order_by("pk")] == ["deactivated", "opened"]


def test_what_waited_behind_a_forgotten_one_goes_on(instance):
    Instance.objects.filter(pk=instance.pk).update(notification_ordering=Instance.BY_OBJECT)
    instance.refresh_from_db()
    for version in ("first", "second"):
        with transaction.atomic():
            noticed = [change(1, version=version)]
            record(instance=instance, changes=noticed, source="poll", polled_at=POLLED_AT)
    old, waiting = Delivery.objects.order_by("pk")
    Delivery.objects.filter(pk=old.pk).update(state=Delivery.QUEUED)
    age([old.event], days=31)

    retention.prune()

    waiting.refresh_from_db()
    assert waiting.next_attempt_at <= Delivery.objects.annotate(now=Now()).get().now
    assert OrderingKey.objects.count() == 1


def test_it_stops_when_its_time_is_over_and_goes_on_later(instance):
    delivered(instance, 5, days=31)

    assert not retention.prune(at_once=2, seconds=0)
    assert Event.objects.count() == 3
    assert not retention.prune(at_once=2, is_stopping=lambda: True)
    assert Event.objects.count() == 1
    assert retention.prune(at_once=2)
    assert not Event.objects.exists()


def test_the_log_says_how_many_of_whom(instance, caplog):
    caplog.set_level(logging.INFO, logger="events.retention")
    delivered(instance, 3, days=31)

    retention.prune(at_once=2)
    retention.prune()

    (line,) = caplog.records
    assert (line.organization, line.events) == (instance.organization_id, 3)


@with_commits
@pytest.mark.parametrize("held", ["delivery", "attempt"])
def test_it_waits_for_nobody_who_is_at_a_delivery(instance, held):
    busy, _other = delivered(instance, 2, days=31)
    with transaction.atomic():
        rows: QuerySet[Any] = Delivery.objects.filter(event=busy)
        if held == "attempt":  # as whoever deletes an instance, deliveries next
            rows = DeliveryAttempt.objects.filter(delivery__event=busy)
        rows.select_for_update(of=("self",)).get()
        pruning = threading.Thread(target=_prune_apart)
        pruning.start()
        pruning.join(10)
        assert not pruning.is_alive()

    if held == "attempt":
        _prune_apart()
    assert left() == ([busy.pk] if held == "delivery" else [])


def _prune_apart() -> None:
    retention.prune(at_once=1)
    connection.close()


def test_fifty_thousand_rows_go_without_reading_those_that_stay(instance, subscription):
    """Old and new side by side: what stays costs nothing but the look at where the old ones end."""
    with connection.cursor() as cursor:
        cursor.execute(_MANY, {"instance": instance.pk, "organization": instance.organization_id})
        cursor.execute(_DELIVERIES, {"subscription": subscription.pk, "organization": instance.organization_id})
        cursor.execute(_ATTEMPTS)
    begun = time.monotonic()

    assert retention.prune()

    spent = time.monotonic() - begun
    assert (Event.objects.count(), Delivery.objects.count(), DeliveryAttempt.objects.count()) == (5_000, 5_000, 5_000)
    begun = time.monotonic()
    assert retention.prune()
    assert time.monotonic() - begun < max(0.5, spent / 4)


_MANY = """
INSERT INTO events_event (instance_id, source, change_count, body, created_at)
SELECT %(instance)s, 'poll', 1, '{}', now() - CASE WHEN number <= 12000 THEN 40 ELSE 1 END * interval '1 day'
FROM generate_series(1, 17000) AS number
"""
_DELIVERIES = """
INSERT INTO events_delivery (event_id, subscription_id, organization_id, state, attempts_made, epoch)
SELECT id, %(subscription)s, %(organization)s, 'delivered', 1, 1 FROM events_event
"""
_ATTEMPTS = """
INSERT INTO events_deliveryattempt (delivery_id, number, started_at, duration_ms, error_class, error, response_excerpt)
SELECT id, 1, now(), 1, '', '', '' FROM events_delivery
"""


class TestUnusedUrls:
    @pytest.fixture
    def reported(self, instance, sink) -> Subscription:
        """The subscription that stands for the URL of a report of days ago."""
        event_id = posting.post_to(instance=instance, url=sink.url + "/report", message={})
        subscription = Subscription.objects.get(deliveries__event=event_id)
        Subscription.objects.update(created_at=Now() - timedelta(days=2))
        return subscription

    def test_they_go_once_nothing_is_left_of_what_was_sent_there(self, reported, subscription):
        assert retention.forget_unused_urls() == 0
        Event.objects.all().delete()

        assert retention.forget_unused_urls() == 1
        assert list(Subscription.objects.all()) == [subscription]

    def test_those_of_a_moment_ago_stay(self, reported):
        Event.objects.all().delete()
        Subscription.objects.update(created_at=Now())

        assert retention.forget_unused_urls() == 0

    def test_those_that_somebody_made_stay(self, owner, sink):
        Subscription.objects.create(organization=owner.organization, topics=["mine"], url=sink.url)
        Subscription.objects.update(created_at=Now() - timedelta(days=2))

        assert retention.forget_unused_urls() == 0
