"""An instance with a callback URL, changes to record, and receivers that behave as told."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from django.db import transaction

import config.celery  # noqa: F401  # makes the project's application the current one, as every process does
from connectors.change import UPDATED, Change
from events import doorbell, subscriptions, verification
from events.models import Event, Subscription
from events.record import record
from instances.models import Instance
from tests.events.calling import Line, connect
from tests.events.sink import Sink
from tests.factories import InstanceFactory
from tests.waiting import until

POLLED_AT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
KEY = "abcd1234efgh5678"


def change(number: int, *, version: str = "", object_type: str = "contacts", event_type=UPDATED, **fields) -> Change:
    """Record `number` as a poll finds it, saved `number` seconds before the poll."""
    changed_at = POLLED_AT - timedelta(seconds=number % 3600)
    fields = {"id": number, "firstName": f"Ann {number}", **fields}
    return Change(
        event_type=event_type,
        object_type=object_type,
        object_id=str(number),
        version=version or changed_at.isoformat(),
        changed_at=changed_at,
        raw=orjson.dumps(fields),
        content_hash=number.to_bytes(16, "big"),
    )


def changes(count: int, **options) -> list[Change]:
    return [change(number, **options) for number in range(1, count + 1)]


def make_instance(user, url: str, **settings) -> Instance:
    """An instance with events on, as provisioning leaves it, with the subscription it owns."""
    sent = {"event.notification.enabled": True, "event.notification.callback.url": url}
    sent |= {f"event.notification.{name.replace('_', '.')}": value for name, value in settings.items()}
    with transaction.atomic():
        instance = InstanceFactory.create(user=user, sent=sent)
        subscriptions.follow_instance(instance=instance)
    return instance


def publish(instance: Instance, count: int = 1, *, first: int = 1) -> list[Event]:
    """`count` events of one change each."""
    with transaction.atomic():
        ids = [
            event_id
            for number in range(first, first + count)
            for event_id in record(instance=instance, changes=[change(number)], source="poll", polled_at=POLLED_AT)
        ]
    return list(Event.objects.filter(pk__in=ids).order_by("pk"))


@pytest.fixture(autouse=True)
def fresh_doorbell(settings):
    """Every test begins with a bell that nobody has rung."""
    doorbell.DELIVERIES.answer()
    doorbell.CALLBACKS.answer()
    doorbell._silent_until = 0.0


@pytest.fixture(autouse=True)
def settled_trouble():
    """What a test noted about lost callbacks is written down before its database is gone."""
    yield
    until(lambda: all(thread.name != "suspect windows" for thread in threading.enumerate()))


@pytest.fixture
def sink():
    with Sink() as sink:
        yield sink


@pytest.fixture
def instance(owner, sink) -> Instance:
    """Its callback URL is the sink; notifications are signed with KEY."""
    return make_instance(owner, sink.url, signature_key=KEY)


@pytest.fixture
def subscription(instance) -> Subscription:
    return Subscription.objects.get(instance=instance)


@pytest.fixture
def line(sandbox, sink, owner) -> Line:
    """An instance of connectwisehd that the sandbox calls back, with no key known yet."""
    verification.KEYS.forget()
    return connect(sandbox, sink.url, user=owner)
