"""Bulk downloads: every record once, whatever happens on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.db import connection
from django.db.models.functions import Now

from connectors import hub
from connectors.sandbox import Sandbox
from events.models import Delivery, Event
from instances.configuration import connection_of
from instances.errors import Conflict
from instances.models import Instance
from polling import bulk_queries, bulk_results, bulk_run
from polling.bulk_queries import KeptPage
from polling.bulk_run import pause_after
from polling.models import BulkPage, BulkQuery
from polling.schedule import LostLease
from tests.polling.bulk_driving import asked, instance_at, turn
from tests.polling.driving import on_list

pytestmark = pytest.mark.django_db

ALL = "select * from contacts"
CALLBACK = "http://127.0.0.1:8009/bulk"


@pytest.fixture(scope="module")
def provider():
    with Sandbox.start(contacts=12, companies=3, tickets=2) as running:
        yield running


@pytest.fixture
def sandbox(provider):
    yield provider
    provider.on_request = None
    provider.behave_well()


@pytest.fixture
def instance(owner, sandbox):
    return instance_at(sandbox, user=owner)


def result(query: BulkQuery) -> list[dict[str, Any]]:
    body = b"".join(bulk_results.as_json(query))
    assert len(body) == bulk_results.json_length(query)
    return orjson.loads(body)  # type: ignore[no-any-return]


def ids(query: BulkQuery) -> list[int]:
    return [record["id"] for record in result(query)]


@pytest.mark.parametrize(
    "text",
    [
        ALL,
        "select * from contacts where id > 3 and id < 11",
        "select id, firstName, company.name from contacts where id > 3",
        "select * from incidents",
        "select * from contacts where firstName = 'Nobody'",
    ],
)
def test_the_result_is_what_a_plain_list_answers(instance, text):
    query = turn(asked(instance, text))

    assert (query.state, query.message, query.leased_until) == (BulkQuery.COMPLETED, "", None)
    plain = hub.find(
        connection_of(instance), query.collection, where=query.where or None, fields=query.selected, page_size=1000
    )
    assert result(query) == plain.records()
    assert query.record_count == len(plain.records())
    assert query.finished_at is not None


def test_nulls_are_left_out(instance, sandbox):
    sandbox.behave(body=[{"id": 1, "title": None}])

    assert result(turn(asked(instance, ALL)))[0] == {"id": 1}


def test_nulls_are_kept_where_the_instance_keeps_them(owner, sandbox):
    instance = instance_at(sandbox, user=owner, sent={"filter.response.nulls": "false"})
    sandbox.behave(body=[{"id": 1, "title": None}])

    assert result(turn(asked(instance, ALL)))[0] == {"id": 1, "title": None}


def test_progress_is_told_after_every_turn(instance):
    query = turn(asked(instance, ALL), pages=1)
    assert (query.state, query.record_count, query.total_count, query.leased_until) == ("running", 5, 12, None)
    query = turn(query, pages=1)
    assert query.record_count == 10
    query = turn(query)
    assert (query.state, query.record_count, query.page_count) == ("completed", 12, 3)
    assert ids(query) == sorted(ids(query))


def test_edits_and_deletions_between_turns_neither_hide_nor_repeat_a_record(owner):
    with Sandbox.start(contacts=12, companies=1, tickets=1) as sandbox:
        instance = instance_at(sandbox, user=owner)
        query = turn(asked(instance, ALL), pages=1)
        sandbox.contacts.delete(2)
        sandbox.contacts.edit(11, firstName="Zoe")
        query = turn(query, pages=1)
        sandbox.contacts.delete(12)
        query = turn(query)

    assert ids(query) == list(range(1, 12))


@pytest.mark.parametrize("trouble", [{"drop": True}, {"status": 503}, {"status": 429}, {"body": "<html>"}])
def test_a_provider_that_is_away_is_asked_for_the_same_page_later(instance, sandbox, trouble):
    query = turn(asked(instance, ALL), pages=1)
    sandbox.behave(**trouble)
    waiting = turn(query)

    assert (waiting.state, waiting.record_count, waiting.failures) == (BulkQuery.RUNNING, 5, 1)
    assert waiting.message
    assert bulk_queries.claim() == []  # not before its time

    done = turn(waiting)
    assert (done.state, done.message, done.failures) == (BulkQuery.COMPLETED, "", 0)
    assert ids(done) == list(range(1, 13))


def test_it_gives_up_after_too_many_failures(instance, sandbox, settings):
    settings.POLL_FAILURES_BEFORE_DISABLING = 2
    sandbox.behave(times=2, status=500)
    query = turn(turn(asked(instance, ALL)))

    assert query.state == BulkQuery.FAILED
    assert query.message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("select * from contacts where noSuchField = 1", "noSuchField"),
        ("select * from service/nothing", ""),
    ],
)
def test_what_the_provider_refuses_fails_with_its_words(instance, text, said):
    query = turn(asked(instance, text))

    assert query.state == BulkQuery.FAILED
    assert query.message
    assert said in query.message


def test_a_result_beyond_the_limit_fails(instance, settings):
    settings.BULK_BYTES_LIMIT = 3_000
    query = turn(asked(instance, ALL))

    assert query.state == BulkQuery.FAILED
    assert "longer than 3000 bytes" in query.message


def test_results_of_one_instance_beyond_their_common_limit_fail(instance, settings):
    first = turn(asked(instance, ALL))
    settings.BULK_BYTES_PER_INSTANCE_LIMIT = first.byte_count + 10

    query = turn(asked(instance, ALL))

    assert query.state == BulkQuery.FAILED
    assert f"longer than {first.byte_count + 10} bytes together" in query.message
    settings.BULK_BYTES_PER_INSTANCE_LIMIT = 2 * first.byte_count
    assert turn(asked(instance, ALL)).state == BulkQuery.COMPLETED  # what failed does not count


def test_a_disabled_instance_is_not_read_and_goes_on_later(instance):
    query = turn(asked(instance, ALL), pages=1)
    instance.is_disabled = True
    instance.save()
    assert bulk_queries.claim() == []
    instance.is_disabled = False
    instance.save()

    assert turn(query).state == BulkQuery.COMPLETED


def test_an_instance_that_is_disabled_meanwhile_is_not_begun_and_keeps_no_further_page(instance):
    asked(instance, ALL)
    [claimed] = bulk_queries.claim()
    held = bulk_queries.begin(claimed)
    bulk_queries.keep_page(held, KeptPage(body=b"{}", record_count=1, columns=[], next_page_token="1"))
    Instance.objects.update(is_disabled=True)
    with pytest.raises(LostLease):
        bulk_queries.keep_page(held, KeptPage(body=b"{}", record_count=1, columns=[], next_page_token="2"))
    with pytest.raises(LostLease):
        bulk_queries.begin(held)


def test_what_is_cancelled_meanwhile_keeps_no_further_page(instance, sandbox):
    query = turn(asked(instance, ALL), pages=1)
    BulkQuery.objects.update(leased_until=None)
    [claimed] = bulk_queries.claim()
    held = bulk_queries.begin(claimed)
    bulk_queries.cancel(query_id=query.pk)
    bulk_run.go_on(held)

    query.refresh_from_db()
    assert (query.state, query.record_count) == (BulkQuery.CANCELLED, 5)
    assert bulk_queries.claim() == []


def test_an_older_claim_keeps_nothing(instance):
    asked(instance, ALL)
    [claimed] = bulk_queries.claim()
    held = bulk_queries.begin(claimed)
    page = bulk_queries.KeptPage(body=b"{}", record_count=1, columns=[], next_page_token=None)
    for lost in (claimed, bulk_queries.BulkClaim(held.query_id, held.epoch + 1)):
        with pytest.raises(LostLease):
            bulk_queries.keep_page(lost, page)
    assert BulkPage.objects.count() == 0
    assert bulk_queries.keep_page(held, page).state == BulkQuery.COMPLETED


def test_only_a_few_are_read_at_once_and_only_some_may_wait(instance):
    queries = [asked(instance, ALL) for _ in range(bulk_queries.WAITING_LIMIT)]

    assert len(bulk_queries.claim()) == bulk_queries.RUNNING_AT_ONCE
    assert bulk_queries.claim() == []
    with pytest.raises(Conflict, match="not finished"):
        asked(instance, ALL)
    bulk_queries.cancel(query_id=queries[0].pk)
    asked(instance, ALL)


@pytest.mark.parametrize(("text", "status"), [(ALL, "COMPLETED"), ("select * from contacts where no = 1", "FAILED")])
def test_the_end_is_reported_in_the_same_commit(instance, text, status):
    query = turn(asked(instance, text, callback_url=CALLBACK))

    delivery = Delivery.objects.get()
    assert delivery.subscription.url == CALLBACK
    assert orjson.loads(bytes(Event.objects.get().body)) == bulk_queries.report(query)
    assert bulk_queries.report(query)["status"] == status


def test_a_callback_url_that_is_no_longer_allowed_does_not_hold_the_end_up(instance, settings):
    asked(instance, ALL, callback_url=CALLBACK)
    [claimed] = bulk_queries.claim()
    held = bulk_queries.begin(claimed)
    settings.EGRESS_ALLOW_NETWORKS = []
    page = bulk_queries.KeptPage(body=b"", record_count=0, columns=[], next_page_token=None)

    assert bulk_queries.keep_page(held, page).state == BulkQuery.COMPLETED
    assert Delivery.objects.count() == 0


def test_old_results_are_forgotten_in_small_steps_and_useless_pages_at_once(instance, settings):
    old, fresh, cancelled = (turn(asked(instance, ALL)) for _ in range(3))
    long_ago = Now() - timedelta(days=settings.BULK_RESULT_DAYS, hours=1)
    BulkQuery.objects.filter(pk=old.pk).update(created_at=long_ago, finished_at=long_ago)
    BulkQuery.objects.filter(pk=cancelled.pk).update(state=BulkQuery.CANCELLED)

    assert bulk_queries.forget_old(at_once=2) == 1
    assert set(BulkQuery.objects.values_list("pk", flat=True)) == {fresh.pk, cancelled.pk}
    assert set(BulkPage.objects.values_list("query_id", flat=True)) == {fresh.pk}


def test_what_was_begun_long_ago_and_is_still_read_keeps_its_pages(instance, settings):
    slow = asked(instance, ALL)
    [claimed] = bulk_queries.claim()
    bulk_run.go_on(claimed, pages=1, page_size=5)
    BulkQuery.objects.update(created_at=Now() - timedelta(days=settings.BULK_RESULT_DAYS, hours=1))

    assert bulk_queries.forget_old() == 0
    assert BulkPage.objects.filter(query=slow.pk).count() == 1


def test_pauses_grow_and_obey_the_provider():
    assert [pause_after(count, retry_after=None).total_seconds() for count in (0, 1, 2, 50)] == [2, 4, 8, 300]
    assert pause_after(0, retry_after=timedelta(minutes=20)) == timedelta(minutes=20)
    assert pause_after(0, retry_after=timedelta(days=20)) == timedelta(days=1)


READING_PROCESS = """
import django
from django.conf import settings
settings.DATABASES["default"]["NAME"] = {database!r}
django.setup()
from polling import bulk_queries, bulk_run
[claim] = bulk_queries.claim()
bulk_run.go_on(claim, page_size=5)
print("done", flush=True)
"""


@pytest.mark.stack
@pytest.mark.django_db(transaction=True)
def test_a_process_killed_in_the_middle_is_followed_by_another_that_goes_on_there(instance, sandbox):
    query = asked(instance, ALL)
    script = READING_PROCESS.format(database=connection.settings_dict["NAME"])
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings", "LOG_LEVEL": "WARNING"}
    process = subprocess.Popen([sys.executable, "-c", script], env=environment, text=True, stdout=subprocess.PIPE)
    try:
        on_list(sandbox, 2, lambda: process.send_signal(signal.SIGKILL))
        assert process.wait(60) == -signal.SIGKILL
    finally:
        process.kill()
        process.communicate()
    query.refresh_from_db()
    assert (query.state, query.page_count) == (BulkQuery.RUNNING, 1)
    assert bulk_queries.claim() == []  # taken until the lease ends

    query = turn(query)
    assert (query.state, query.record_count) == (BulkQuery.COMPLETED, 12)
    assert ids(query) == list(range(1, 13))
