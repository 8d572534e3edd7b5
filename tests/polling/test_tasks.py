from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import redis
from celery import current_app
from django.conf import settings
from django.db import connection
from django.db.models.functions import Now
from kombu.exceptions import KombuError

from instances import provisioning
from polling import bulk_queries, doorbell, jobs, schedule, tasks
from polling.job_requests import JobRequest
from polling.models import BulkQuery, Job, PollCursor, PollRun
from tests.polling.bulk_driving import asked

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _empty_queue() -> None:
    waiting()


@pytest.fixture
def no_broker() -> Iterator[None]:
    """Nobody listens where the messages should go."""
    conf: Any = current_app.conf
    app: Any = current_app
    conf.broker_write_url = "redis+socket:///nowhere/valkey.sock"
    app._after_fork()  # closes the connections that are open
    yield
    conf.broker_write_url = None
    app._after_fork()


def waiting() -> list[tuple[str, dict[str, Any]]]:
    """Takes the messages from the queue: task and arguments."""
    found = []
    with current_app.connection_for_read() as broker:
        channel: Any = broker.default_channel
        while message := channel.basic_get("polling", no_ack=True):
            found.append((message.headers["task"], message.payload[1]))
    return found


def many_cursors(instance, count: int) -> None:
    template = PollCursor.objects.get(instance=instance)
    PollCursor.objects.bulk_create(
        PollCursor(
            instance=instance, resource=f"r{number}", watermark=template.watermark, baseline_at=template.baseline_at
        )
        for number in range(count - 1)
    )


def claims_in(messages: list[tuple[str, dict[str, Any]]]) -> list[int]:
    return sorted(cursor_id for _, arguments in messages for cursor_id, _ in arguments["claims"])


def test_a_sweep_sends_what_is_due_to_the_workers(instance):
    waiting()
    tasks.sweep(invented_later=True)
    [(task, arguments)] = waiting()

    cursor = PollCursor.objects.get()
    assert (task, arguments) == ("polling.tasks.poll", {"claims": [[cursor.pk, cursor.epoch]]})
    tasks.sweep()
    assert waiting() == []


def test_many_due_cursors_travel_in_tens_and_few_alone(instance):
    many_cursors(instance, 1_203)
    waiting()
    tasks.sweep()
    messages = waiting()

    assert claims_in(messages) == sorted(PollCursor.objects.values_list("pk", flat=True))
    sizes = [len(arguments["claims"]) for _, arguments in messages]
    assert sizes[:100] == [10] * 100
    assert max(sizes[100:]) == 4  # 203 are shared among more workers


def test_a_long_queue_is_not_made_longer(instance, monkeypatch):
    monkeypatch.setattr(tasks, "MOST_MESSAGES_WAITING", 3)
    many_cursors(instance, 100)
    waiting()
    tasks.sweep()
    messages = waiting()
    assert len(claims_in(messages)) == 30
    assert len(schedule.claim(limit=1_000)) == 70

    PollCursor.objects.update(leased_until=None)
    for _ in range(3):
        tasks.poll.apply_async(kwargs={"claims": []})
    tasks.sweep()
    assert claims_in(waiting()) == []


def test_claims_that_could_not_be_sent_are_due_again(instance):
    """A Redis that is out of memory answers questions and takes no messages."""
    server = redis.Redis.from_url(settings.REDIS_URL)
    server.config_set("maxmemory", 1)
    try:
        with pytest.raises(KombuError, match="maxmemory"):
            tasks.hand_out()
    finally:
        server.config_set("maxmemory", 0)

    assert PollCursor.objects.get().epoch >= 3  # begun, claimed, released
    assert len(schedule.claim(limit=9)) == 1


def test_saving_an_instance_survives_a_dead_broker(instance, no_broker):
    started_at = time.monotonic()
    provisioning.update(instance_id=instance.pk, configuration={"event.poller.refresh_interval": 5})

    assert time.monotonic() - started_at < 2 * doorbell.PATIENCE_SECONDS
    instance.refresh_from_db()
    assert instance.poll_interval_minutes == 5
    assert len(schedule.claim(limit=9)) == 1  # for the sweep of beat


