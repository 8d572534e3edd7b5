"""How receivers are doing, over the API."""

from __future__ import annotations

import pytest

from instances.models import User
from tests.api_client import Api
from tests.events.conftest import publish
from tests.events.failing import go_round, pass_time

pytestmark = pytest.mark.django_db


def test_a_receiver_that_never_failed_is_closed_with_nothing_to_tell(api, subscription):
    answer = api.get(f"/notifications/subscriptions/{subscription.pk}/circuit")

    assert (answer.status_code, answer.json()) == (
        200,
        {
            "subscriptionId": subscription.pk,
            "state": "closed",
            "failures": 0,
            "warnedPercent": 0,
            "failingSince": None,
            "openedAt": None,
            "nextProbeAt": None,
            "pausedUntil": None,
        },
    )
    assert api.get(f"/notifications/subscriptions/{subscription.pk}/transitions").json() == []


def test_of_one_that_fails_it_is_told_since_when_and_when_it_is_tried_again(owner, api, instance, subscription):
    publish(instance, 12)
    go_round(503, retry_after=30)
    pass_time(31)
    go_round(200)
    User.objects.filter(pk=owner.pk).update(role=User.VIEWER)

    circuit = api.get(f"/notifications/subscriptions/{subscription.pk}/circuit").json()
    answer = api.get(f"/notifications/subscriptions/{subscription.pk}/transitions", pageSize=1)

    assert circuit["state"] == "recovering"
    assert (circuit["failures"], circuit["failingSince"]) == (0, None)
    assert circuit["openedAt"].endswith("Z")
    (newest,) = answer.json()
    assert (newest["kind"], answer.headers["Elements-Total-Count"]) == ("recovering", "2")
    token = answer.headers["Elements-Next-Page-Token"]
    (oldest,) = api.get(
        f"/notifications/subscriptions/{subscription.pk}/transitions", pageSize=1, nextPage=token
    ).json()
    assert (oldest["kind"], oldest["reason"]) == ("opened", "12 of 12 attempts failed; the last one: HTTP 503")


@pytest.mark.parametrize("what", ["circuit", "transitions"])
def test_of_what_is_not_there_or_somebody_elses_nothing_is_told(what, api, stranger, subscription):
    for caller, subscription_id in ((api, 0), (api, "x"), (Api(stranger), subscription.pk)):
        answer = caller.get(f"/notifications/subscriptions/{subscription_id}/{what}")

        assert answer.status_code == 404
        assert answer.json()["message"] == f"There is no subscription {subscription_id}"
