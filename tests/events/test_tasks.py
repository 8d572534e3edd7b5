"""The drain as Celery runs it."""

from __future__ import annotations

import os
from datetime import timedelta

import psycopg
import pytest
from django.db import connection
from django.db.models.functions import Now

from config.celery import app
from events import doorbell, replay_requests, replays, tasks
from events.models import Callback, Delivery, Event, Replay
from tests.events.conftest import publish
from tests.factories import InboxFactory

# The task replaces connections that are in no state to be used, and a test's open transaction looks like one.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def running_worker():
    tasks.note_start()
    yield
    tasks.note_start()


def test_the_task_is_known_under_the_name_that_the_bell_and_beat_use(settings):
    assert "events.tasks.deliver" in app.tasks
    assert app.amqp.router.route({}, "events.tasks.deliver")["queue"].name == "delivery"
    assert "events.tasks.deliver" in {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}


def test_a_message_of_a_newer_release_delivers_too(instance, sink, running_worker):
    publish(instance)

    tasks.deliver(shard=3)

    assert Delivery.objects.get().state == Delivery.DELIVERED


def test_a_connection_that_broke_between_two_messages_is_replaced(instance, sink, running_worker):
    publish(instance)
    kept = connection.connection
    with kept.cursor() as cursor:
        pid = cursor.execute("SELECT pg_backend_pid()").fetchone()[0]
    with psycopg.connect(kept.info.dsn) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [pid])

    tasks.deliver()

    assert Delivery.objects.get().state == Delivery.DELIVERED


def test_a_stopping_worker_begins_nothing(instance, sink, running_worker):
    publish(instance)

    tasks.note_stop()
    tasks.deliver()
    assert sink.received == []

    tasks.note_start()
    tasks.deliver()
    assert len(sink.received) == 1


def test_pool_processes_see_that_the_worker_stops(running_worker):
    came, went = os.pipe()
    child = os.fork()
    if child == 0:
        os.read(came, 1)
        os._exit(tasks._stopping[0])
    tasks.note_stop()
    os.write(went, b"!")

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    os.close(came)
    os.close(went)


def test_callbacks_are_standardized_under_the_name_that_the_bell_and_beat_use(settings):
    assert app.amqp.router.route({}, doorbell.CALLBACKS.task)["queue"].name == doorbell.CALLBACKS.queue
    assert doorbell.CALLBACKS.task in app.tasks
    (entry,) = [one for one in settings.CELERY_BEAT_SCHEDULE.values() if one["task"] == doorbell.CALLBACKS.task]
    assert entry["options"] == {"queue": "callbacks", "expires": 10}


def store_a_deletion() -> None:
    instance = InboxFactory.create(accepts_unsigned=True).instance
    assert instance is not None
    Callback.objects.create(instance=instance, method="POST", body=b'{"Action":"deleted","Type":"contact","ID":7}')


def test_the_task_standardizes_what_waits(running_worker):
    store_a_deletion()

    tasks.standardize(shard=3)

    assert Callback.objects.get().state == Callback.DONE
    assert Event.objects.count() == 1


def test_a_worker_that_is_to_stop_begins_with_no_callback(running_worker):
    store_a_deletion()
    tasks.note_stop()

    tasks.standardize()

    assert Callback.objects.get().epoch == 0


def test_old_events_are_forgotten_under_the_name_that_beat_uses(settings, instance):
    (event,) = publish(instance)
    Delivery.objects.update(state=Delivery.DELIVERED)
    Event.objects.update(created_at=Now() - timedelta(days=31))
    entries = {entry["task"]: entry["options"]["queue"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}

    tasks.tend_lines()
    tasks.prune()

    assert not Event.objects.filter(pk=event.pk).exists()
    assert {entries[tasks.prune.name], entries[tasks.tend_lines.name]} == {"callbacks"}


def test_replays_go_on_when_beat_says_so(settings):
    (entry,) = [one for one in settings.CELERY_BEAT_SCHEDULE.values() if one["task"] == "events.tasks.replay"]

    assert entry["schedule"] <= 1
    assert app.amqp.router.route({}, entry["task"])["queue"].name == entry["options"]["queue"] == "callbacks"


def test_a_message_of_a_newer_release_lets_replays_go_on(instance, owner, running_worker):
    publish(instance)
    Delivery.objects.update(state=Delivery.DELIVERED)
    replay = replays.create(
        user=owner, organization=owner.organization, asked=replay_requests.parse({"instanceId": instance.pk})
    )

    tasks.replay(shard=3)

    replay.refresh_from_db()
    assert (replay.begun, replay.state) == (1, Replay.FINISHED)
    assert Delivery.objects.get().state == Delivery.PENDING
