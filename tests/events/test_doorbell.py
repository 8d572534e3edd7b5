"""One message for a burst of commits, and no commit that fails for want of a broker."""

from __future__ import annotations

import logging
import time

import pytest
import redis
from django.db import connection, transaction

import config.celery  # noqa: F401  # makes the project's application the current one
from events import doorbell
from events.deliver import drain
from events.models import Event
from tests.events.conftest import publish
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def queue(settings):
    """Lists the messages that wait for a delivery worker."""
    server = redis.Redis.from_url(settings.REDIS_URL)
    server.delete("delivery")
    yield lambda: server.llen("delivery")
    server.delete("delivery")


def test_a_burst_of_commits_rings_once(instance, queue):
    for number in range(1, 21):
        publish(instance, first=number)

    assert queue() == 1


def test_what_is_committed_after_the_drain_began_rings_again(instance, queue, sink):
    def commit_another(_received) -> None:
        sink.on_request = lambda received: None
        publish(instance, first=2)
        connection.close()

    publish(instance)
    sink.on_request = commit_another

    assert drain().delivered >= 1
    assert queue() == 2


def test_a_transaction_that_is_rolled_back_rings_nothing(instance, queue):
    with transaction.atomic():
        publish(instance)
        transaction.set_rollback(True)

    assert queue() == 0


@pytest.mark.parametrize("url", ["redis://127.0.0.1:9/0", "unix:///nowhere/valkey.sock"])
def test_without_redis_commits_succeed_quickly_and_say_so_once(instance, settings, caplog, url):
    settings.REDIS_URL = url
    began = time.monotonic()

    with caplog.at_level(logging.WARNING, "events.doorbell"):
        for number in range(1, 11):
            publish(instance, first=number)

    assert Event.objects.count() == 10
    assert time.monotonic() - began < 5
    assert [record.message for record in caplog.records] == ["doorbell out of order, beat rings"]


def test_without_redis_the_drain_delivers(instance, settings, sink):
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    publish(instance)

    assert drain().delivered == 1


def test_a_broker_that_takes_no_message_leaves_the_bell_to_the_next_commit(instance, queue, settings):
    server = redis.Redis.from_url(settings.REDIS_URL)
    server.set("delivery", "this is no list to push to")
    publish(instance)
    server.delete("delivery")
    doorbell._silent_until = 0.0

    publish(instance, first=2)

    assert queue() == 1


def test_bells_are_rung_and_answered_apart(instance, queue, settings):
    server = redis.Redis.from_url(settings.REDIS_URL)
    server.delete("callbacks")
    doorbell.CALLBACKS.ring()
    doorbell.CALLBACKS.ring()
    publish(instance)
    doorbell.DELIVERIES.answer()
    publish(instance, first=2)

    assert (queue(), server.llen("callbacks")) == (2, 1)
    server.delete("callbacks")


def test_who_does_not_wait_for_redis_has_rung_all_the_same(queue):
    for _ in range(100):
        doorbell.DELIVERIES.ring_soon()
    until(lambda: queue() == 1)

    doorbell.DELIVERIES.answer()
    doorbell.DELIVERIES.ring_soon()

    until(lambda: queue() == 2)
