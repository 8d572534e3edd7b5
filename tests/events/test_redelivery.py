"""The `PUT` of deliveries where there are more than one request can begin."""

from __future__ import annotations

import pytest

from events import redelivery, replays
from events.deliver import drain
from events.models import Delivery, Replay, Subscription
from instances.models import Instance
from tests.events.conftest import publish

pytestmark = pytest.mark.django_db
PATH = "/notifications/subscriptions/deliveries"


@pytest.fixture
def queued(instance: Instance, subscription: Subscription, monkeypatch: pytest.MonkeyPatch) -> Subscription:
    monkeypatch.setattr(redelivery, "MOST_AT_ONCE", 3)
    publish(instance, 5)
    Delivery.objects.update(state=Delivery.QUEUED)
    Subscription.objects.filter(pk=subscription.pk).update(state=Subscription.DEACTIVATED)
    return subscription


def test_the_first_page_begins_at_once_and_the_rest_as_a_replay(api, queued, sink):
    answer = api.call("PUT", PATH, where="status='queued'", pageSize="2")

    assert answer.status_code == 200
    assert [delivery["status"] for delivery in answer.json()] == ["created"] * 2
    assert answer.headers["Elements-Total-Count"] == "5"
    queued.refresh_from_db()
    assert queued.state == Subscription.ACTIVE
    replay = Replay.objects.get()
    assert (replay.total, replay.rate) == (3, 1000)

    drain()
    assert len(sink.received) == 2
    while replays.step(replay.pk) or Delivery.objects.filter(state=Delivery.QUEUED).exists():
        pass
    drain()
    assert len({received.headers["Elements-Webhook-Id"] for received in sink.received}) == len(sink.received) == 5


def test_as_many_as_one_request_can_begin_need_no_replay(api, queued, monkeypatch):
    monkeypatch.setattr(redelivery, "MOST_AT_ONCE", 5)

    answer = api.call("PUT", PATH, where="channel='webhook' and status='queued'")

    assert answer.headers["Elements-Total-Count"] == "5"
    assert not Replay.objects.exists()
    assert set(Delivery.objects.values_list("state", flat=True)) == {Delivery.PENDING}


def test_a_replay_keeps_to_the_url_that_was_named(api, queued):
    answer = api.call("PUT", PATH, where="config.url='http://example.com/' and status='queued'")

    assert answer.json() == []
    assert not Replay.objects.exists()
    api.call("PUT", PATH, where=f"config.url='{queued.url}'")
    assert Replay.objects.get().wanted == {"statuses": ["queued"], "where": f"config.url='{queued.url}'"}
