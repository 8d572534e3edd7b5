from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from events.models import Delivery, Event
from instances.models import Instance, User
from polling.console.verdicts import NOT_SEEN, verdict_of
from polling.models import PollRun
from polling.trace_words import Entry
from tests.factories import UserFactory
from tests.polling.driving import cursor_of, poll

pytestmark = pytest.mark.django_db


def trace(client, instance: Instance, object_id: str = "3", object_type: str = "contacts", **headers: str) -> Any:
    url = f"/console/instances/instance/{instance.pk}/trace/"
    return client.get(url, {"objectType": object_type, "objectId": object_id}, headers=headers)


@pytest.fixture
def told(instance, sandbox) -> Instance:
    """Polled; contact 3 has been edited since and reported, and its event awaits delivery."""
    poll(instance)
    sandbox.clock.advance(timedelta(minutes=1))
    sandbox.contacts.edit(3, title="<b>CFO</b>")
    poll(instance)
    found: Instance = instance
    return found


def test_what_happened_to_a_record_is_told_from_the_poll_to_the_receiver(client, owner, told):
    PollRun.objects.create(instance=told, resource="contacts", error="<i>Maintenance</i>", budget="provider_read")
    client.force_login(owner)
    page = trace(client, told).content.decode()

    event, delivery = Event.objects.get(), Delivery.objects.get()
    run = PollRun.objects.get(resource="contacts", error="")
    for shown in (
        "It is on its way",
        "A poll found it, saved at ",
        f'href="/console/events/event/{event.pk}/change/"',
        f'href="/console/events/delivery/{delivery.pk}/change/"',
        f'href="/console/polling/pollcursor/{cursor_of(told).pk}/change/#poll-{run.pk}"',
        "&lt;i&gt;Maintenance&lt;/i&gt;",
    ):
        assert shown in page
    assert "T00:" not in page.split("trace-result")[1]
    in_place = {"HX-Request": "true"}
    assert "<html" not in trace(client, told, **in_place).content.decode()
    on_the_way_back = in_place | {"HX-History-Restore-Request": "true"}
    assert "<html" in trace(client, told, **on_the_way_back).content.decode()


def test_a_record_that_nobody_has_seen_says_so(client, owner, told):
    client.force_login(owner)
    page = trace(client, told, "404").content.decode()

    assert NOT_SEEN.words in page
    assert "No poll or callback has shown contacts 404" in page


def test_a_question_that_cannot_be_answered_is_told_at_the_form(client, owner, told, django_assert_max_num_queries):
    client.force_login(owner)

    assert "ask about one of" in trace(client, told, object_type="<script>").content.decode()
    assert "<option selected>&lt;script&gt;" in trace(client, told, object_type="<script>").content.decode()
    assert "objectId is missing" in trace(client, told, "").content.decode()
    with django_assert_max_num_queries(20):
        trace(client, told)


def test_a_stranger_gets_404_and_a_viewer_no_answers_of_receivers(client, owner, stranger, told):
    client.force_login(stranger)
    assert trace(client, told).status_code == 404
    client.force_login(UserFactory(organization=owner.organization, role=User.VIEWER))
    page = trace(client, told)
    assert page.status_code == 200
    assert "CFO" not in page.content.decode()


def test_verdicts_go_by_the_last_event_else_by_the_last_that_is_known():
    def entry(decision: str) -> Entry:
        return Entry(at=None, source="poll", decision=decision, detail="")  # type: ignore[arg-type]

    assert verdict_of([]) == NOT_SEEN
    assert verdict_of([entry("poll_failed")]) == NOT_SEEN
    assert "began" in verdict_of([entry("baseline"), entry("poll_failed")]).words
    assert "refused" in verdict_of([entry("waiting"), entry("refused")]).words
