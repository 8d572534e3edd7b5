"""Who gets the notifications of a topic, and what happens to deliveries when that changes.

An instance with a callback URL owns one subscription. Two things stop it, and they are kept apart:

- A switch: events off, instance disabled, callback URL removed. Nothing more is sent from that commit on, but nobody
  decided against what was recorded before. Such deliveries stay pending, held back until the switch is on again. They
  are not `queued`: releasing those by a switch would also send what the account's failure policy keeps until it is
  asked for.
- Failures: the subscription is deactivated and its deliveries are queued. No switch changes that, only a receiver that
  is back (see `circuits`), a request to redeliver, or another callback URL.

Locks are taken in one order everywhere: instance, subscription, circuit, delivery.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from psycopg import Cursor

from events import circuit_rows, doorbell, ordering, queued, transitions
from events.models import Delivery, Event, Subscription
from events.plain_cursor import plain_cursor
from events.transitions import Transition
from instances.event_settings import is_own_events_url
from instances.models import Instance

HELD_BACK = datetime(9999, 12, 31, tzinfo=UTC)
"""`next_attempt_at` of a pending delivery that waits for a switch. No claim finds it."""


def follow_instance(*, instance: Instance, **_signal: Any) -> None:
    """Make the subscription agree with the instance, in the transaction that changes the instance."""
    # Our own receiver is accepted as a callback URL, since clients copy it from guides; sending there would be a loop.
    url = "" if is_own_events_url(instance.callback_url) else instance.callback_url
    subscription = Subscription.objects.select_for_update(of=("self",)).filter(instance=instance).first()
    if instance.notification_ordering != Instance.BY_OBJECT:
        # For `release`, before deliveries are locked.
        with plain_cursor() as cursor:
            ordering.hold(cursor, instance.pk)
    if subscription is None and url and instance.is_events_enabled:
        Subscription.objects.create(
            organization_id=instance.organization_id, instance=instance, topics=[instance.topic], url=url
        )
    elif subscription is not None:
        # Without a URL events are for the API only: the topic is given up, so that none pile up for a later URL.
        subscription.topics = [instance.topic] if url else []
        is_moved, subscription.url = bool(url) and url != subscription.url, url
        if is_moved:
            _begin_afresh(subscription)
        subscription.save(update_fields=["topics", "url", "state", "deactivated_reason", "updated_at"])
    if instance.notification_ordering != Instance.BY_OBJECT:
        ordering.release(instance)
    if not instance.is_disabled:
        _release_held_back(instance)


def forget_instance(*, instance: Instance, **_signal: Any) -> None:
    """Remove an instance's events with a few statements; Django would fetch them row by row to delete them."""
    with connection.cursor() as cursor:
        for statement in _FORGET:
            cursor.execute(statement, [instance.pk])


def deactivate(cursor: Cursor[Any], subscription_id: int, *, reason: str) -> None:
    """Send nothing more to a locked subscription; what waits for it is queued, like what comes.

    Of very many the rest is queued by the upkeep of circuits.
    """
    cursor.execute(_SET_STATE, [Subscription.DEACTIVATED, reason, subscription_id])
    queued.put_aside(cursor, subscription_id)


def reactivate(cursor: Cursor[Any], subscription_id: int) -> None:
    """Let what comes from now on go to a locked subscription again."""
    cursor.execute(_SET_STATE, [Subscription.ACTIVE, "", subscription_id])


def redeliver(deliveries: QuerySet[Delivery], *, reactivate: QuerySet[Subscription]) -> int:
    """Begin these deliveries again, as somebody asked for, and reactivate these subscriptions. Returns how many began.

    Receivers that were left alone are trusted again. What belongs to a switched-off instance is held back until it is
    on again.
    """
    with transaction.atomic(), plain_cursor() as cursor:
        locked = reactivate.select_for_update(no_key=True, of=("self",)).order_by("pk")
        _trust_again(cursor, list(locked), reason="Somebody asked for its deliveries again")
    count = last = 0
    while True:
        # Each batch a transaction of its own: nobody waits long for these rows.
        with transaction.atomic(), plain_cursor() as cursor:
            rows = deliveries.filter(pk__gt=last).select_for_update(no_key=True, of=("self",)).order_by("pk")
            ids = list(rows.values_list("pk", flat=True)[: queued.AT_ONCE])
            _begin(cursor, ids)
        count += len(ids)
        if len(ids) < queued.AT_ONCE:
            return count
        last = ids[-1]


