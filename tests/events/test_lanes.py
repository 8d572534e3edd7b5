"""Looks for lanes that have something due."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from events import claims, lanes
from events.circuits import Permit
from events.claims import Ask
from events.lanes import Lane
from events.models import Circuit, Delivery, Subscription
from events.plain_cursor import plain_cursor
from tests.events.conftest import make_instance, publish

pytestmark = pytest.mark.django_db

SOON = timedelta(minutes=1)


@pytest.fixture
def two(owner) -> list[Subscription]:
    """Subscriptions with two due deliveries each."""
    for number in range(2):
        publish(make_instance(owner, f"http://127.0.0.1:18/{number}"), 2)
    return list(Subscription.objects.order_by("pk"))


def look() -> list[tuple[int, int]]:
    with plain_cursor() as cursor:
        found, position = lanes.look(cursor)
    assert position == lanes.BEGINNING
    return [(lane.number, lane.subscription_id) for lane in found]


def test_each_lane_with_something_due_is_found_once_and_live_ones_first(two):
    first, second = two
    Delivery.objects.filter(pk=Delivery.objects.filter(subscription=first).latest("pk").pk).update(lane=Delivery.AGAIN)

    assert look() == [(Delivery.LIVE, first.pk), (Delivery.LIVE, second.pk), (Delivery.AGAIN, first.pk)]


def test_a_lane_tells_whose_it_is(two):
    with plain_cursor() as cursor:
        found, _ = lanes.look(cursor)

    assert found[0] == Lane(Delivery.LIVE, two[0].pk, two[0].organization_id)


@pytest.mark.parametrize(
    "columns",
    [{"next_attempt_at": Now() + SOON}, {"leased_until": Now() + SOON}, {"state": Delivery.QUEUED}],
    ids=["later", "leased", "queued"],
)
def test_lanes_with_nothing_due_are_passed_over(two, columns):
    Delivery.objects.filter(subscription=two[0]).update(**columns)

    assert look() == [(Delivery.LIVE, two[1].pk)]


def test_what_is_leased_does_not_hide_what_is_due_behind_it(two):
    Delivery.objects.filter(pk=Delivery.objects.earliest("pk").pk).update(leased_until=Now() + SOON)

    assert look() == [(Delivery.LIVE, one.pk) for one in two]


@pytest.mark.parametrize(
    "circuit, is_found",
    [
        ({"state": Circuit.OPEN}, False),
        ({"state": Circuit.RECOVERING}, False),
        ({"paused_until": Now() + SOON}, False),
        ({"paused_until": Now() - SOON}, True),
        ({}, True),
    ],
)
def test_a_receiver_whose_circuit_is_not_closed_or_that_asked_for_patience_is_left_alone(two, circuit, is_found):
    Circuit.objects.create(subscription=two[0], **circuit)

    assert ((Delivery.LIVE, two[0].pk) in look()) is is_found


def test_a_look_goes_on_where_the_one_before_it_stopped(two, monkeypatch):
    monkeypatch.setattr(lanes, "LOOKED_AT_ONCE", 1)
    seen, position = [], lanes.BEGINNING
    with plain_cursor() as cursor:
        for _ in range(4):
            found, position = lanes.look(cursor, after=position)
            seen += [lane.subscription_id for lane in found]

    assert seen == [two[0].pk, two[1].pk, two[0].pk]


def test_a_claim_takes_of_each_lane_what_was_asked_for_and_no_more(two):
    first, second = two
    with plain_cursor() as cursor:
        taken = claims.take(cursor, [Ask(Delivery.LIVE, first.pk, 1), Ask(Delivery.LIVE, second.pk, 5)])

    assert sorted(claim.subscription_id for claim in taken) == [first.pk, second.pk, second.pk]


def test_a_permit_is_for_both_lanes_together_and_prefers_what_happens_now(two):
    oldest = Delivery.objects.filter(subscription=two[0]).earliest("pk")
    Delivery.objects.filter(pk=oldest.pk).update(lane=Delivery.AGAIN)

    assert [claim.lane for claim in permitted(two[0], most=1)] == [Delivery.LIVE]
    assert [claim.delivery_id for claim in permitted(two[0], most=5)] == [oldest.pk]


def test_a_probe_of_a_deactivated_subscription_is_its_oldest_and_stays_queued(two):
    oldest = Delivery.objects.filter(subscription=two[0]).earliest("pk")
    Delivery.objects.filter(subscription=two[0]).update(state=Delivery.QUEUED)
    Subscription.objects.filter(pk=two[0].pk).update(state=Subscription.DEACTIVATED)

    (probe,) = permitted(two[0], most=1, is_probe=True, from_queue=True)

    assert (probe.delivery_id, probe.is_probe, probe.is_wanted) == (oldest.pk, True, True)
    assert Delivery.objects.get(pk=oldest.pk).state == Delivery.QUEUED
    claims.release([probe])
    assert [claim.delivery_id for claim in permitted(two[0], most=1, from_queue=True)] == [oldest.pk]


def permitted(subscription: Subscription, **columns) -> list[claims.Claim]:
    permit = {"is_probe": False, "from_queue": False} | columns
    with plain_cursor() as cursor:
        return claims.take_permitted(cursor, [Permit(subscription_id=subscription.pk, **permit)])
