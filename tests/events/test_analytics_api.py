"""How many events there were and how their notifications went, as clients see it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from events.deliver import drain
from events.models import Event
from events.posting import post_to
from instances.models import Organization, User
from tests.api_client import Api
from tests.events.conftest import make_instance, publish
from tests.events.sink import Sink

pytestmark = pytest.mark.django_db

COUNTS = "/instances/events/analytics"
INSTANCES = "/instances/events/analytics/instances"
ACCOUNTS = "/instances/events/analytics/accounts"
DISPOSITIONS = "/instances/events/dispositions"
TEN = datetime(2026, 5, 1, 10, tzinfo=UTC)
HOUR = {"from": "2026-05-01T10:00:00Z", "to": "2026-05-01T11:00:00Z", "interval": "minute"}


def happened(instance, *moments: datetime) -> list[Event]:
    """Events of an instance that were recorded at these moments."""
    events = publish(instance, len(moments), first=Event.objects.count() + 1)
    for event, moment in zip(events, moments, strict=True):
        Event.objects.filter(pk=event.pk).update(created_at=moment)
    return events


def after(**length: float) -> datetime:
    return TEN + timedelta(**length)


@pytest.fixture
def broken():
    """A receiver that takes nothing."""
    with Sink() as sink:
        sink.answer(500)
        yield sink


class TestCounts:
    def test_an_hour_by_minute_is_61_buckets_with_every_event_of_the_hour(self, api, instance):
        happened(
            instance,
            after(microseconds=-1),
            after(),
            after(minutes=1, seconds=59.9),
            after(minutes=1),
            after(hours=1, milliseconds=999),
            after(hours=1, seconds=1),
        )

        answer = api.get(COUNTS, **HOUR)

        buckets = answer.json()
        assert (answer.status_code, len(buckets)) == (200, 61)
        assert {bucket["timestamp"]: bucket["count"] for bucket in buckets if bucket["count"]} == {
            "2026-05-01T10:00:00Z": 1,
            "2026-05-01T10:01:00Z": 2,
            "2026-05-01T11:00:00Z": 1,
        }

    @pytest.mark.parametrize("interval", ["year", "quarter", "month", "week", "day", "hour", "minute", "second"])
    def test_by_any_interval_every_event_is_counted(self, api, instance, interval):
        happened(instance, after(), after(seconds=7))

        buckets = api.get(COUNTS, **(HOUR | {"interval": interval})).json()

        assert sum(bucket["count"] for bucket in buckets) == 2

    def test_without_a_question_it_is_the_last_day(self, api, instance):
        publish(instance, 3)

        assert sum(bucket["count"] for bucket in api.get(COUNTS).json()) == 3

    def test_events_are_the_instances_own_not_what_was_posted(self, api, instance, sink):
        post_to(instance=instance, url=sink.url, message={})

        assert sum(bucket["count"] for bucket in api.get(COUNTS).json()) == 0


class TestTallies:
    def test_success_and_failure_are_told_apart_by_instance(self, api, owner, sink, broken):
        good, bad, quiet = (make_instance(owner, url) for url in (sink.url, broken.url, ""))
        happened(good, after(), after(minutes=2))
        happened(bad, after())
        happened(quiet, after())
        drain()
        happened(good, after())

        buckets = api.get(INSTANCES, **HOUR).json()

        assert buckets[0] == {
            "timestamp": "2026-05-01T10:00:00Z",
            "total": 4,
            "count": 4,
            "records": [
                {"instanceId": good.pk, "count": 2, "success": 1, "failed": 0},
                {"instanceId": bad.pk, "count": 1, "success": 0, "failed": 1},
                {"instanceId": quiet.pk, "count": 1, "success": 0, "failed": 0},
            ],
        }
        assert buckets[1] == {"timestamp": "2026-05-01T10:01:00Z", "total": 0, "count": 0, "records": []}
        assert (buckets[2]["total"], len(buckets)) == (1, 61)

    def test_accounts_are_the_callers_own(self, api, owner, stranger, sink):
        happened(make_instance(owner, sink.url), after())
        happened(make_instance(owner, ""), after())
        happened(make_instance(stranger, sink.url), after())
        drain()

        (first, *_) = api.get(ACCOUNTS, **HOUR, **{"accountIds[]": owner.organization_id}).json()

        assert first["records"] == [{"accountId": owner.organization_id, "count": 2, "success": 1, "failed": 0}]

    def test_what_one_receiver_took_has_not_failed_because_of_another(self, api, owner, sink, broken):
        instance = make_instance(owner, sink.url)
        Api(owner).post(
            "/notifications/subscriptions",
            {"channel": "webhook", "topics": [instance.topic], "config": {"url": broken.url}},
        )
        happened(instance, after())
        drain()

        (first, *_) = api.get(INSTANCES, **HOUR).json()

        assert first["records"] == [{"instanceId": instance.pk, "count": 1, "success": 1, "failed": 0}]

    def test_what_waits_queued_has_failed(self, api, instance, subscription):
        subscription.state = subscription.DEACTIVATED
        subscription.save()
        happened(instance, after())

        (first, *_) = api.get(INSTANCES, **HOUR).json()

        assert first["records"][0]["failed"] == 1


class TestDispositions:
    def test_each_attempt_is_a_message(self, api, owner, sink):
        Organization.objects.update(failure_policy=Organization.QUEUE)
        instance = make_instance(owner, sink.url + "?secret=canary")
        sink.answer(503)
        (event,) = publish(instance)
        drain()
        sink.answer(200)
        api.call("PUT", "/notifications/subscriptions/deliveries", where="status='queued'")
        drain()
        publish(make_instance(owner, ""))

        answer = api.get(DISPOSITIONS)

        assert answer.json() == [
            {
                "eventId": str(event.pk),
                "elementInstanceId": instance.pk,
                "notificationData": [
                    {"message": f"Error delivering event {event.pk} to 127.0.0.1, attempt 1: HTTP 503"},
                    {"message": f"Delivered event {event.pk} to 127.0.0.1, attempt 2"},
                ],
            }
        ]
        assert answer.headers["Elements-Returned-Count"] == "1"

    def test_pages_and_times_are_kept_to(self, api, instance):
        first, second, _ = happened(instance, after(), after(minutes=1), after(hours=2))
        drain()

        pages = [api.get(DISPOSITIONS, **HOUR, pageSize=1, page=page).json() for page in (1, 2, 3)]

        assert [[one["eventId"] for one in page] for page in pages] == [[str(second.pk)], [str(first.pk)], []]


class TestWhoMayAskWhat:
    @pytest.mark.parametrize("path", [COUNTS, INSTANCES, ACCOUNTS, DISPOSITIONS])
    def test_a_stranger_counts_nothing_of_ours(self, stranger, instance, path):
        publish(instance)
        drain()

        answer = Api(stranger).get(path)

        assert answer.status_code == 200
        assert all(bucket["count"] == 0 and not bucket.get("records") for bucket in answer.json())

    @pytest.mark.parametrize("path", [COUNTS, INSTANCES, ACCOUNTS, DISPOSITIONS])
    @pytest.mark.parametrize(
        "query, status",
        [
            ({"from": "2026-05-02T00:00:00Z", "to": "2026-05-01T00:00:00Z"}, 400),
            ({"from": "yesterday"}, 400),
            ({"accountIds[]": "0"}, 403),
            ({"accountIds[]": "x"}, 403),
        ],
    )
    def test_refusals_say_why(self, api, path, query, status):
        answer = api.get(path, **query)

        assert answer.status_code == status
        assert answer.json()["requestId"]
        assert next(iter(query)) in answer.json()["message"]

    @pytest.mark.parametrize("path", [COUNTS, INSTANCES, ACCOUNTS])
    def test_a_day_by_second_is_too_much(self, api, path):
        day = {"from": "2026-05-01T00:00:00Z", "to": "2026-05-02T00:00:00Z"}

        assert api.get(path, **day, interval="second").status_code == 400

    def test_the_account_of_others_is_refused(self, api, stranger):
        assert api.get(COUNTS, **{"accountIds[]": stranger.organization_id}).status_code == 403

    def test_a_viewer_may_ask(self, colleague, instance):
        User.objects.filter(pk=colleague.pk).update(role=User.VIEWER)
        publish(instance)
        drain()

        assert Api(colleague).get(DISPOSITIONS).json()[0]["notificationData"]
