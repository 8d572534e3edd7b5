"""Events, subscriptions, deliveries and account settings as clients see them."""

from __future__ import annotations

from contextlib import suppress

import orjson
import pytest
from django.db.models.functions import Now
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import InvalidQuery
from events import notification_urls, urls, where
from events.deliver import drain
from events.models import Delivery, Event, Subscription
from instances.errors import InvalidRequest
from instances.models import Instance, Organization, User
from tests.api_client import Api
from tests.events.conftest import make_instance, publish
from tests.events.sink import Sink

pytestmark = pytest.mark.django_db
POLICY = "notification.webhook.failure.policy"
SCHEDULE = "notification.webhook.retry.schedule"
RETENTION = "notification.retention.days"
DEFAULTS = {POLICY: "retry", SCHEDULE: "elements-9", RETENTION: None}


def queued_deliveries(instance, sink, count: int = 1) -> None:
    Organization.objects.update(failure_policy=Organization.QUEUE)
    sink.answer(500)
    publish(instance, count)
    drain()
    sink.answer(200)
    sink.received.clear()


class TestEvents:
    def test_record_of_a_delivered_event(self, api, instance, sink):
        (event,) = publish(instance)
        drain()

        answer = api.get(f"/instances/{instance.pk}/events/{event.pk}")

        body = orjson.loads(bytes(event.body))
        assert answer.status_code == 200
        assert answer.json() == {
            "id": str(event.pk),
            "eventDate": event.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "status": "NOTIFIED",
            "providerData": orjson.dumps(body["message"]["raw"]).decode(),
            "notifiedData": [body],
            "provenance": "poll",
        }
        assert api.get(f"/instances/events/{event.pk}").json() == answer.json()

    def test_before_its_delivery_an_event_is_consumed_and_tells_of_no_notification(self, api, instance):
        (event,) = publish(instance)

        record = api.get(f"/instances/events/{event.pk}").json()

        assert record["status"] == "CONSUMED"
        assert "notifiedData" not in record

    def test_lists_are_newest_first_by_id_and_by_token(self, api, owner, instance, sink):
        events = publish(instance, 3)
        publish(make_instance(owner, sink.url), 1)
        expected = [str(event.pk) for event in reversed(events)]

        by_id = api.get(f"/instances/{instance.pk}/events")
        by_token = api.through(instance).get("/instances/events", pageSize="10")

        assert [record["id"] for record in by_id.json()] == expected
        assert by_token.json() == by_id.json()
        assert by_id.headers["Elements-Returned-Count"] == "3"

    def test_walking_by_tokens_meets_every_event_once(self, api, instance):
        events = publish(instance, 4)
        met: list[str] = []
        token = "null"
        while token:
            answer = api.get(f"/instances/{instance.pk}/events", pageSize="1", nextPage=token)
            met += [record["id"] for record in answer.json()]
            token = answer.headers.get("Elements-Next-Page-Token", "")

        assert met == [str(event.pk) for event in reversed(events)]

    def test_without_events_the_list_is_empty(self, api, instance):
        assert api.get(f"/instances/{instance.pk}/events").json() == []

    def test_the_token_form_needs_the_token(self, api, instance):
        assert api.get("/instances/events").status_code == 401

    def test_an_event_of_another_instance_is_not_under_this_one(self, api, owner, instance, sink):
        (event,) = publish(instance)
        other = make_instance(owner, sink.url)

        assert api.get(f"/instances/{other.pk}/events/{event.pk}").status_code == 404

    def test_a_viewer_sees_that_it_went_but_not_what(self, colleague, instance, sink):
        (event,) = publish(instance)
        drain()
        User.objects.filter(pk=colleague.pk).update(role=User.VIEWER)

        record = Api(colleague).get(f"/instances/events/{event.pk}").json()

        assert (record["status"], record["providerData"]) == ("NOTIFIED", "")
        assert "notifiedData" not in record


