"""What the ledger knows, and forgets."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from connectors.change import Change
from events import ledger
from events.ledger import SeenVersion
from events.models import SeenChange
from tests.events.conftest import POLLED_AT, change, changes

pytestmark = pytest.mark.django_db


def without_stamp(number: int) -> Change:
    known = change(number, version=f"~{number}")
    return Change(**{name: getattr(known, name) for name in Change.__slots__} | {"changed_at": None})


def trim(instance, *, before=POLLED_AT - timedelta(days=1), untouched_since=POLLED_AT - timedelta(days=999)):
    return ledger.trim(instance_id=instance.pk, object_type="contacts", before=before, untouched_since=untouched_since)


def test_versions_of_an_object_come_back_in_the_order_they_were_seen(instance):
    ledger.note(instance_id=instance.pk, changes=[change(1, version="b")])
    second = change(1, version="a")
    unsettled = Change(**{name: getattr(second, name) for name in Change.__slots__} | {"is_settled": False})
    ledger.enter(instance_id=instance.pk, changes=[unsettled], event_ids={ledger.identity(unsettled): 7})
    content_hash = (1).to_bytes(16, "big")

    found = ledger.seen(instance_id=instance.pk, object_type="contacts", object_ids=["1", "2"])

    assert found == {"1": [SeenVersion("b", content_hash, True, ""), SeenVersion("a", content_hash, False, "UPDATED")]}
    assert ledger.seen(instance_id=instance.pk, object_type="incidents", object_ids=["1"]) == {}
    assert ledger.seen(instance_id=instance.pk, object_type="contacts", object_ids=[]) == {}


def test_trimming_forgets_what_is_behind_and_tells_the_greatest_id(instance):
    ledger.note(instance_id=instance.pk, changes=[change(9), change(10), change(700)])
    ledger.note(instance_id=instance.pk, changes=[change(800, object_type="incidents"), without_stamp(900)])

    assert trim(instance, before=POLLED_AT - timedelta(seconds=9)) == 700
    assert set(SeenChange.objects.values_list("object_id", flat=True)) == {"9", "800", "900"}


def test_trimming_nothing_and_ids_that_are_no_numbers_tell_none(instance):
    assert trim(instance) is None

    known = change(1)
    text_id = Change(**{name: getattr(known, name) for name in Change.__slots__} | {"object_id": "a-1"})
    ledger.note(instance_id=instance.pk, changes=[text_id])

    assert trim(instance, before=POLLED_AT) is None
    assert not SeenChange.objects.exists()


def test_objects_without_a_stamp_are_forgotten_when_they_were_not_met_again(instance):
    ledger.note(instance_id=instance.pk, changes=[without_stamp(1), without_stamp(2), *changes(1)])
    long_ago = timezone.now() - timedelta(days=30)
    SeenChange.objects.update(seen_at=long_ago)

    ledger.touch(instance_id=instance.pk, object_type="contacts", object_ids=["2"])

    assert trim(instance, untouched_since=long_ago + timedelta(days=1)) == 1
    assert set(SeenChange.objects.filter(changed_at=None).values_list("object_id", flat=True)) == {"2"}
