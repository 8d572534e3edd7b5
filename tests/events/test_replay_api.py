"""Replays as clients see them."""

from __future__ import annotations

import pytest

from events import replays
from events.deliver import drain
from events.models import Delivery, Event, Replay, Subscription
from instances.models import Organization, User
from tests.api_client import Api
from tests.events.conftest import make_instance, publish

pytestmark = pytest.mark.django_db


@pytest.fixture
def delivered(instance, sink) -> list[Event]:
    events = publish(instance, 3)
    drain()
    sink.received.clear()
    return events


def test_previewed_made_watched_and_listed(api, instance, delivered, sink):
    sent = {"instanceId": instance.pk, "eventIds": [str(delivered[0].pk), delivered[2].pk]}
    size = sum(len(bytes(delivered[position].body)) for position in (0, 2))

    preview = api.post("/replays/preview", sent).json()
    assert (preview["count"], preview["bytes"], preview["passedOver"]) == (2, size, 0)
    assert preview["firstEventDate"] == delivered[0].created_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert not Replay.objects.exists()

    answer = api.post("/replays", {**sent, "rate": 1000})
    made = answer.json()
    assert answer.status_code == 200
    assert made == {
        "id": Replay.objects.get().pk,
        "state": "running",
        "wanted": {
            "instanceId": instance.pk,
            "statuses": ["delivered", "queued", "abandoned"],
            "eventIds": [delivered[0].pk, delivered[2].pk],
        },
        "rate": 1000,
        "count": 2,
        "bytes": size,
        "percent": 0,
        "begun": 0,
        "passedOver": 0,
        "delivered": 0,
        "pending": 0,
        "queued": 0,
        "createdDate": made["createdDate"],
        "finishedDate": None,
    }

    replays.sweep()
    replays.sweep()
    under_way = api.get(f"/replays/{made['id']}").json()
    assert (under_way["state"], under_way["percent"], under_way["pending"]) == ("finished", 100, 2)
    assert under_way["finishedDate"]

    drain()
    done = api.get(f"/replays/{made['id']}").json()
    assert (done["begun"], done["delivered"], done["pending"]) == (2, 2, 0)
    assert api.get("/replays").json() == [done]
    assert len(sink.received) == 2


def test_paused_resumed_with_another_rate_and_cancelled(api, instance, delivered):
    path = f"/replays/{api.post('/replays', {'instanceId': instance.pk}).json()['id']}"

    assert api.patch(path, {"state": "paused"}).json()["state"] == "paused"
    resumed = api.patch(path, {"state": "running", "rate": 7}).json()
    assert (resumed["state"], resumed["rate"]) == ("running", 7)
    cancelled = api.patch(path, {"state": "cancelled"}).json()
    assert (cancelled["state"], cancelled["percent"]) == ("cancelled", 0)
    assert cancelled["finishedDate"]

    again = api.patch(path, {"state": "running"})
    assert again.status_code == 409
    assert "cancelled" in again.json()["message"]


def test_lists_are_newest_first_and_paged(api, instance, delivered):
    ids = [api.post("/replays", {"instanceId": instance.pk}).json()["id"] for _ in range(3)]

    first = api.get("/replays", pageSize="2")
    second = api.get("/replays", pageSize="2", nextPage=first.headers["Elements-Next-Page-Token"])

    assert [replay["id"] for replay in first.json() + second.json()] == ids[::-1]
    assert first.headers["Elements-Total-Count"] == "3"


def test_a_preview_counts_what_is_passed_over(api, instance, subscription, delivered):
    Subscription.objects.filter(pk=subscription.pk).update(state=Subscription.DEACTIVATED)

    assert api.post("/replays/preview", {"instanceId": instance.pk}).json()["passedOver"] == 3
    reactivating = api.post("/replays/preview", {"instanceId": instance.pk, "reactivate": True}).json()
    assert (reactivating["count"], reactivating["passedOver"]) == (3, 0)
    subscription.refresh_from_db()
    assert subscription.state == Subscription.DEACTIVATED