def move(subscription_id: int, *, url: str) -> None:
    """Send what a subscription that is nobody's instance gets to another URL, which was checked. It begins afresh."""
    with transaction.atomic():
        rows = Subscription.objects.select_for_update(of=("self",))
        subscription = rows.get(pk=subscription_id, instance=None)
        if url != subscription.url:
            subscription.url = url
            _begin_afresh(subscription)
            subscription.save(update_fields=["url", "state", "deactivated_reason", "updated_at"])


def _begin_afresh(subscription: Subscription) -> None:
    """Failures at the old URL say nothing about the new one."""
    was_deactivated = subscription.state == Subscription.DEACTIVATED
    with plain_cursor() as cursor:
        _trust_again(cursor, [subscription], reason="It has another callback URL")
        if was_deactivated:
            while queued.let_go(cursor, subscription.pk) == queued.AT_ONCE:
                pass
        # What is being sent at this moment keeps its lease, and its outcome decides about it.
        failing = subscription.deliveries.filter(
            state=Delivery.PENDING, first_failed_at__isnull=False, leased_until__isnull=True
        )
        _begin(cursor, list(failing.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True)))


def _trust_again(cursor: Cursor[Any], subscriptions: Sequence[Subscription], *, reason: str) -> None:
    """What failed so far counts no more for these locked subscriptions; deactivated ones become active."""
    circuit_rows.close(cursor, [subscription.pk for subscription in subscriptions], reason=reason)
    deactivated = [subscription for subscription in subscriptions if subscription.state == Subscription.DEACTIVATED]
    for subscription in deactivated:
        subscription.state, subscription.deactivated_reason = Subscription.ACTIVE, ""
        subscription.save(update_fields=["state", "deactivated_reason", "updated_at"])
    transitions.record(
        cursor,
        [
            Transition(subscription_id=one.pk, kind=transitions.REACTIVATED, reason=reason, is_known=True)
            for one in deactivated
        ],
    )


def _begin(cursor: Cursor[Any], delivery_ids: Sequence[int]) -> None:
    if delivery_ids:
        Delivery.objects.filter(pk__in=delivery_ids).update(**_FRESH)
        ordering.line_up_again(cursor, delivery_ids)
        transaction.on_commit(doorbell.DELIVERIES.ring, robust=True)


def _release_held_back(instance: Instance) -> None:
    """What its switches, as they are now, let go; beside its own changes, what others posted to its topic."""
    held_back = (
        Delivery.objects.filter(state=Delivery.PENDING, next_attempt_at=HELD_BACK)
        .filter(Q(event__instance=instance) | Q(event__instance=None, subscription__instance=instance))
        .exclude(subscription__url="")
    )
    if not instance.is_events_enabled:
        held_back = held_back.filter(event__instance=instance, event__source=Event.POSTED)
    # Locked by id first: an update takes rows as it finds them.
    locked = held_back.select_for_update(no_key=True, of=("self",)).order_by("pk")
    if list(locked.values_list("pk", flat=True)) and held_back.update(next_attempt_at=Now()):
        transaction.on_commit(doorbell.DELIVERIES.ring, robust=True)


_FRESH: dict[str, Any] = {
    "state": Delivery.PENDING,
    "attempts_made": 0,
    "first_failed_at": None,
    "next_attempt_at": Now(),
    "updated_at": Now(),
}

_SET_STATE = """
UPDATE events_subscription SET state = %b, deactivated_reason = %b, updated_at = statement_timestamp() WHERE id = %b
"""

_FORGET = (
    "SELECT 1 FROM events_subscription WHERE instance_id = %s FOR UPDATE",
    """DELETE FROM events_deliveryattempt USING events_delivery AS delivery, events_event AS event
       WHERE delivery_id = delivery.id AND delivery.event_id = event.id AND event.instance_id = %s""",
    """DELETE FROM events_orderingkey USING events_delivery AS delivery, events_event AS event
       WHERE delivery_id = delivery.id AND delivery.event_id = event.id AND event.instance_id = %s""",
    "DELETE FROM events_delivery USING events_event AS event WHERE event_id = event.id AND event.instance_id = %s",
    "DELETE FROM events_event WHERE instance_id = %s",
    "DELETE FROM events_seenchange WHERE instance_id = %s",
)
