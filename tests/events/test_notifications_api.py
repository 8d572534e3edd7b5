"""Notifications as clients post, find, acknowledge and delete them."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest

from events import claims, outcomes
from events.deliver import drain
from events.models import Delivery, DeliveryAttempt, Event, Subscription
from events.outcomes import Ended
from events.posting import post_to
from events.retries import AFRESH, ErrorClass
from instances.models import User
from tests.api_client import Api
from tests.events.conftest import make_instance, publish

pytestmark = pytest.mark.django_db

SENT = {"severity": "high", "topic": "news", "message": "Read all about it", "from": "the editor"}


@pytest.fixture
def viewer(colleague) -> Api:
    User.objects.filter(pk=colleague.pk).update(role=User.VIEWER)
    return Api(colleague)


def ids(answer) -> list[int]:
    assert answer.status_code == 200
    return [one["id"] for one in answer.json()]


class TestPosting:
    def test_posted_read_and_delivered(self, api, sink):
        api.post(
            "/notifications/subscriptions", {"channel": "webhook", "topics": ["news"], "config": {"url": sink.url}}
        )

        answer = api.post("/notifications", SENT)
        drain()

        posted = answer.json()
        assert answer.status_code == 200
        assert posted == {
            **SENT,
            "id": posted["id"],
            "createdDate": Event.objects.get().created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "active": True,
            "acknowledged": False,
        }
        assert api.get(f"/notifications/{posted['id']}").json() == posted
        assert posted | sink.received[0].json == posted
        (delivery,) = api.get(f"/notifications/{posted['id']}/subscriptions/deliveries", hydrate="true").json()
        assert (delivery["status"], delivery["notification"]) == ("delivered", posted)

    def test_topic_and_message_will_do(self, api):
        posted = api.post("/notifications", {"topic": "news", "message": {"any": ["json"]}}).json()

        assert (posted["severity"], posted["from"], posted["message"]) == ("low", "news", {"any": ["json"]})

    @pytest.mark.parametrize(
        "change, named",
        [
            ({"topic": None}, "topic"),
            ({"topic": ""}, "topic"),
            ({"topic": 7}, "topic"),
            ({"topic": "switchyard.subscription.deactivated"}, "topic"),
            ({"topic": "x" * 256}, "topic"),
            ({"message": None}, "message"),
            ({"severity": "urgent"}, "severity"),
            ({"severity": ["low"]}, "severity"),
            ({"from": {}}, "from"),
        ],
    )
    def test_what_cannot_be_posted_is_refused_by_name(self, api, change, named):
        answer = api.post("/notifications", SENT | change)

        assert answer.status_code == 400
        assert answer.json()["message"].startswith(named)
        assert not Event.objects.exists()

    @pytest.mark.parametrize("body", [{}, [], "text", None])
    def test_nothing_to_post_is_refused(self, api, body):
        assert api.post("/notifications", body).status_code == 400


class TestFinding:
    def test_by_any_of_several_topics_newest_first(self, api):
        first, _, third = (
            api.post("/notifications", SENT | {"topic": topic}).json()["id"] for topic in ("one", "two", "three")
        )

        assert ids(api.call("GET", "/notifications", **{"topics[]": ["one", "three"]})) == [third, first]

    def test_pages(self, api):
        posted = [api.post("/notifications", SENT).json()["id"] for _ in range(3)]

        first = api.get("/notifications", **{"topics[]": "news"}, pageSize=2)
        token = first.headers["Elements-Next-Page-Token"]
        second = api.get("/notifications", **{"topics[]": "news"}, pageSize=2, nextPage=token)

        assert ids(first) + ids(second) == posted[::-1]

    def test_an_unknown_topic_has_none(self, api):
        assert ids(api.get("/notifications", **{"topics[]": "unknown"})) == []

    @pytest.mark.parametrize("query", ["", "?topics[]=", "?topics[]=a%00", "?" + "topics[]=a&" * 101])
    def test_without_topics_nobody_knows_what_is_meant(self, api, query):
        answer = api.get("/notifications" + query)

        assert answer.status_code == 400
        assert "topics[]" in answer.json()["message"]

    def test_an_instances_topic_finds_its_events_as_they_are_sent_and_what_was_posted_to_it(
        self, api, owner, instance, sink
    ):
        (event,) = publish(instance)
        publish(make_instance(owner, sink.url))
        post_to(instance=instance, url=sink.url, message={"status": "COMPLETED"})
        posted = api.post("/notifications", SENT | {"topic": instance.topic}).json()

        found = api.get("/notifications", **{"topics[]": instance.topic}).json()

        sent = orjson.loads(bytes(event.body))
        assert found == [posted, {**sent, "active": True, "acknowledged": False}]

    def test_another_elements_topic_is_another_topic(self, api, instance):
        publish(instance)

        assert ids(api.get("/notifications", **{"topics[]": f"instance-{instance.pk}-connectwisehd-events"})) == []

    def test_what_went_to_one_url_is_read_in_a_notifications_form(self, api, instance, sink):
        event_id = post_to(instance=instance, url=sink.url, message={"status": "COMPLETED"})

        found = api.get(f"/notifications/{event_id}").json()

        assert (found["from"], found["topic"], found["message"]) == (instance.topic, "", {"status": "COMPLETED"})


class TestAcknowledging:
    def test_it_says_so_from_then_on(self, api, instance):
        (event,) = publish(instance)
        path = f"/notifications/{event.pk}"

        answer = api.put(path + "/acknowledge", b"no json at all")

        assert (answer.status_code, answer.json()["acknowledged"]) == (200, True)
        assert api.get(path).json() == answer.json()

    def test_the_first_time_counts(self, api):
        path = f"/notifications/{api.post('/notifications', SENT).json()['id']}/acknowledge"
        api.put(path)
        first = Event.objects.get().acknowledged_at

        api.put(path)

        assert Event.objects.get().acknowledged_at == first is not None


class TestDeleting:
    def test_its_deliveries_go_with_it_and_nothing_else(self, api, instance, sink):
        deleted, kept = publish(instance, 2)
        drain()

        answer = api.delete(f"/notifications/{deleted.pk}")

        assert (answer.status_code, api.get(f"/notifications/{deleted.pk}").status_code) == (200, 404)
        assert [one.pk for one in Event.objects.all()] == [kept.pk]
        assert [one.event_id for one in Delivery.objects.all()] == [kept.pk]
        assert DeliveryAttempt.objects.get().delivery.event_id == kept.pk

    def test_what_waits_is_not_sent(self, api, instance, sink):
        (event,) = publish(instance)

        api.delete(f"/notifications/{event.pk}")

        assert (drain().attempts, sink.received) == (0, [])

    def test_deleted_while_it_is_being_sent(self, api, instance, sink):
        (event,) = publish(instance)
        (claim,) = claims.claim(limit=10)

        api.delete(f"/notifications/{event.pk}")
        lost = outcomes.write(
            [
                Ended(
                    claim=claim,
                    verdict=AFRESH,
                    started_at=datetime.now(UTC),
                    duration_ms=5,
                    status=200,
                    error_class=ErrorClass.NONE,
                    error="",
                    excerpt=b"",
                )
            ]
        )

        assert lost == [claim.delivery_id]
        assert not DeliveryAttempt.objects.exists()


class TestEventsOfInstances:
    def test_what_was_posted_is_none_of_them(self, api, instance, sink):
        (event,) = publish(instance)
        messages = [
            post_to(instance=instance, url=sink.url, message={}),
            api.post("/notifications", SENT | {"topic": instance.topic}).json()["id"],
        ]

        assert [one["id"] for one in api.get(f"/instances/{instance.pk}/events").json()] == [str(event.pk)]
        for event_id in messages:
            assert api.get(f"/instances/events/{event_id}").status_code == 404
            assert api.get(f"/instances/{instance.pk}/events/{event_id}").status_code == 404


class TestWhoMay:
    def test_a_stranger_finds_nothing_and_reaches_nobody(self, api, instance, stranger, sink):
        publish(instance)
        intruder = Api(stranger)
        posted = api.post("/notifications", SENT).json()["id"]

        intruder.post("/notifications", SENT | {"topic": instance.topic})

        assert len(ids(api.get("/notifications", **{"topics[]": instance.topic}))) == 1
        assert len(ids(intruder.get("/notifications", **{"topics[]": instance.topic}))) == 1
        for call in (
            intruder.get(f"/notifications/{posted}"),
            intruder.put(f"/notifications/{posted}/acknowledge"),
            intruder.delete(f"/notifications/{posted}"),
        ):
            assert call.status_code == 404
        assert Delivery.objects.count() == 1
        assert Event.objects.get(pk=posted).acknowledged_at is None

    def test_a_viewer_sees_that_there_is_one_but_not_what_and_changes_nothing(self, api, viewer):
        posted = api.post("/notifications", SENT).json()
        path = f"/notifications/{posted['id']}"

        shown = viewer.get(path).json()

        assert shown == {name: value for name, value in posted.items() if name != "message"}
        assert viewer.get("/notifications", **{"topics[]": "news"}).json() == [shown]
        refused = (viewer.post("/notifications", SENT), viewer.put(path + "/acknowledge"), viewer.delete(path))
        assert [answer.status_code for answer in refused] == [403, 403, 403]

    @pytest.mark.parametrize("number", ["-1", "0", "x", "9" * 30])
    def test_ids_that_cannot_be_are_not_found(self, api, number):
        path = f"/notifications/{number}"

        answers = (api.get(path), api.delete(path), api.put(path + "/acknowledge"))

        assert [answer.status_code for answer in answers] == [404, 404, 404]


def test_several_topics_of_one_subscription_are_kept_and_each_reaches_it(api, sink):
    sent = {"channel": "webhook", "topics": ["one", "two"], "config": {"url": sink.url}}

    subscription = api.post("/notifications/subscriptions", sent).json()
    for topic in ("one", "two", "three"):
        api.post("/notifications", SENT | {"topic": topic})
    drain()

    assert subscription | sent == subscription
    assert sorted(received.json["topic"] for received in sink.received) == ["one", "two"]
    assert Subscription.objects.get().topics == ["one", "two"]
