"""Who looks after a queue is known from what workers take out of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from celery.signals import task_prerun
from django.db import connection
from django.utils import timezone

import config.celery  # noqa: F401  # makes the project's application the current one, as every process does
from events import deliver
from instances import heartbeats
from instances.models import Heartbeat
from instances.tasks import begin_heartbeats, forget_old_calls


@pytest.fixture
def worker() -> Iterator[None]:
    """This process, for as long as the test goes."""
    begin_heartbeats()
    yield
    heartbeats.end()


def take(queue: str) -> None:
    forget_old_calls.push_request(delivery_info={"routing_key": queue})
    task_prerun.send(sender=forget_old_calls, task=forget_old_calls)
    forget_old_calls.pop_request()


def test_taking_a_task_is_noted_for_its_queue_and_not_again_at_once(db, worker, django_assert_num_queries):
    take("callbacks")

    pulses = {pulse.queue: pulse for pulse in heartbeats.pulses()}
    assert not pulses["callbacks"].is_silent(timezone.now())
    assert pulses["callbacks"].is_silent(timezone.now() + timedelta(seconds=61))
    assert pulses["polling"].is_silent(timezone.now())
    with django_assert_num_queries(0):
        take("callbacks")
        take("no queue of ours")


def test_a_drain_that_takes_no_other_task_is_still_seen(transactional_db, worker):
    deliver.drain()

    assert Heartbeat.objects.get().queue == "delivery"


def test_whoever_is_no_worker_notes_nothing(db):
    take("polling")

    assert not Heartbeat.objects.exists()


def test_the_task_is_done_although_nothing_can_be_noted(transactional_db, worker, caplog):
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    try:
        take("polling")
        take("polling")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SET default_transaction_read_only = off")

    assert caplog.text.count("heartbeat not noted") == 1
