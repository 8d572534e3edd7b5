from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from instances import usage
from instances.models import ApiCall
from instances.usage import Call, Recorder
from tests.api_client import Api
from tests.waiting import until

NOON = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)


def call(user: Any, **changes: Any) -> Call:
    values: dict[str, Any] = {
        "request_id": "5b0437c6e4b07731ae39b533",
        "organization_id": user.organization_id,
        "user_id": user.pk,
        "instance_id": 7,
        "element_key": "connectwisecrmrest",
        "method": "GET",
        "path": "/elements/api-v2/hubs/crm/contacts",
        "status": 200,
        "duration_ms": 12,
        "called_at": NOON,
    }
    return Call(**(values | changes))


def calls(user: Any, count: int) -> list[Call]:
    """One a second from noon on."""
    return [
        call(user, request_id=f"{n:024x}", called_at=NOON + timedelta(seconds=n, milliseconds=700))
        for n in range(count)
    ]


def ids(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer.content
    return [int(one["requestId"], 16) for one in answer.json()]


# Reading


def test_call_is_found_by_its_request_id(api, owner):
    usage.write([call(owner)])

    answer = api.get("/usage/5b0437c6e4b07731ae39b533")

    assert answer.status_code == 200
    assert answer.json() == {
        "requestId": "5b0437c6e4b07731ae39b533",
        "createdDate": "2026-05-04T12:00:00Z",
        "method": "GET",
        "path": "/elements/api-v2/hubs/crm/contacts",
        "status": 200,
        "duration": 12,
        "userId": owner.pk,
        "elementInstanceId": 7,
        "elementKey": "connectwisecrmrest",
    }


@pytest.mark.parametrize("request_id", ["0", "-1", "x" * 500, "%00", "5b0437c6e4b07731ae39b534"])
def test_unknown_call_is_404(api, owner, request_id):
    usage.write([call(owner)])

    assert api.get(f"/usage/{request_id}").status_code == 404


def test_stranger_finds_none_of_it(stranger, colleague, owner):
    usage.write([call(owner)])

    assert Api(stranger).get("/usage").status_code == 404
    assert Api(stranger).get("/usage/5b0437c6e4b07731ae39b533").status_code == 404
    assert Api(colleague).get("/usage").status_code == 200
    assert Api(None).get("/usage").status_code == 401


def test_no_calls_are_404(api):
    assert api.get("/usage").status_code == 404


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, [4, 3, 2, 1, 0]),
        ({"from": "2026-05-04T12:00:03Z"}, [4, 3]),
        ({"to": "2026-05-04T12:00:01Z"}, [1, 0]),
        ({"from": "2026-05-04T12:00:01Z", "to": "2026-05-04T12:00:01Z"}, [1]),
        ({"from": "2026-05-04T14:00:03+02:00"}, [4, 3]),
        ({"from": "2026-05-04T14:00:03 02:00"}, [4, 3]),
        ({"from": "2026-05-04T12:00:03"}, [4, 3]),
        ({"from": "2026-05-04", "to": "9999-12-31"}, [4, 3, 2, 1, 0]),
        ({"pageSize": "2"}, [4, 3]),
        ({"pageSize": "2", "pageOffset": "1"}, [2, 1]),
        ({"pageSize": "2", "page": "3"}, [0]),
    ],
)
def test_list_is_newest_first_and_of_the_time_asked_for(api, owner, asked, expected):
    usage.write(calls(owner, 5))

    assert ids(api.get("/usage", **asked)) == expected


def test_walk_by_next_page_meets_every_call_once_while_more_are_made(api, owner):
    usage.write(calls(owner, 3))
    seen: list[int] = []
    token: str | None = "null"

    while token is not None:
        answer = api.get("/usage", pageSize="1", nextPage=token)
        seen += ids(answer)
        token = answer.headers.get("Elements-Next-Page-Token")
        usage.write([call(owner, request_id=f"{100 + len(seen):024x}")])

    assert seen == [2, 1, 0]


