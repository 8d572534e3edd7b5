"""Notifications, subscriptions, deliveries, and the settings of an account."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models.functions import Now

from events.models import Delivery
from instances.models import Instance
from tests.contract.platform import CRM, Platform

POLICY = "notification.webhook.failure.policy"
WEBHOOK = {"channel": "webhook"}


def posted(platform: Platform, topic: str, **more: Any) -> dict[str, Any]:
    body = {"severity": "high", "topic": topic, "message": "The printer burns", "from": "contract"} | more
    notification: dict[str, Any] = platform.call("POST", "/notifications", body).json()
    return notification


def subscribed(platform: Platform, topic: str, place: str = "") -> dict[str, Any]:
    body = WEBHOOK | {"topics": [topic], "config": {"url": f"{platform.sink.url}/{place or topic}"}}
    subscription: dict[str, Any] = platform.call("POST", "/notifications/subscriptions", body).json()
    return subscription


def told(platform: Platform, place: str) -> list[Any]:
    platform.receive()
    return [one.json for one in platform.sink.received if one.path.endswith(f"/{place}")]


@pytest.fixture(autouse=True)
def willing(platform: Platform):
    """The receiver answers 200 again, and the account retries, whatever a test made of them."""
    yield
    platform.sink.answer(200)
    platform.call("PATCH", "/accounts/settings", {POLICY: "retry"})


@pytest.mark.row("POST /notifications; GET /notifications?topics[]=")
def test_a_notification_is_posted_and_found_by_its_topic(platform: Platform):
    made = posted(platform, "found")

    assert {"id", "from", "topic", "severity", "message", "createdDate", "active"} <= made.keys()
    assert (made["from"], made["topic"], made["severity"], made["acknowledged"]) == ("contract", "found", "high", False)
    assert platform.get("/notifications?topics[]=found") == [made]
    assert platform.get("/notifications?topics[]=nothing") == []
    for wrong in ({}, {"topic": None, "severity": "low", "message": "x", "from": "y"}):
        platform.call("POST", "/notifications", wrong, status=400)
    platform.call("GET", "/notifications", status=400)
    assert platform.stranger.get("/notifications?topics[]=found") == []


@pytest.mark.row("POST /notifications; GET /notifications?topics[]=")
def test_a_walk_by_tokens_meets_every_notification_once(platform: Platform):
    made = {posted(platform, "walked")["id"] for _ in range(3)}
    met: list[int] = []
    token: str | None = ""
    while token is not None:
        page = platform.call("GET", f"/notifications?topics[]=walked&pageSize=1&nextPage={token}")
        met += [one["id"] for one in page.json()]
        token = page.headers.get("Elements-Next-Page-Token")

    assert len(met) == 3
    assert set(met) == made


@pytest.mark.row("GET, DELETE /notifications/{id}")
def test_a_notification_is_read_and_deleted(platform: Platform):
    made = posted(platform, "deleted")
    path = f"/notifications/{made['id']}"

    assert platform.get(path) == made
    platform.stranger.call("GET", path, status=404)
    platform.stranger.call("DELETE", path, status=404)
    platform.call("DELETE", path)
    platform.call("GET", path, status=404)
    platform.call("GET", "/notifications/-1", status=404)
    platform.call("DELETE", "/notifications/-1", status=404)


@pytest.mark.row("PUT /notifications/{id}/acknowledge")
def test_a_notification_is_acknowledged(platform: Platform):
    made = posted(platform, "acknowledged")

    answer = platform.call("PUT", f"/notifications/{made['id']}/acknowledge", {"whatever": True}).json()

    assert answer == made | {"acknowledged": True}
    assert platform.get(f"/notifications/{made['id']}")["acknowledged"] is True
    platform.call("PUT", "/notifications/-1/acknowledge", {}, status=404)


@pytest.mark.row("POST, GET /notifications/subscriptions")
@pytest.mark.row("GET, DELETE /notifications/subscriptions/{id}")
def test_a_subscription_is_made_listed_and_deleted(platform: Platform):
    made = subscribed(platform, "subscribed")
    twice = subscribed(platform, "subscribed")
    path = f"/notifications/subscriptions/{made['id']}"

    assert made["id"] != twice["id"]
    assert made.items() >= {"channel": "webhook", "topics": ["subscribed"], "active": True}.items()
    assert made["config"]["url"].endswith("/subscribed")
    listed = {one["id"]: one for one in platform.get("/notifications/subscriptions")}
    assert listed[made["id"]] == made == platform.get(path)
    topic = f"instance-{platform.instances[CRM]['id']}-{CRM}-events"
    assert [topic] in [one["topics"] for one in listed.values()]
    for wrong in ({}, WEBHOOK | {"topics": ["x"], "config": {"url": None}}):
        platform.call("POST", "/notifications/subscriptions", wrong, status=400)
    platform.stranger.call("DELETE", path, status=404)
    platform.call("DELETE", path)
    platform.call("GET", path, status=404)
    platform.call("GET", "/notifications/subscriptions/-1", status=404)


@pytest.mark.row(
    "GET /notifications/{nId}/subscriptions/deliveries; /notifications/{nId}/subscriptions/{sId}/deliveries"
)
def test_deliveries_are_there_at_once_and_delivered_when_a_worker_was_by(platform: Platform):
    subscription = subscribed(platform, "delivered")
    made = posted(platform, "delivered")
    every = f"/notifications/{made['id']}/subscriptions/deliveries"
    one = f"/notifications/{made['id']}/subscriptions/{subscription['id']}/deliveries"

    [delivery] = platform.get(every)
    assert delivery == platform.get(one)
    assert {"notificationId": made["id"], "subscriptionId": subscription["id"], "status": "created"}.items() <= (
        delivery.items()
    )
    [notification] = told(platform, "delivered")

    assert (notification["topic"], notification["message"]) == ("delivered", "The printer burns")
    hydrated = platform.get(f"{one}?hydrate=true")
    assert hydrated["status"] == "delivered"
    assert hydrated["notification"]["id"] == made["id"]
    assert hydrated["subscription"]["id"] == subscription["id"]
    platform.call("GET", "/notifications/-1/subscriptions/deliveries", status=404)
    platform.call("GET", f"/notifications/{made['id']}/subscriptions/-1/deliveries", status=404)


def test_a_failed_delivery_is_retried_until_the_receiver_is_back(platform: Platform):
    subscribed(platform, "retried")
    platform.sink.answer(500)
    made = posted(platform, "retried")
    told(platform, "retried")
    path = f"/notifications/{made['id']}/subscriptions/deliveries"

    assert [one["status"] for one in platform.get(path)] == ["retry"]
    platform.sink.answer(200)
    Delivery.objects.filter(event=made["id"]).update(next_attempt_at=Now())
    told(platform, "retried")

    assert [one["status"] for one in platform.get(path)] == ["delivered"]


@pytest.mark.row("GET, PUT /notifications/subscriptions/deliveries?where=")
@pytest.mark.row("GET, PATCH /accounts/settings; POST, PATCH /accounts/{id}/settings")
def test_under_the_policy_queue_a_delivery_stays_until_it_is_asked_for(platform: Platform):
    account = platform.call("PATCH", "/accounts/settings", {POLICY: "queue"}).json()
    url = subscribed(platform, "queued")["config"]["url"]
    platform.sink.answer(500)
    made = posted(platform, "queued")
    told(platform, "queued")
    platform.sink.answer(200)
    where = f"channel='webhook' and status='queued' and config.url='{url}'"

    assert account[POLICY] == platform.get("/accounts/settings")[POLICY] == "queue"
    assert len(told(platform, "queued")) == 1
    [queued] = platform.get(f"/notifications/subscriptions/deliveries?where={where}")
    assert (queued["notificationId"], queued["status"]) == (made["id"], "queued")
    platform.call("PUT", f"/notifications/subscriptions/deliveries?where={where}&hydrate=true")
    assert len(told(platform, "queued")) == 2
    assert platform.get(f"/notifications/subscriptions/deliveries?where={where}") == []
    for method in ("GET", "PUT"):
        platform.call(method, "/notifications/subscriptions/deliveries?where=nonsense", status=400)


@pytest.mark.row("GET, PATCH /accounts/settings; POST, PATCH /accounts/{id}/settings")
def test_settings_of_an_account_are_changed_by_its_id(platform: Platform):
    number = Instance.objects.get(pk=platform.instances[CRM]["id"]).organization_id

    for method in ("POST", "PATCH"):
        answer = platform.call(method, f"/accounts/{number}/settings", {POLICY: "queue"}).json()
        assert answer[POLICY] == "queue"
    platform.call("PATCH", "/accounts/settings", {POLICY: "whatever"}, status=400)
    platform.call("PATCH", "/accounts/0/settings", {POLICY: "queue"}, status=404)
