"""The list of events and the page of one: scoped, fast, bodies as text and only for those who may see them."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from events.deliver import drain
from events.models import Delivery, DeliveryAttempt, Event, Subscription
from events.posting import post
from events.record import record
from instances.models import AuditEntry, User
from tests.events.conftest import POLLED_AT, change, changes, make_instance, publish
from tests.events.console.signed_in import console, noted

pytestmark = pytest.mark.django_db
LIST = "/console/events/event/"
EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}"


def ids(answer) -> list[int]:
    return [row.pk for row in answer.context["cl"].result_list]


def page_of(event_id: int) -> str:
    return f"{LIST}{event_id}/change/"


def test_the_list_says_what_happened_and_how_far_it_got(owner, instance, sink):
    with_three = record(instance=instance, changes=changes(3), source="poll", polled_at=POLLED_AT)
    drain()
    (waiting,) = publish(instance, first=9)

    answer = console(owner).get(LIST)

    assert ids(answer) == [waiting.pk, *with_three]
    page = answer.content.decode()
    assert "contacts 1 updated, and 2 more" in page
    assert "1 of 1" in page
    assert "0 of 1, pending" in page


def test_the_list_takes_as_many_queries_for_thirty_events_as_for_three(owner, instance, sink):
    client = console(owner)
    publish(instance, 3)
    client.get(LIST)
    with CaptureQueriesContext(connection) as few:
        client.get(LIST)
    publish(instance, 27, first=4)

    with CaptureQueriesContext(connection) as many:
        answer = client.get(LIST)

    assert len(ids(answer)) == 30
    assert len(many) == len(few) <= 12


def test_filters_and_search_find_events(owner, instance, sink):
    (sent,) = publish(instance)
    drain()
    (waiting,) = publish(instance, first=2)
    posted = post(organization=owner.organization, topic="news", message="hello", severity="low", sender="ops")
    client = console(owner)

    assert ids(client.get(LIST)) == [posted.pk, waiting.pk, sent.pk]
    assert ids(client.get(f"{LIST}?status=delivered")) == [sent.pk]
    assert ids(client.get(f"{LIST}?status=undelivered")) == [waiting.pk]
    assert ids(client.get(f"{LIST}?source=posted")) == [posted.pk]
    assert ids(client.get(f"{LIST}?element=connectwisehd")) == []
    assert ids(client.get(f"{LIST}?to=2020-01-01T00:00")) == []
    assert ids(client.get(f"{LIST}?from=2020-01-01T00:00&to=2090-01-01")) == [posted.pk, waiting.pk, sent.pk]
    assert ids(client.get(f"{LIST}?from=nonsense")) == [posted.pk, waiting.pk, sent.pk]
    assert ids(client.get(f"{LIST}?q={sent.pk}")) == [sent.pk]
    assert ids(client.get(f"{LIST}?q=2&instance={instance.pk}")) == [waiting.pk]
    assert ids(client.get(f"{LIST}?q={sent.pk}&status=delivered&element={instance.element_key}")) == [sent.pk]
    assert ids(client.get(f"{LIST}?q={sent.pk}&status=undelivered")) == []
    assert ids(client.get(f"{LIST}?q={sent.pk}&element=connectwisehd")) == []
    assert ids(client.get(f"{LIST}?q=no+such")) == []


def test_pages_follow_each_other_to_a_clear_end(owner, instance, sink):
    events = [event.pk for event in publish(instance, 60)]
    client = console(owner)

    newest = client.get(LIST)
    older = client.get(LIST + newest.context["cl"].older_url)

    assert ids(newest) + ids(older) == sorted(events, reverse=True)
    assert "Look further back" not in newest.content.decode()
    assert older.context["cl"].older_url == ""
    assert "The end: 10 events on this page" in older.content.decode()
    assert "data-live " not in older.content.decode()


def test_the_rows_alone_are_answered_to_the_live_list(owner, instance, sink):
    (event,) = publish(instance)

    part = console(owner).get(LIST, headers={"X-Console-Part": "rows"}).content.decode()

    assert part.startswith('<div id="rows" data-live>')
    assert f'data-row="{event.pk}"' in part
    assert "<html" not in part


def test_an_empty_list_says_what_would_be_there(owner):
    assert "once an instance has its events switched on" in console(owner).get(LIST).content.decode()


def test_strangers_and_people_of_no_organization_see_nothing(owner, stranger, instance, sink):
    (event,) = publish(instance)
    post(organization=owner.organization, topic="news", message="hello", severity="low", sender="ops")
    nobody = User.objects.create_user("nobody@example.com", is_staff=True)

    for user in (stranger, nobody):
        client = console(user)
        assert ids(client.get(LIST)) == ids(client.get(f"{LIST}?q={event.pk}")) == []
        assert client.get(f"{LIST}?instance={instance.pk}").status_code == 404
        assert client.get(page_of(event.pk)).status_code == 404
        assert client.post(f"{LIST}{event.pk}/body/").status_code == 404
        assert client.post(f"{LIST}{event.pk}/download/").status_code == 404
    assert noted() == []


def test_superusers_see_what_everybody_has(owner, stranger, instance, sink):
    ours, theirs = publish(instance)[0], publish(make_instance(stranger, sink.url))[0]
    root = User.objects.create_superuser("root@example.com")

    assert ids(console(root).get(LIST)) == [theirs.pk, ours.pk]


def test_the_page_tells_of_changes_deliveries_and_every_attempt(owner, instance, sink):
    sink.answer(503, body=EVIL.encode())
    (event,) = publish(instance)
    drain()

    page = console(owner).get(page_of(event.pk)).content.decode()

    for said in ("A poll found it", "contacts", "Receiver failed (HTTP 503)", "1 attempt of at most 10", "webhook-id"):
        assert said in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert console(owner).post(page_of(event.pk), {}).status_code == 403


def test_attempts_at_one_receiver_do_not_crowd_out_those_at_another(owner, instance, sink):
    Subscription.objects.create(organization=owner.organization, topics=[instance.topic], url=sink.url)
    (event,) = publish(instance)
    drain()
    first, second = Delivery.objects.filter(event=event).order_by("pk")
    DeliveryAttempt.objects.bulk_create(
        DeliveryAttempt(delivery=first, number=number, started_at=POLLED_AT, duration_ms=1, status=429)
        for number in range(250)
    )

    page = console(owner).get(page_of(event.pk))

    few, one = sorted(page.context["stories"], key=lambda story: story.delivery.pk)
    assert (len(few.attempts), few.has_more_attempts) == (10, True)
    assert (len(one.attempts), one.has_more_attempts) == (1, False)
    assert f"/deliveryattempt/?delivery={first.pk}" in page.content.decode()
    assert f"/deliveryattempt/?delivery={second.pk}" not in page.content.decode()


def test_a_body_is_shown_as_text_on_request_and_that_is_noted(owner, instance, sink):
    noticed = change(1, firstName=EVIL)
    (event_id,) = record(instance=instance, changes=[noticed], source="poll", polled_at=POLLED_AT)
    client = console(owner)

    page = client.get(page_of(event_id)).content.decode()
    assert "alert(1)" not in page
    assert noted() == []

    shown = client.post(f"{LIST}{event_id}/body/", headers={"HX-Request": "true"}).content.decode()
    whole = client.post(f"{LIST}{event_id}/body/").content.decode()
    file = client.post(f"{LIST}{event_id}/download/")

    for text in (shown, whole):
        assert "&lt;script&gt;alert(1)" in text
        assert "<script>alert" not in text
        assert "x-ignore" in text
    assert "<html" not in shown
    assert file.content == bytes(Event.objects.get(pk=event_id).body)
    assert file.headers["Content-Disposition"] == f'attachment; filename="event-{event_id}.json"'
    assert file.headers["X-Content-Type-Options"] == "nosniff"
    looked, saved = f"looked at a notification: event {event_id}", f"downloaded a notification: event {event_id}"
    assert noted() == [looked, looked, saved]
    assert AuditEntry.objects.filter(instance_id=instance.pk, who=owner.email).count() == 3
    assert client.get(f"{LIST}{event_id}/body/").status_code == 405


def test_a_viewer_sees_that_it_went_and_not_what(colleague, instance, sink):
    sink.answer(500, body=b"Ann 1 is unknown here")
    (event,) = publish(instance)
    drain()
    client = console(colleague, role=User.VIEWER)

    listed, page = client.get(LIST).content.decode(), client.get(page_of(event.pk)).content.decode()

    assert "1 change" in listed
    assert "contacts" not in listed
    assert "Receiver failed (HTTP 500)" in page
    assert "Ann 1" not in page
    assert "contacts" not in page
    assert "Redeliver" not in page
    for name in ("body", "download"):
        answer = client.post(f"{LIST}{event.pk}/{name}/")
        assert answer.status_code == 403
        assert b"Ann 1" not in answer.content
    assert noted() == []