@pytest.mark.parametrize(
    "asked",
    [
        {"from": "yesterday"},
        {"to": "2026-13-01"},
        {"from": "0001-01-01T00:00:00+14:00"},
        {"from": "2026-05-04", "to": "2026-05-03"},
        {"pageOffset": "-1"},
        {"pageSize": "0"},
        {"nextPage": "x"},
    ],
)
def test_what_is_no_time_and_no_page_is_400(api, owner, asked):
    usage.write([call(owner)])

    assert api.get("/usage", **asked).status_code == 400


# Forgetting


def test_calls_are_forgotten_after_their_time(owner):
    now = timezone.now()
    usage.write(
        [call(owner, request_id=str(hours), called_at=now - timedelta(hours=hours)) for hours in (1, 47, 49, 99)]
    )

    assert usage.forget_old(now=now, kept=timedelta(days=5), at_once=1) == 0
    assert usage.forget_old(now=now, kept=timedelta(days=2), at_once=1) == 2

    assert set(ApiCall.objects.values_list("request_id", flat=True)) == {"1", "47"}


# Writing


@pytest.fixture
def recorder():
    made = Recorder(pause_seconds=0.01)
    yield made
    made.stop()


@pytest.mark.django_db(transaction=True)
class TestThread:
    """Its connection is its own, so what it writes has to be committed to be seen."""

    def test_call_is_written_soon_whatever_its_path(self, owner, recorder):
        recorder.start()

        recorder.take(call(owner, path="/a\x00\ufffd" + "b" * 900, method="PROPFIND" * 5))

        written = until(ApiCall.objects.first)
        assert written.path == "/a\ufffd\ufffd" + "b" * 496
        assert written.method == "PROPFINDPROPFIND"

    def test_what_waits_at_the_end_is_written(self, owner):
        recorder = Recorder(pause_seconds=3600)
        recorder.start()
        for one in calls(owner, 5):
            recorder.take(one)
        assert not ApiCall.objects.exists()

        recorder.stop()

        assert ApiCall.objects.count() == 5

    def test_calls_wait_until_the_database_is_back(self, owner, recorder, caplog):
        caplog.set_level(logging.INFO)
        recorder.start()
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE instances_apicall")
            recorder.take(call(owner, request_id="first"))
            backend = until(lambda: waiting_backend(cursor))
            recorder.take(call(owner, request_id="second"))
            cursor.execute("SELECT pg_terminate_backend(%s)", [backend])
            until(lambda: "the database is away" in caplog.text)
            assert not ApiCall.objects.exists()

        until(lambda: ApiCall.objects.count() == 2)
        assert list(ApiCall.objects.order_by("pk").values_list("request_id", flat=True)) == ["first", "second"]

    def test_call_that_nothing_can_store_takes_no_others_with_it_for_ever(self, owner, recorder):
        recorder.start()
        recorder.take(call(owner, status=99_999))
        recorder.take(call(owner, request_id="later"))
        until(lambda: not recorder._waiting)
        recorder.take(call(owner, request_id="latest"))

        assert until(lambda: ApiCall.objects.filter(request_id="latest").exists())

    def test_full_queue_takes_no_more_and_tells_how_many_were_lost(self, owner, caplog):
        recorder = Recorder(most_waiting=3, pause_seconds=3600)
        recorder.start()

        for one in calls(owner, 5):
            recorder.take(one)
        recorder.stop()

        assert ApiCall.objects.count() == 3
        [line] = [one for one in caplog.records if "too many were waiting" in one.message]
        assert line.calls == 2


def waiting_backend(cursor: Any) -> int | None:
    cursor.execute("SELECT pid FROM pg_locks WHERE relation = 'instances_apicall'::regclass AND NOT granted")
    row = cursor.fetchone()
    return row[0] if row else None


def test_nothing_is_kept_where_nobody_writes(owner):
    recorder = Recorder()

    recorder.take(call(owner))

    assert not recorder._waiting