class TestSubscriptions:
    def test_created_listed_read_and_deleted(self, api, sink):
        sent = {"channel": "webhook", "topics": ["churros-topic"], "config": {"url": sink.url}}

        created = api.post("/notifications/subscriptions", sent)

        subscription = created.json()
        assert created.status_code == 200
        assert subscription | sent == subscription
        assert (isinstance(subscription["id"], int), subscription["active"]) == (True, True)
        path = f"/notifications/subscriptions/{subscription['id']}"
        assert api.get("/notifications/subscriptions").json() == [subscription]
        assert api.get(path).json() == subscription
        assert api.delete(path).status_code == 200
        assert api.get(path).status_code == 404

    def test_the_same_topic_and_url_may_be_subscribed_twice(self, api, sink):
        sent = {"channel": "webhook", "topics": ["topic"], "config": {"url": sink.url}}

        first, second = (api.post("/notifications/subscriptions", sent).json() for _ in range(2))

        assert first["id"] != second["id"]

    @pytest.mark.parametrize(
        "change, named",
        [
            ({"channel": None}, "channel"),
            ({"channel": "email"}, "channel"),
            ({"topics": []}, "topics"),
            ({"topics": [None]}, "topics"),
            ({"topics": "topic"}, "topics"),
            ({"config": {"url": None}}, "config.url"),
            ({"config": None}, "config.url"),
            ({"config": {"url": "ftp://example.com/"}}, ""),
            ({"config": {"url": "http://10.0.0.1/"}}, ""),
            ({"config": {"url": "http://127.0.0.1:8000/elements/api-v2/events/x/y"}}, "config.url"),
        ],
    )
    def test_what_cannot_be_delivered_to_is_refused(self, api, sink, change, named):
        sent = {"channel": "webhook", "topics": ["topic"], "config": {"url": sink.url}} | change

        answer = api.post("/notifications/subscriptions", sent)

        assert answer.status_code == 400
        assert named in answer.json()["message"]
        assert not Subscription.objects.exists()

    @pytest.mark.parametrize("body", [{}, [], "text", 1])
    def test_an_empty_or_odd_body_is_refused(self, api, body):
        assert api.post("/notifications/subscriptions", body).status_code == 400

    def test_the_one_an_instance_owns_is_listed_and_goes_only_with_its_url(self, api, instance, subscription):
        (listed,) = api.get("/notifications/subscriptions").json()

        assert (listed["id"], listed["topics"]) == (subscription.pk, [instance.topic])
        assert api.delete(f"/notifications/subscriptions/{subscription.pk}").status_code == 409

    def test_a_deactivated_one_says_why(self, api, subscription, instance, sink):
        sink.answer(410)
        publish(instance)
        drain()

        shown = api.get(f"/notifications/subscriptions/{subscription.pk}").json()

        assert shown["active"] is False
        assert "410" in shown["deactivatedReason"]

    def test_a_subscriber_of_the_topic_is_notified_too(self, api, instance, sink):
        with Sink() as other:
            sent = {"channel": "webhook", "topics": [instance.topic], "config": {"url": other.url}}
            api.post("/notifications/subscriptions", sent)
            publish(instance)
            drain()

            assert other.received[0].body == sink.received[0].body
            assert "Elements-Webhook-Signature" in other.received[0].headers


