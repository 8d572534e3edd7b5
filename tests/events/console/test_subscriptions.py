"""Subscriptions at the console: how receivers are doing, and what people do about it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from events.deliver import drain
from events.models import Circuit, Delivery, Subscription
from events.subscriptions import HELD_BACK
from instances.models import Organization, User
from tests.events.conftest import make_instance, publish
from tests.events.console.signed_in import console, noted
from tests.events.failing import circuit_of, go_round

pytestmark = pytest.mark.django_db
LIST = "/console/events/subscription/"


def page_of(subscription: Subscription) -> str:
    return f"{LIST}{subscription.pk}/change/"


@pytest.fixture
def left_alone(instance, subscription: Subscription, sink) -> Subscription:
    """Twelve attempts failed; one delivery more waits."""
    sink.answer(500, body=b"<script>alert(1)</script>")
    publish(instance, 12)
    drain()
    publish(instance, 1, first=20)
    assert circuit_of(subscription).state == Circuit.OPEN
    return subscription


@pytest.fixture
def gone(instance, subscription: Subscription, sink) -> Subscription:
    """Deactivated, with two deliveries queued."""
    sink.answer(410)
    publish(instance, 2)
    drain()
    subscription.refresh_from_db()
    assert subscription.state == Subscription.DEACTIVATED
    sink.answer(200)
    return subscription


def made_through_the_api(owner, url: str) -> Subscription:
    return Subscription.objects.create(organization=owner.organization, topics=["news"], url=url)


def test_the_page_tells_what_went_wrong_and_what_happens_next(owner, instance, left_alone, sink):
    client = console(owner)

    page = client.get(page_of(left_alone)).content.decode()

    assert "it has been left alone since" in page
    assert "One event is tried at" in page
    assert "of 12 attempts failed; the last one: HTTP 500" in page
    assert f"?subscription={left_alone.pk}&amp;state=pending" in page
    assert "13</a>" in page
    assert '<a href="/console/events/event/' in page  # the tabs of its instance
    assert page.count("HTTP 500") >= 8
    assert client.get(f"{LIST}of/{instance.pk}/").content.decode().count("Left alone") >= 1
    listed = client.get(LIST, {"health": "left-alone"})
    assert [row.pk for row in listed.context["cl"].result_list] == [left_alone.pk]
    assert "13 pending" in listed.content.decode()
    assert client.get(LIST, {"health": "healthy"}).context["cl"].result_count == 0


def test_the_filter_finds_what_the_column_says(owner, sink):
    columns = {
        "healthy": {},
        "failing": {"failing_since": "2026-11-22T10:00Z"},
        "left-alone": {"state": "open", "paused_until": "2099-01-01T00:00Z"},
        "recovering": {"state": "recovering"},
        "asked-to-wait": {"paused_until": "2099-01-01T00:00Z", "failing_since": "2026-11-22T10:00Z"},
        "deactivated": {"state": "open"},
        "no-URL": {"state": "open"},
    }
    for name, circuit in columns.items():
        made = made_through_the_api(owner, "" if name == "no-URL" else f"{sink.url}{name}")
        if name == "deactivated":
            Subscription.objects.filter(pk=made.pk).update(state=Subscription.DEACTIVATED)
        if circuit:
            Circuit.objects.create(subscription=made, **circuit)
    make_instance(owner, sink.url)
    client = console(owner)

    for health in columns:
        listed = client.get(LIST, {"health": health})
        rows = listed.context["cl"].result_list
        word = health.replace("-", " ")
        assert len(rows) == (2 if health == "healthy" else 1), health
        assert listed.content.decode().count(f">{word[0].upper()}{word[1:]}</span>") == len(rows)


def test_a_receiver_that_is_left_alone_is_tried_now_or_trusted_at_once(owner, instance, left_alone, sink):
    client = console(owner)
    sink.answer(200)

    answer = client.post(f"{LIST}{left_alone.pk}/probe/", follow=True).content.decode()
    assert "One event is being tried" in answer
    assert drain().delivered > 0
    assert circuit_of(left_alone).state != Circuit.OPEN
    assert "nothing to try" in client.post(f"{LIST}{left_alone.pk}/probe/", follow=True).content.decode()

    Circuit.objects.update(state=Circuit.OPEN)
    publish(instance, 1, first=30)
    later = Delivery.objects.filter(state=Delivery.PENDING)
    later.update(first_failed_at=Now(), next_attempt_at=Now() + timedelta(hours=1))
    assert "trusted again" in client.post(f"{LIST}{left_alone.pk}/reactivate/", follow=True).content.decode()
    assert not Circuit.objects.filter(state=Circuit.OPEN).exists()
    assert drain().delivered == later.count() + 13 == 13
    subject = f"subscription {left_alone.pk}"
    assert noted() == [f"had a receiver tried: {subject}", f"trusted a receiver again: {subject}"]


def test_a_probe_takes_what_would_be_tried_later(owner, left_alone):
    Delivery.objects.filter(first_failed_at=None).delete()
    Circuit.objects.update(paused_until=Now() + timedelta(hours=1))
    assert go_round() == []

    console(owner).post(f"{LIST}{left_alone.pk}/probe/")

    assert len(go_round(500)) == 1
    assert circuit_of(left_alone).state == Circuit.OPEN


def test_what_would_not_be_sent_is_not_said_to_be_tried(owner, left_alone, gone_to_wait):
    answer = console(owner).post(f"{LIST}{left_alone.pk}/probe/", follow=True).content.decode()

    assert "There is nothing to try" in answer
    assert "is being tried" not in answer
    assert noted() == []


@pytest.fixture(params=["held back", "queued, and not retried"])
def gone_to_wait(request, left_alone: Subscription) -> None:
    if request.param == "held back":
        left_alone.deliveries.update(next_attempt_at=HELD_BACK)
    else:
        left_alone.deliveries.update(state=Delivery.QUEUED)
        Subscription.objects.update(state=Subscription.DEACTIVATED)
        Organization.objects.update(failure_policy=Organization.QUEUE)


def test_a_deactivated_subscription_is_reactivated_alone_or_with_what_is_queued(owner, gone, sink):
    client = console(owner)
    page = client.get(page_of(gone)).content.decode()
    assert "Reactivate and release what is queued" in page
    assert "it is gone for good" in page

    release = {"subscription": str(gone.pk), "statuses": "queued", "reactivate": "on", "step": "preview"}
    assert "2 deliveries would begin again" in client.post("/console/events/replay/add/", release).content.decode()

    answer = client.post(f"{LIST}{gone.pk}/reactivate/", follow=True).content.decode()
    assert "The subscription is active again" in answer
    assert "Release what is queued" in answer
    gone.refresh_from_db()
    assert gone.state == Subscription.ACTIVE
    assert Delivery.objects.filter(state=Delivery.QUEUED).count() == 2
    assert noted() == [f"reactivated a subscription: subscription {gone.pk}"]


def test_one_that_was_made_through_the_api_gets_another_url(owner, instance, subscription, sink):
    client, made = console(owner), made_through_the_api(owner, f"{sink.url}?token=canary")
    path = f"{LIST}{made.pk}/move/"
    Subscription.objects.filter(pk=made.pk).update(state=Subscription.DEACTIVATED)

    refused = client.post(path, {"url": "ftp://example.com/"})
    assert refused.context["url_problem"]
    assert 'value="ftp://example.com/"' in refused.content.decode()
    client.post(path, {"url": f"{sink.url}elsewhere?token=canary"})
    made.refresh_from_db()
    assert (made.url, made.state) == (f"{sink.url}elsewhere?token=canary", Subscription.ACTIVE)
    assert noted() == [f"changed the URL of a subscription: subscription {made.pk}"]

    client.post(f"{LIST}{subscription.pk}/move/", {"url": sink.url + "other"})
    subscription.refresh_from_db()
    assert subscription.url == sink.url
    pages = client.get(page_of(made)).content.decode() + client.get(LIST).content.decode()
    assert "canary" not in pages
    assert client.get(LIST, {"q": "canary"}).context["cl"].result_count == 0
    assert client.get(LIST, {"q": "elsewhere"}).context["cl"].result_count == 1


def test_an_instance_without_a_callback_url_has_none(owner, sink):
    instance = make_instance(owner, "")

    page = console(owner).get(f"{LIST}of/{instance.pk}/").content.decode()

    assert "Nobody is told of this instance" in page


def test_a_stranger_finds_nothing_and_a_viewer_changes_nothing(owner, colleague, stranger, instance, gone, left_url):
    client = console(stranger)
    assert client.get(LIST).context["cl"].result_count == 0
    assert [client.get(path).status_code for path in (page_of(gone), f"{LIST}of/{instance.pk}/")] == [404, 404]
    writes = [f"{LIST}{gone.pk}/{name}/" for name in ("reactivate", "probe", "move")]
    assert [client.post(path, {"url": left_url}).status_code for path in writes] == [404, 404, 404]

    viewer = console(colleague, role=User.VIEWER)
    page = viewer.get(page_of(gone)).content.decode()
    assert "Reactivate" not in page.replace("Reactivated", "")
    assert [viewer.post(path, {"url": left_url}).status_code for path in writes] == [403, 403, 403]
    assert console(owner).get(writes[0]).status_code == 405
    assert console(owner).post(page_of(gone), {}).status_code == 403
    gone.refresh_from_db()
    assert gone.state == Subscription.DEACTIVATED
    assert noted() == []


@pytest.fixture
def left_url(sink) -> str:
    return f"{sink.url}elsewhere"


def test_words_of_receivers_are_text(owner, left_alone):
    Circuit.objects.update(failing_since="2026-11-22T10:00Z")
    left_alone.transitions.update(reason='<img src=x onerror="alert(1)">')
    Subscription.objects.update(url='http://127.0.0.1/"><script>alert(1)</script>', topics=["<b>{{7*7}}</b>"])

    page = console(owner).get(page_of(left_alone)).content.decode()

    assert "&lt;img src=x" in page
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "<b>{{" not in page


def test_pages_take_few_queries_however_many_there_are(owner, instance, sink, django_assert_max_num_queries):
    for number in range(30):
        made_through_the_api(owner, f"{sink.url}{number}")
    publish(instance, 20)
    client = console(owner)

    with django_assert_max_num_queries(12):
        assert client.get(LIST).status_code == 200
    with django_assert_max_num_queries(16):
        assert client.get(page_of(Subscription.objects.get(instance=instance))).status_code == 200
