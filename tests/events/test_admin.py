"""The console's pages about events: scoped, read-only, bodies as text."""

from __future__ import annotations

import pytest
from django.db.models.functions import Now
from django.test import Client

from events.deliver import drain
from events.models import Delivery, Subscription
from events.posting import post
from events.record import record
from instances.models import User
from tests.events.conftest import POLLED_AT, change, make_instance, publish

pytestmark = pytest.mark.django_db
MODELS = ("event", "delivery", "deliveryattempt", "subscription")


def console(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_every_list_and_page_opens(owner, instance, sink):
    sink.answer(500, body=b"<b>broken</b>")
    publish(instance)
    drain()
    client = console(owner)

    for model in MODELS:
        listed = client.get(f"/console/events/{model}/")
        assert listed.status_code == 200
        assert listed.context["cl"].result_count == 1
        (row,) = listed.context["cl"].result_list
        assert client.get(f"/console/events/{model}/{row.pk}/change/").status_code == 200
        assert client.post(f"/console/events/{model}/{row.pk}/change/", {}).status_code == 403
        assert client.get(f"/console/events/{model}/add/").status_code == 403
        assert client.get(f"/console/events/{model}/{row.pk}/delete/").status_code == 403


def test_what_was_posted_is_seen_by_its_organization_alone(owner, stranger):
    event = post(organization=owner.organization, topic="news", message="hello", severity="low", sender="ops")
    path = f"/console/events/event/{event.pk}/change/"

    assert [console(user).get(path).status_code for user in (owner, stranger)] == [200, 404]
    listed = console(owner).get("/console/events/event/?q=news").context["cl"].result_list
    assert [str(one) for one in listed] == [f"{event.pk} about news"]


def test_a_stranger_sees_no_rows(stranger, instance, sink):
    publish(instance)
    drain()
    client = console(stranger)

    for model in MODELS:
        assert client.get(f"/console/events/{model}/").context["cl"].result_count == 0
    event = Delivery.objects.get().event_id
    assert client.get(f"/console/events/event/{event}/change/").status_code == 404


def test_bodies_and_answers_are_shown_as_text(owner, instance, sink):
    sink.answer(500, body=b"<script>alert(1)</script>")
    noticed = change(1, firstName="<script>alert(2)</script>")
    (event_id,) = record(instance=instance, changes=[noticed], source="poll", polled_at=POLLED_AT)
    drain()
    attempt = Delivery.objects.get().attempts.get()
    client = console(owner)

    for path in (f"event/{event_id}", f"deliveryattempt/{attempt.pk}"):
        page = client.get(f"/console/events/{path}/change/").content.decode()
        assert "&lt;script&gt;alert(" in page
        assert "<script>alert(" not in page


def test_a_viewer_sees_no_bodies(colleague, instance, sink):
    (event,) = publish(instance)
    User.objects.filter(pk=colleague.pk).update(role=User.VIEWER)

    page = console(colleague).get(f"/console/events/event/{event.pk}/change/").content.decode()

    assert "0 of 1" in page
    assert "Ann 1" not in page


def redeliver(user: User, delivery: Delivery):
    chosen = {"action": "redeliver", "_selected_action": [delivery.pk]}
    return console(user).post("/console/events/delivery/", chosen, follow=True)


def test_redeliver_begins_a_delivery_again_and_reactivates(owner, instance, subscription, sink):
    sink.answer(410)
    publish(instance)
    drain()
    sink.answer(200)

    page = redeliver(owner, Delivery.objects.get())

    subscription.refresh_from_db()
    assert "1 deliveries begin again" in page.content.decode()
    assert subscription.state == Subscription.ACTIVE
    assert drain().delivered == 1


def test_neither_a_viewer_nor_a_stranger_redelivers(colleague, stranger, instance, sink):
    publish(instance)
    drain()
    User.objects.filter(pk=colleague.pk).update(role=User.VIEWER)

    for user in (colleague, stranger):
        redeliver(User.objects.get(pk=user.pk), Delivery.objects.get())

    Delivery.objects.update(next_attempt_at=Now())
    assert drain().attempts == 0


def test_the_query_string_of_a_callback_url_is_not_shown(owner, sink):
    make_instance(owner, sink.url + "?secret=canary")

    assert b"canary" not in console(owner).get("/console/events/subscription/").content


def test_lists_are_named_in_english_and_rows_by_what_they_are(owner, instance, subscription, sink):
    (event,) = publish(instance)
    client = console(owner)

    page = client.get(f"/console/events/delivery/{event.deliveries.get().pk}/change/").content.decode()

    assert "Deliveries" in page
    assert f"of event {event.pk}, pending" in page
    assert f"{subscription.pk} to 127.0.0.1" in page