def test_a_worker_whose_connection_broke_gets_another(instance, sandbox):
    claims = [(one.cursor_id, one.epoch) for one in schedule.claim(limit=9)]
    end_other_connections_from_elsewhere()
    tasks.poll(claims=claims)

    assert PollCursor.objects.get().last_polled_at is not None


def test_a_database_that_goes_away_during_a_poll_ends_that_poll_only(connect, sandbox, caplog):
    connect(sandbox)
    connect(sandbox)
    claims = [(one.cursor_id, one.epoch) for one in schedule.claim(limit=9)]

    def go_away(_request: object) -> None:
        sandbox.on_request = None
        end_other_connections_from_elsewhere()

    sandbox.on_request = go_away
    tasks.poll(claims=claims)

    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == ["poll broken off"]
    assert sorted(PollCursor.objects.values_list("is_baseline_read", "failures")) == [(False, 0), (True, 0)]
    assert schedule.claim(limit=9) == []  # until its lease ends
    PollCursor.objects.update(leased_until=Now())
    assert len(schedule.claim(limit=9)) == 1


def end_other_connections_from_elsewhere() -> None:
    def end() -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        connection.close()

    thread = threading.Thread(target=end)
    thread.start()
    thread.join(10)


def test_bulk_downloads_are_rung_for_handed_out_and_go_on_in_turns(instance):
    """Through the messages that a worker would get, one after the other."""
    waiting()
    query = asked(instance, "select * from contacts")
    doorbell.ring_on_commit(doorbell.BULK_QUERIES)
    assert [task for task, _ in waiting()] == ["polling.tasks.sweep_bulk_queries"]

    tasks.sweep_bulk_queries(invented_later=True)
    [(task, arguments)] = waiting()
    assert task == "polling.tasks.go_on_with_bulk_query"
    assert arguments["query_id"] == query.pk
    tasks.go_on_with_bulk_query(**arguments, invented_later=True)
    query.refresh_from_db()
    assert (query.state, query.record_count) == (BulkQuery.COMPLETED, 12)

    tasks.go_on_with_bulk_query(**arguments)  # a doubled message
    assert (waiting(), BulkQuery.objects.get().record_count) == ([], 12)


def test_whoever_waits_for_a_turn_gets_it_when_another_has_ended(instance):
    waiting()
    queries = [asked(instance, "select * from contacts") for _ in range(bulk_queries.RUNNING_AT_ONCE + 1)]
    tasks.sweep_bulk_queries()
    first, *_ = messages = waiting()
    assert len(messages) == bulk_queries.RUNNING_AT_ONCE
    tasks.go_on_with_bulk_query(**first[1])

    assert [arguments["query_id"] for _, arguments in waiting()] == [queries[-1].pk]


def test_due_jobs_are_handed_out_and_run(instance, owner):
    wanted = JobRequest(
        name="Job", description="", method="GET", uri="/contacts", query={}, body=None, cron="0 0 0 * * ?"
    )
    job = jobs.create(instance=instance, user=owner, wanted=wanted)
    tasks.sweep_jobs()
    assert [task for task, _ in waiting() if task == "polling.tasks.run_job"] == []
    Job.objects.update(next_run_at=job.created_at)

    tasks.sweep_jobs(invented_later=True)
    [arguments] = [arguments for task, arguments in waiting() if task == "polling.tasks.run_job"]
    tasks.run_job(**arguments, invented_later=True)
    job.refresh_from_db()
    assert job.last_status == Job.SUCCEEDED


def test_a_broker_that_is_away_leaves_bulk_downloads_and_jobs_to_a_later_sweep(instance, no_broker):
    query = asked(instance, "select * from contacts")
    tasks.sweep_bulk_queries()
    doorbell.ring(doorbell.BULK_QUERIES)

    query.refresh_from_db()
    assert query.leased_until is not None


def test_old_results_are_forgotten_by_the_hour(instance):
    asked(instance, "select * from contacts")
    long_ago = Now() - timedelta(days=settings.BULK_RESULT_DAYS, hours=1)
    BulkQuery.objects.update(state=BulkQuery.COMPLETED, finished_at=long_ago)
    PollRun.objects.create(instance=instance, resource="contacts", began_at=long_ago)
    tasks.forget_old(invented_later=True)

    assert not BulkQuery.objects.exists()
    assert not PollRun.objects.exists()
