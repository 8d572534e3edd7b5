from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from polling import schedule
from polling.models import PollCursor
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db

PAGE = "/console/polling/pollcursor/"


@pytest.fixture
def waiting(connect, sandbox) -> PollCursor:
    instance = connect(sandbox)
    PollCursor.objects.update(next_poll_at=Now() + timedelta(hours=1), failures=2, last_error="ConnectWise is down")
    return PollCursor.objects.get(instance=instance)


def poll_now(client, *cursors: PollCursor):
    return client.post(PAGE, {"action": "poll_now", "_selected_action": [one.pk for one in cursors]}, follow=True)


def test_the_list_tells_how_far_each_resource_is_read(client, owner, waiting):
    client.force_login(owner)
    page = client.get(PAGE).content.decode()

    for shown in ("contacts", "ConnectWise is down", "failing", "Watermark", "Next poll at"):
        assert shown in page
    assert client.get(f"{PAGE}{waiting.pk}/change/").status_code == 200


def test_nobody_adds_changes_or_deletes_a_cursor(client, owner, waiting):
    client.force_login(owner)
    assert client.get(f"{PAGE}add/").status_code == 403
    assert client.post(f"{PAGE}{waiting.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.post(f"{PAGE}{waiting.pk}/change/", {"resource": "x"}).status_code == 403


def test_poll_now_makes_it_due(client, owner, waiting):
    client.force_login(owner)
    page = poll_now(client, waiting).content.decode()

    assert "1 resource(s) will be polled now." in page
    assert [one.cursor_id for one in schedule.claim(limit=9)] == [waiting.pk]


def test_poll_now_says_so_when_a_resource_is_stopped(client, owner, waiting):
    PollCursor.objects.update(is_active=False, stopped_reason="The instance is disabled.")
    client.force_login(owner)

    assert "stay so" in poll_now(client, waiting).content.decode()
    assert schedule.claim(limit=9) == []


def test_a_stranger_sees_nothing_and_a_viewer_operates_nothing(client, stranger, owner, waiting):
    client.force_login(stranger)
    assert "ConnectWise is down" not in client.get(PAGE).content.decode()
    poll_now(client, waiting)
    client.force_login(UserFactory(organization=owner.organization, role="viewer"))
    assert "ConnectWise is down" in client.get(PAGE).content.decode()
    poll_now(client, waiting)

    assert schedule.claim(limit=9) == []
