"""What is kept about what became no event."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from events import decisions, tasks
from events.decisions import Decided
from events.models import Decision
from tests.factories import InstanceFactory

pytestmark = pytest.mark.django_db


def decided(object_id: str = "7", **columns) -> Decided:
    return Decided(
        object_type="contacts", object_id=object_id, source="webhook", decision=decisions.SEEN_BEFORE, **columns
    )


def test_several_are_kept_at_once(django_assert_num_queries):
    instance = InstanceFactory.create()

    decisions.note(instance_id=instance.pk, decided=[decided(callback_id=3), decided("8", reason="nul \x00 byte")])

    rows = Decision.objects.order_by("pk").values_list("instance", "object_id", "callback_id", "reason", "decision")
    assert list(rows) == [
        (instance.pk, "7", 3, "", "seen_before"),
        (instance.pk, "8", None, "nul \ufffd byte", "seen_before"),
    ]
    with django_assert_num_queries(0):
        decisions.note(instance_id=instance.pk, decided=[])


@pytest.mark.parametrize("object_id", ["7" * 256, "7\x00", "7\n"])
def test_what_is_no_id_that_anybody_asks_about_is_passed_over(object_id):
    instance = InstanceFactory.create()

    decisions.note(instance_id=instance.pk, decided=[decided(object_id), decided("8")])

    assert Decision.objects.get().object_id == "8"


def test_old_ones_are_forgotten_in_parts_and_younger_ones_kept(settings):
    settings.TRACE_DAYS = 3
    instance = InstanceFactory.create()
    decisions.note(instance_id=instance.pk, decided=[decided()] * 5)
    Decision.objects.update(decided_at=Now() - timedelta(days=3, minutes=1))
    decisions.note(instance_id=instance.pk, decided=[decided("8")])

    assert decisions.forget_old(at_once=2) == 5
    assert Decision.objects.get().object_id == "8"
    assert decisions.forget_old() == 0


@pytest.mark.django_db(transaction=True)
def test_they_are_forgotten_by_the_hour(settings):
    settings.TRACE_DAYS = 0
    decisions.note(instance_id=InstanceFactory.create().pk, decided=[decided()])

    tasks.forget_old(invented_later=True)

    assert not Decision.objects.exists()
