"""What the API tells of the attempts of a delivery."""

from __future__ import annotations

import pytest
from django.db.models.functions import Now

from events.deliver import drain
from events.models import Delivery
from instances.models import User
from tests.api_client import Api
from tests.events.conftest import publish

pytestmark = pytest.mark.django_db


@pytest.fixture
def path(instance, subscription, sink) -> str:
    """Of a delivery that failed, was answered with a redirect, and then arrived."""
    (event,) = publish(instance)
    for status in (500, 302, 200):
        sink.answer(status, body=b"the answer")
        Delivery.objects.update(next_attempt_at=Now())
        drain()
    return f"/notifications/{event.pk}/subscriptions/{subscription.pk}/deliveries/attempts"


def test_attempts_are_told_in_their_order_with_whom_each_is_charged_to(api, path):
    answer = api.get(path)

    assert answer.status_code == 200
    told = [(one["status"], one["errorClass"], one["budget"], one["responseExcerpt"]) for one in answer.json()]
    assert told == [
        (500, "http_5xx", "receiver", "the answer"),
        (302, "redirect", "receiver", "the answer"),
        (200, None, None, "the answer"),
    ]
    assert [one["number"] for one in answer.json()] == [1, 2, 3]
    assert all(one["startedDate"].endswith("Z") and one["durationMs"] >= 0 for one in answer.json())


def test_attempts_are_paged(api, path):
    first = api.get(path, pageSize="2")
    second = api.get(path, nextPage=first["Elements-Next-Page-Token"])

    assert [one["number"] for one in first.json() + second.json()] == [1, 2, 3]
    assert first["Elements-Total-Count"] == "3"


def test_a_viewer_sees_how_it_went_but_not_the_answer(path, colleague):
    User.objects.filter(pk=colleague.pk).update(role=User.VIEWER)

    attempts = Api(colleague).get(path).json()

    assert [one["status"] for one in attempts] == [500, 302, 200]
    assert all("responseExcerpt" not in one for one in attempts)


def test_what_there_is_not_and_what_belongs_to_others_is_not_found(api, path, stranger):
    _, _, event, _, subscription, *_ = path.split("/")

    assert Api(stranger).get(path).status_code == 404
    for missing in (("0", subscription), (event, "0"), (event, "x")):
        answer = api.get("/notifications/{}/subscriptions/{}/deliveries/attempts".format(*missing))
        assert (answer.status_code, bool(answer.json()["message"])) == (404, True)