def test_a_preview_of_nothing_has_no_dates(api, instance):
    assert api.post("/replays/preview", {"instanceId": instance.pk}).json() == {
        "count": 0,
        "bytes": 0,
        "passedOver": 0,
        "firstEventDate": None,
        "lastEventDate": None,
    }


@pytest.mark.parametrize("path", ["/replays", "/replays/preview"])
@pytest.mark.parametrize(
    "sent", [None, [], {}, {"statuses": ["created"]}, {"where": "status="}, {"instance": 7}, {"from": "soon"}]
)
def test_what_cannot_be_understood_is_refused(api, path, sent):
    answer = api.post(path, sent)

    assert answer.status_code == 400
    assert answer.json()["message"]


def test_what_is_not_there_is_not_found(api):
    for name in ("instanceId", "subscriptionId"):
        assert api.post("/replays", {name: 2**62}).status_code == 404
    for name in ("eventIds", "deliveryIds"):
        answer = api.post("/replays/preview", {name: [2**62]})
        assert (answer.status_code, str(2**62) in answer.json()["message"]) == (404, True)
    for number in ("0", "-1", "x", "9" * 30, "%00"):
        assert api.get(f"/replays/{number}").status_code == 404


def test_a_stranger_finds_and_changes_nothing(api, instance, subscription, delivered, stranger):
    made = api.post("/replays", {"instanceId": instance.pk}).json()
    intruder = Api(stranger)
    delivery = Delivery.objects.first()
    assert delivery is not None

    assert intruder.get("/replays").json() == []
    assert intruder.get(f"/replays/{made['id']}").status_code == 404
    assert intruder.patch(f"/replays/{made['id']}", {"state": "cancelled"}).status_code == 404
    for sent in (
        {"instanceId": instance.pk},
        {"subscriptionId": subscription.pk},
        {"eventIds": [delivered[0].pk]},
        {"deliveryIds": [delivery.pk]},
    ):
        for path in ("/replays", "/replays/preview"):
            assert intruder.post(path, sent).status_code == 404
    assert intruder.post("/replays/preview", {"statuses": ["delivered"]}).json()["count"] == 0
    assert api.get(f"/replays/{made['id']}").json() == made


def test_a_viewer_watches_and_changes_nothing(api, instance, delivered, colleague):
    made = api.post("/replays", {"instanceId": instance.pk}).json()
    User.objects.filter(pk=colleague.pk).update(role=User.VIEWER)
    viewer = Api(colleague)

    assert viewer.get("/replays").json() == [made]
    assert viewer.get(f"/replays/{made['id']}").json() == made
    assert viewer.patch(f"/replays/{made['id']}", {"state": "cancelled"}).status_code == 403
    assert viewer.post("/replays", {"instanceId": instance.pk}).status_code == 403
    assert viewer.post("/replays/preview", {"instanceId": instance.pk}).status_code == 403


def test_what_was_queued_by_policy_is_replayed_on_request(api, instance, sink):
    Organization.objects.update(failure_policy=Organization.QUEUE)
    sink.answer(500)
    publish(instance, 2)
    drain()
    sink.answer(200)

    made = api.post("/replays", {"statuses": ["queued"], "rate": 1000}).json()
    replays.sweep()
    drain()

    assert api.get(f"/replays/{made['id']}").json()["delivered"] == 2


def test_replays_of_several_instances_keep_apart(api, owner, instance, delivered, sink):
    other = make_instance(owner, sink.url)
    publish(other, 1)
    drain()

    first, second = (api.post("/replays", {"instanceId": one.pk, "rate": 1000}).json() for one in (instance, other))
    replays.sweep()

    assert [api.get(f"/replays/{one['id']}").json()["count"] for one in (first, second)] == [3, 1]
