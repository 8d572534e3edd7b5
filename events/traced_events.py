"""What became of events: to whom they went, each attempt, the last answer, and what the next one waits for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from django.db.models import F, Window
from django.db.models.functions import RowNumber

from events import ordering, subscriptions
from events.models import Circuit, Delivery, DeliveryAttempt, Event, Subscription
from events.serializers import delivery_status
from instances.models import Instance
from instances.serializers import timestamp

MOST_DELIVERIES = 1_000
ATTEMPTS_SHOWN = 10
"""Of each delivery, the last ones."""
NEVER = frozenset({subscriptions.HELD_BACK, ordering.WAITS})
"""Due times that are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedDelivery:
    """One event on its way to one subscription."""

    delivery_id: int
    subscription_id: int
    host: str
    status: str
    """As deliveries have it in the API."""
    detail: str
    """The same as a sentence, with what it waits for."""
    next_attempt_at: datetime | None
    attempts: tuple[DeliveryAttempt, ...]
    """The last ones, the oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedEvent:
    event_id: int
    source: str
    created_at: datetime
    is_addressed: bool
    """Whether there is a delivery of it, be it one that is left out here."""
    deliveries: tuple[TracedDelivery, ...]


def trace(event_ids: Collection[int], *, instance: Instance, now: datetime) -> dict[int, TracedEvent]:
    """These events of an instance, by id; without those that have been deleted since."""
    rows = Event.objects.filter(pk__in=event_ids, instance=instance).defer("body")
    events = {event.pk: event for event in rows}
    deliveries = list(
        Delivery.objects.filter(event__in=events)
        .select_related("subscription__circuit")
        .order_by("-event_id", "pk")[:MOST_DELIVERIES]
    )
    attempts = _attempts([delivery.pk for delivery in deliveries])
    traced: dict[int, list[TracedDelivery]] = {}
    for delivery in deliveries:
        one = _traced(delivery, attempts.get(delivery.pk, ()), instance=instance, now=now)
        traced.setdefault(delivery.event_id, []).append(one)
    addressed = set(traced)
    if len(deliveries) == MOST_DELIVERIES:
        addressed = set(Delivery.objects.filter(event__in=events).values_list("event_id", flat=True).distinct())
    return {
        pk: TracedEvent(
            event_id=pk,
            source=event.source,
            created_at=event.created_at,
            is_addressed=pk in addressed,
            deliveries=tuple(traced.get(pk, ())),
        )
        for pk, event in events.items()
    }


def _attempts(delivery_ids: Sequence[int]) -> Mapping[int, Sequence[DeliveryAttempt]]:
    newest_first = Window(RowNumber(), partition_by=F("delivery_id"), order_by=F("id").desc())
    rows = DeliveryAttempt.objects.filter(delivery__in=delivery_ids).annotate(rank=newest_first)
    attempts: dict[int, list[DeliveryAttempt]] = {}
    for attempt in rows.filter(rank__lte=ATTEMPTS_SHOWN).order_by("pk"):
        attempts.setdefault(attempt.delivery_id, []).append(attempt)
    return attempts


def _traced(
    delivery: Delivery, attempts: Sequence[DeliveryAttempt], *, instance: Instance, now: datetime
) -> TracedDelivery:
    is_pending = delivery.state == Delivery.PENDING
    host = urlsplit(delivery.subscription.url).hostname or "nowhere"
    return TracedDelivery(
        delivery_id=delivery.pk,
        subscription_id=delivery.subscription_id,
        host=host,
        status=delivery_status(delivery),
        detail=_detail(delivery, attempts, host=host, instance=instance, now=now),
        next_attempt_at=delivery.next_attempt_at if is_pending and delivery.next_attempt_at not in NEVER else None,
        attempts=tuple(attempts),
    )


def _detail(
    delivery: Delivery, attempts: Sequence[DeliveryAttempt], *, host: str, instance: Instance, now: datetime
) -> str:
    subscription, last = delivery.subscription, attempts[-1] if attempts else None
    answer = f"the last attempt, {timestamp(last.started_at)}: {_outcome(last)}" if last else "not tried yet"
    if delivery.state == Delivery.DELIVERED:
        # An attempt whose claim was lost may have ended after it.
        accepted = next((one for one in reversed(attempts) if not one.error_class), None)
        when = f" at {timestamp(accepted.started_at)} (HTTP {accepted.status})" if accepted else ""
        return f"Delivered to {host}{when}"
    if delivery.state == Delivery.QUEUED:
        if subscription.state == Subscription.DEACTIVATED:
            return f"Queued for {host}, whose subscription is deactivated: {subscription.deactivated_reason}"
        return f"Queued for {host} until somebody asks for it; {answer}"
    if delivery.state == Delivery.ABANDONED:
        return f"Given up for {host}; {answer}"
    if delivery.next_attempt_at == subscriptions.HELD_BACK:
        return f"Held back from {host} because {_switched_off(instance, subscription)}"
    if delivery.next_attempt_at == ordering.WAITS:
        return f"Waits until an older change of the same object has been delivered to {host}"
    return f"Due to {host} at {timestamp(delivery.next_attempt_at)}; {answer}{_circuit(subscription, now=now)}"


def _outcome(attempt: DeliveryAttempt) -> str:
    if attempt.status is not None:
        return f"HTTP {attempt.status}"
    return attempt.error or attempt.error_class or "no answer"


def _switched_off(instance: Instance, subscription: Subscription) -> str:
    if instance.is_disabled:
        return "the instance is disabled"
    if not instance.is_events_enabled:
        return "events are off"
    return "there is no callback URL" if not subscription.url else "its switch was off; it is about to be let go"


def _circuit(subscription: Subscription, *, now: datetime) -> str:
    """What keeps a receiver that failed from being sent to."""
    circuit: Circuit | None = getattr(subscription, "circuit", None)
    if circuit is None:
        return ""
    if circuit.state == Circuit.OPEN:
        probe = f", at {timestamp(circuit.next_probe_at)}" if circuit.next_probe_at else ""
        return f". So many attempts to this receiver failed that it is tried with one event at a time{probe}"
    if circuit.state == Circuit.RECOVERING:
        return ". Its receiver has just recovered and is sent to slowly"
    if circuit.paused_until is not None and circuit.paused_until > now:
        return f". Its receiver asked to be left alone until {timestamp(circuit.paused_until)}"
    return ""