class TestDeliveries:
    def test_status_follows_the_delivery(self, api, instance, sink):
        (event,) = publish(instance)
        path = f"/notifications/{event.pk}/subscriptions/deliveries"

        def status() -> str:
            (delivery,) = api.get(path).json()
            return str(delivery["status"])

        assert status() == "created"
        sink.answer(500, 200)
        drain()
        assert status() == "retry"
        Delivery.objects.update(next_attempt_at=Now())
        drain()
        assert status() == "delivered"

    def test_one_delivery_is_an_object_and_hydrates(self, api, instance, subscription, sink):
        (event,) = publish(instance)
        delivery = Delivery.objects.get()
        path = f"/notifications/{event.pk}/subscriptions/{subscription.pk}/deliveries"

        plain, hydrated = api.get(path).json(), api.get(path, hydrate="true").json()

        moment = delivery.created_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        assert plain == {
            "id": delivery.pk,
            "notificationId": event.pk,
            "subscriptionId": subscription.pk,
            "status": "created",
            "createdDate": moment,
            "updatedDate": delivery.updated_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        assert hydrated["subscription"]["id"] == subscription.pk
        assert hydrated["notification"]["message"]["eventId"] == str(event.pk)
        assert hydrated["notification"]["acknowledged"] is False

    def test_filters_by_channel_status_and_url(self, api, instance, sink):
        queued_deliveries(instance, sink)
        publish(instance, 1, first=2)
        everything = "/notifications/subscriptions/deliveries"

        def found(query: str) -> list[str]:
            return [delivery["status"] for delivery in api.get(everything, where=query).json()]

        assert found("channel='webhook' and status='queued'") == ["queued"]
        assert found("status='created'") == ["created"]
        assert found(f"channel='webhook' and status='queued' and config.url='{sink.url}'") == ["queued"]
        assert found("config.url='http://example.com/'") == []
        assert found("channel='email'") == []
        assert len(api.get(everything).json()) == 2

    @pytest.mark.parametrize(
        "query",
        [
            "status=",
            "status='unknown'",
            "status='queued' or status='retry'",
            "status!='queued'",
            "organization='1'",
            "status='queued' and status='retry'",
            "channel='webhook' and channel='email'",
            "channel=1",
            "id in (1, 2)",
            "'; drop table events_delivery",
        ],
    )
    def test_other_questions_are_refused(self, api, query):
        for call in (api.get, lambda path, where: api.call("PUT", path, where=where)):
            answer = call("/notifications/subscriptions/deliveries", where=query)
            assert answer.status_code == 400
            assert answer.json()["message"]

    @given(text=st.text(max_size=80) | st.from_regex(r"(channel|status|config\.url) ?(=|!=|in) ?'[a-z ]*'( and)?"))
    def test_no_text_breaks_the_parser(self, text):
        with suppress(InvalidQuery, InvalidRequest):
            assert isinstance(where.parse(text), where.Where)

    def test_put_sends_the_queued_ones_again(self, api, instance, sink):
        queued_deliveries(instance, sink, 3)
        assert drain().attempts == 0

        answer = api.call(
            "PUT", "/notifications/subscriptions/deliveries", where="channel='webhook' and status='queued'"
        )

        assert answer.status_code == 200
        assert [delivery["status"] for delivery in answer.json()] == ["created"] * 3
        assert answer.headers["Elements-Total-Count"] == "3"
        assert drain().delivered == 3

    def test_put_reactivates_the_subscription(self, api, instance, subscription, sink):
        sink.answer(410)
        publish(instance)
        drain()
        sink.answer(200)

        api.call("PUT", "/notifications/subscriptions/deliveries", where="status='queued'")

        subscription.refresh_from_db()
        assert subscription.state == Subscription.ACTIVE
        assert drain().delivered == 1

    def test_put_keeps_to_the_url_it_names(self, api, owner, instance, sink):
        queued_deliveries(instance, sink)
        with Sink() as other:
            other.answer(500)
            publish(make_instance(owner, other.url))
            drain()

            api.call("PUT", "/notifications/subscriptions/deliveries", where=f"config.url='{sink.url}'")

            assert drain().delivered == 1
            assert len(other.received) == 1

    def test_put_needs_to_be_told_which(self, api, instance, sink):
        queued_deliveries(instance, sink)

        assert api.put("/notifications/subscriptions/deliveries").status_code == 400
        answer = api.call("PUT", "/notifications/subscriptions/deliveries", where="status='delivered'")
        assert answer.status_code == 400
        assert drain().attempts == 0


class TestAccountSettings:
    def test_read_and_changed_by_either_path(self, api, owner):
        by_id = f"/accounts/{owner.organization_id}/settings"
        assert api.get("/accounts/settings").json() == DEFAULTS

        assert api.patch("/accounts/settings", {POLICY: "queue"}).json() == {**DEFAULTS, POLICY: "queue"}
        assert api.get(by_id).json() == {**DEFAULTS, POLICY: "queue"}
        assert api.post(by_id, {POLICY: "retry"}).json() == DEFAULTS
        assert api.patch(by_id, {POLICY: "queue"}).json() == {**DEFAULTS, POLICY: "queue"}
        assert Organization.objects.get(pk=owner.organization_id).failure_policy == "queue"

    @pytest.mark.parametrize(
        ("key", "sent", "shown", "then"),
        [
            (SCHEDULE, "sap-5", "sap-5", "elements-9"),
            (SCHEDULE, [10, 60], "10,60", "elements-9"),
            (RETENTION, 30, "30", None),
            (RETENTION, " 3650", "3650", None),
        ],
    )
    def test_each_is_changed_alone_and_null_brings_the_default_back(self, api, owner, key, sent, shown, then):
        api.patch("/accounts/settings", {POLICY: "queue"})

        assert api.patch("/accounts/settings", {key: sent}).json() == {**DEFAULTS, POLICY: "queue", key: shown}
        assert api.get("/accounts/settings").json()[key] == shown
        for unset in (None, ""):
            assert api.patch("/accounts/settings", {key: unset}).json() == {**DEFAULTS, POLICY: "queue", key: then}

    @pytest.mark.parametrize(
        ("body", "says"),
        [
            ({POLICY: "never"}, f"{POLICY}: send retry or queue"),
            ({POLICY: 1}, f"{POLICY}: send retry or queue"),
            ({SCHEDULE: "60,10"}, f"{SCHEDULE}: each number counts"),
            ({SCHEDULE: {}}, f"{SCHEDULE}: send elements-9"),
            ({RETENTION: 0}, f"{RETENTION}: send whole days from 1 to 3650, or null"),
            ({RETENTION: 3651}, f"{RETENTION}: send whole days"),
            ({RETENTION: "a month"}, f"{RETENTION}: send whole days"),
            ({RETENTION: True}, f"{RETENTION}: send whole days"),
            ({POLICY: "queue", "other": "x"}, f"other is not a setting; {POLICY}, {SCHEDULE}, {RETENTION} are"),
            ([], "Send a JSON object with"),
            ("text", "Send a JSON object with"),
        ],
    )
    def test_other_values_and_other_settings_are_refused(self, api, owner, body, says):
        answer = api.patch("/accounts/settings", body)

        assert (answer.status_code, answer.json()["message"][: len(says)]) == (400, says)
        assert api.get("/accounts/settings").json() == DEFAULTS


class TestWhoMay:
    def paths(self, instance: Instance, event: Event) -> list[str]:
        ids = {
            "<str:event_id>": event.pk,
            "<str:instance_id>": instance.pk,
            "<str:notification_id>": event.pk,
            "<str:subscription_id>": instance.subscription.pk,
            "<str:account_id>": instance.organization_id,
        }
        paths = []
        for one in (*notification_urls.urlpatterns, *urls.urlpatterns):
            path = "/" + str(one.pattern)
            for name, value in ids.items():
                path = path.replace(name, str(value))
            paths.append(path)
        return paths

    def test_a_stranger_finds_nothing_and_changes_nothing(self, instance, stranger, sink):
        (event,) = publish(instance)
        before = [list(model.objects.order_by("pk").values()) for model in (Event, Delivery, Subscription)]
        intruder = Api(stranger).through(instance)

        for path in self.paths(instance, event):
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
                query = {"where": "channel='webhook'"} if path.endswith("/subscriptions/deliveries") else {}
                answer = intruder.call(method, path, None if method == "GET" else {}, **query)
                is_own = path in ("/notifications/subscriptions", "/accounts/settings", "/replays") or bool(query)
                is_own |= path.startswith(("/instances/events/analytics", "/instances/events/dispositions"))
                is_empty = answer.status_code == 200 and (
                    answer.json() == DEFAULTS or not any(bucket["count"] for bucket in answer.json())
                )
                assert answer.status_code in (400, 401, 404, 405) or (is_own and is_empty), (method, path)

        assert [list(model.objects.order_by("pk").values()) for model in (Event, Delivery, Subscription)] == before

    def test_a_strangers_request_to_redeliver_leaves_our_subscription_deactivated(
        self, instance, subscription, stranger, sink
    ):
        sink.answer(410)
        publish(instance)
        drain()

        Api(stranger).call("PUT", "/notifications/subscriptions/deliveries", where="channel='webhook'")

        subscription.refresh_from_db()
        assert subscription.state == Subscription.DEACTIVATED

    def test_nobody_gets_in_without_secrets(self, instance):
        (event,) = publish(instance)

        for path in self.paths(instance, event):
            assert Api(None).get(path).status_code == 401, path

    @pytest.mark.parametrize("number", ["-1", "0", "x", "1.5", "9" * 30, "%00"])
    def test_ids_that_cannot_be_are_not_found(self, api, number):
        for path in (
            f"/instances/{number}/events",
            f"/instances/events/{number}",
            f"/notifications/subscriptions/{number}",
            f"/notifications/{number}/subscriptions/deliveries",
            f"/notifications/{number}/subscriptions/{number}/deliveries",
            f"/accounts/{number}/settings",
        ):
            answer = api.get(path)
            assert answer.status_code == 404, path
            assert answer.json()["message"]

    def test_a_viewer_changes_nothing(self, colleague, instance, subscription, sink):
        queued_deliveries(instance, sink)
        User.objects.filter(pk=colleague.pk).update(role=User.VIEWER)
        viewer = Api(colleague)

        assert viewer.patch("/accounts/settings", {POLICY: "retry"}).status_code == 403
        assert viewer.delete(f"/notifications/subscriptions/{subscription.pk}").status_code == 403
        answer = viewer.call("PUT", "/notifications/subscriptions/deliveries", where="status='queued'")
        assert answer.status_code == 403
        assert drain().attempts == 0

    def test_only_an_owner_changes_account_settings(self, colleague):
        User.objects.filter(pk=colleague.pk).update(role=User.OPERATOR)

        assert Api(colleague).patch("/accounts/settings", {POLICY: "queue"}).status_code == 403
