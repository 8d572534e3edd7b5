"""What is done about circuits once a minute."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F

from events import circuit_upkeep
from events.models import Circuit, CircuitTransition
from instances.models import Instance, Organization
from tests.events.conftest import make_instance, publish
from tests.events.failing import circuit_of, go_round, pass_time

pytestmark = pytest.mark.django_db

HOUR = 3600


@pytest.fixture
def failing(instance, subscription):
    publish(instance)
    go_round(500)
    return subscription


@pytest.mark.parametrize(("hours", "percent"), [(36, 0), (37, 50), (51, 70), (66, 90)])
def test_one_warning_at_each_step_of_the_way(failing, hours, percent):
    Circuit.objects.update(failing_since=F("failing_since") - timedelta(hours=hours))

    assert (circuit_upkeep.warn(), circuit_upkeep.warn()) == (1 if percent else 0, 0)
    assert circuit_of(failing).warned_percent == percent


def test_the_schedule_of_the_instance_says_how_long_the_way_is(failing):
    Instance.objects.update(retry_schedule="60,600")
    pass_time(301)

    assert circuit_upkeep.warn() == 1
    assert CircuitTransition.objects.get().reason.startswith("50 %")


@pytest.mark.parametrize("off", [{"is_events_enabled": False}, {"is_disabled": True}])
def test_no_warning_while_nothing_is_sent(failing, off):
    Instance.objects.update(**off)
    pass_time(50 * HOUR)

    assert circuit_upkeep.warn() == 0


def test_no_warning_where_nobody_is_given_up_on(failing):
    Organization.objects.update(failure_policy=Organization.QUEUE)
    pass_time(50 * HOUR)

    assert circuit_upkeep.warn() == 0


def test_a_success_begins_the_way_anew(failing, instance):
    pass_time(50 * HOUR)
    circuit_upkeep.warn()
    go_round(200)
    publish(instance, 1, first=2)
    go_round(500)
    pass_time(40 * HOUR)

    assert circuit_upkeep.warn() == 1
    assert circuit_of(failing).warned_percent == 50


def test_circuits_with_nothing_to_say_are_forgotten(failing, owner):
    other = make_instance(owner, "http://other.example/")
    Circuit.objects.create(subscription=other.subscription)

    assert circuit_upkeep.forget_idle() == 1
    assert Circuit.objects.get().subscription_id == failing.pk
