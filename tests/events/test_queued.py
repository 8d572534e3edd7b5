"""Deliveries that are put aside and let go again."""

from __future__ import annotations

import pytest
from django.db import transaction

from events import ordering, queued
from events.models import Delivery
from events.plain_cursor import plain_cursor
from events.record import record
from instances.models import Instance
from tests.events.conftest import POLLED_AT, change, publish

pytestmark = pytest.mark.django_db


def test_what_is_delivered_stays_delivered_and_the_oldest_go_first(instance, subscription):
    publish(instance, 5)
    first, second, *_ = Delivery.objects.order_by("pk")
    Delivery.objects.filter(pk=first.pk).update(state=Delivery.DELIVERED)

    with transaction.atomic(), plain_cursor() as cursor:
        assert queued.put_aside(cursor, subscription.pk, most=3) == 3
        assert queued.put_aside(cursor, subscription.pk) == 1
        assert queued.let_go(cursor, subscription.pk, most=1) == 1

    assert Delivery.objects.get(state=Delivery.PENDING) == second
    assert Delivery.objects.filter(state=Delivery.QUEUED).count() == 3


def test_what_is_told_in_order_stays_in_line_when_it_is_let_go(owner, instance, subscription):
    instance.notification_ordering = Instance.BY_OBJECT
    instance.save(update_fields=["notification_ordering"])
    for version in ("1", "2"):
        with transaction.atomic():
            record(instance=instance, changes=[change(1, version=version)], source="poll", polled_at=POLLED_AT)

    with transaction.atomic(), plain_cursor() as cursor:
        queued.put_aside(cursor, subscription.pk)
        queued.let_go(cursor, subscription.pk)

    first, second = Delivery.objects.order_by("pk")
    assert first.next_attempt_at < second.next_attempt_at == ordering.WAITS
