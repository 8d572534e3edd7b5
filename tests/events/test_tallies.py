from __future__ import annotations

from datetime import datetime, timedelta

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from events import tallies, tasks
from events.models import ActivityTally, Delivery, DeliveryAttempt, Event, Subscription
from instances.models import Instance
from tests.factories import InstanceFactory, UserFactory

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def instance(owner) -> Instance:
    return subscribed(InstanceFactory.create(user=owner))


def subscribed(instance: Instance) -> Instance:
    Subscription.objects.create(organization=instance.organization, instance=instance, topics=[], url="http://x.test")
    return instance


def happen(instance: Instance, *, ago: timedelta, failures: int = 0) -> Event:
    """An event so long ago, that was delivered after some failures."""
    at = timezone.now() - ago
    event = Event.objects.create(instance=instance, source=Event.POLL, change_count=1, body=b"{}", created_at=at)
    delivery = Delivery.objects.create(
        event=event, subscription=instance.subscription, organization=instance.organization, state=Delivery.DELIVERED
    )
    for number in range(1, failures + 2):
        error_class = "" if number > failures else "timeout"
        DeliveryAttempt.objects.create(
            delivery=delivery, number=number, started_at=at, duration_ms=1, error_class=error_class
        )
    return event


def total(instance: Instance | None, *, since: timedelta = 30 * DAY) -> tuple[int, int, int]:
    now = timezone.now()
    organization_id = instance.organization_id if instance else None
    found = tallies.of(organization_id, since=now - since, until=now, step=HOUR)
    return sum(one.events for one in found), sum(one.delivered for one in found), sum(one.failed for one in found)


def test_what_happened_is_counted_once_however_often_and_late_it_is_counted(instance: Instance) -> None:
    for ago in (20 * DAY, 3 * DAY, 3 * DAY + timedelta(minutes=7), 2 * HOUR, HOUR, timedelta(minutes=6)):
        happen(instance, ago=ago, failures=1)
    tallies.count()
    tallies.count()
    assert total(instance) == (6, 6, 6)

    # Written after the count that it belongs to.
    happen(instance, ago=timedelta(minutes=4))
    happen(instance, ago=timedelta(0), failures=2)
    tallies.count()
    assert total(instance) == (8, 8, 8)
    assert total(instance, since=DAY) == (5, 5, 5)


def test_counting_goes_on_where_it_had_got_to_however_long_nobody_did_it(instance: Instance) -> None:
    happen(instance, ago=3 * DAY)
    tallies.count()
    # As a run leaves it that died between five minutes and their hour, three days ago.
    ActivityTally.objects.filter(events=0).delete()
    hour = ActivityTally.objects.get()
    happen(instance, ago=3 * DAY - timedelta(minutes=1))
    happen(instance, ago=2 * DAY)

    tallies.count()

    assert total(instance) == (3, 3, 0)
    assert ActivityTally.objects.filter(starts_at__gte=hour.starts_at, events__gt=0).count() in (2, 3)


def test_minutes_become_hours_and_a_month_is_kept(instance: Instance) -> None:
    begin = timezone.now().replace(minute=0, second=0, microsecond=0) - 5 * HOUR
    for minute in range(0, 60, 5):
        happen(instance, ago=timezone.now() - begin - timedelta(minutes=minute))
    ActivityTally.objects.create(
        organization=instance.organization, starts_at=timezone.now() - 40 * DAY, events=1, delivered=1, failed=0
    )

    tallies.count()

    # Counting goes back to where the old row stood, and forgets it.
    assert [(one.starts_at, one.events) for one in ActivityTally.objects.filter(events__gt=0)] == [(begin, 12)]


def test_what_was_counted_stays_when_its_events_are_forgotten_and_nothing_happens_any_more(instance: Instance) -> None:
    for ago in (20 * DAY, 19 * DAY, 2 * HOUR):
        happen(instance, ago=ago)
    tallies.count()
    Event.objects.all().delete()

    for _ in range(3):
        tallies.count()

    assert total(instance) == (3, 3, 0)


def test_each_organization_has_its_own_and_the_platform_has_all(instance: Instance, stranger) -> None:
    theirs = subscribed(InstanceFactory.create(user=stranger))
    happen(instance, ago=timedelta(minutes=1))
    happen(theirs, ago=timedelta(minutes=1), failures=3)
    posted = Event.objects.create(
        organization=instance.organization, source=Event.POSTED, topic="orders", change_count=0, body=b"{}"
    )

    tallies.count()

    assert total(instance) == (2, 1, 0)
    assert total(theirs) == (1, 1, 3)
    assert total(None) == (3, 2, 3)
    assert posted.instance_id is None


def test_times_without_anything_are_there_too(instance: Instance) -> None:
    now = datetime.fromisoformat("2026-11-22T12:30:00+00:00")

    found = tallies.of(instance.organization_id, since=now - DAY + HOUR, until=now, step=HOUR)

    assert len(found) == 24
    assert [found[0].starts_at.hour, found[-1].starts_at.hour] == [13, 12]
    assert {(one.events, one.delivered, one.failed) for one in found} == {(0, 0, 0)}
    days = tallies.of(instance.organization_id, since=now - 2 * DAY, until=now, step=DAY)
    assert [one.starts_at.isoformat()[:13] for one in days] == ["2026-11-20T00", "2026-11-21T00", "2026-11-22T00"]


@pytest.mark.django_db(transaction=True)
def test_beat_has_it_counted_and_two_at_a_time_count_nothing_twice(settings) -> None:
    (entry,) = [one for one in settings.CELERY_BEAT_SCHEDULE.values() if one["task"] == tasks.count_activity.name]
    assert entry["options"]["queue"] == "callbacks"
    instance = subscribed(InstanceFactory.create(user=UserFactory.create()))
    happen(instance, ago=timedelta(minutes=1))

    kept = connection.connection
    with psycopg.connect(kept.info.dsn) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s::int)", [tallies._LOCK])
        tasks.count_activity()
        assert total(instance) == (0, 0, 0)
    tasks.count_activity()

    assert total(instance) == (1, 1, 0)
