"""How a delivery stands and what it waits for, in words."""

from __future__ import annotations

from datetime import datetime

from django.utils.html import format_html
from django.utils.safestring import SafeString

from events import ordering, subscriptions
from events.models import Circuit, Delivery, Subscription
from instances.console import moments
from instances.models import Instance, Organization


def circuit_of(subscription: Subscription) -> Circuit | None:
    """Read with the subscription. A receiver that never failed has none."""
    return getattr(subscription, "circuit", None)


def waits_for(delivery: Delivery, *, now: datetime) -> SafeString:
    """What comes next, in a few words; nothing where nothing does by itself."""
    if delivery.state != Delivery.PENDING:
        return SafeString("")
    return format_html("<span>{}</span>", _waits_for(delivery, now=now))


def _waits_for(delivery: Delivery, *, now: datetime) -> SafeString | str:
    if delivery.leased_until is not None and delivery.leased_until > now:
        return "being sent now"
    if delivery.next_attempt_at == subscriptions.HELD_BACK:
        return "when events are on again"
    if delivery.next_attempt_at == ordering.WAITS:
        return "after an older one of the same object"
    circuit = circuit_of(delivery.subscription)
    if circuit is not None and circuit.state == Circuit.OPEN:
        if circuit.next_probe_at is None:
            return "when its circuit is closed"
        return format_html("paused, tried {}", moments.ago(max(circuit.next_probe_at, now)))
    if circuit is not None and circuit.paused_until is not None and circuit.paused_until > now:
        return format_html("as the receiver asked, {}", moments.ago(circuit.paused_until))
    return "due now" if delivery.next_attempt_at <= now else moments.ago(delivery.next_attempt_at)


def explained(delivery: Delivery, *, organization: Organization, now: datetime) -> SafeString:
    """How it stands in a sentence or two, for the delivery's page."""
    subscription = delivery.subscription
    match delivery.state:
        case Delivery.DELIVERED:
            return format_html("The receiver took it {}.", moments.ago(delivery.updated_at))
        case Delivery.ABANDONED:
            return SafeString("Somebody told us to stop. It is kept and can be redelivered.")
        case Delivery.QUEUED if subscription.state == Subscription.DEACTIVATED:
            return format_html(
                "It is kept until it is redelivered: its subscription is deactivated. {}",
                subscription.deactivated_reason,
            )
        case Delivery.QUEUED if organization.failure_policy == Organization.QUEUE:
            return SafeString(
                "It is kept until it is redelivered: your organization does not retry what failed, it queues it."
            )
        case Delivery.QUEUED:
            return SafeString("It is kept until it is redelivered.")
    return _pending(delivery, now=now)


def _pending(delivery: Delivery, *, now: datetime) -> SafeString:
    if delivery.leased_until is not None and delivery.leased_until > now:
        return SafeString("It is being sent at this moment.")
    if delivery.next_attempt_at == subscriptions.HELD_BACK:
        return _held_back(delivery.subscription.instance)
    if delivery.next_attempt_at == ordering.WAITS:
        return SafeString(
            "It waits for its turn: an older event of the same object goes first, since the instance wants them in "
            "order."
        )
    circuit = circuit_of(delivery.subscription)
    if circuit is not None and circuit.state == Circuit.OPEN and circuit.next_probe_at is not None:
        return format_html(
            "The receiver failed so often that it is left alone for a while (its circuit is open). It is tried with "
            "one delivery {}; when that is taken, the others follow.",
            moments.ago(max(circuit.next_probe_at, now)),
        )
    if circuit is not None and circuit.state == Circuit.RECOVERING:
        return SafeString("The receiver is back and is sent to slowly at first. It follows within minutes.")
    if circuit is not None and circuit.paused_until is not None and circuit.paused_until > now:
        return format_html("The receiver asked for patience until {}.", moments.moment(circuit.paused_until))
    if delivery.next_attempt_at > now:
        return format_html("It is tried again {}.", moments.ago(delivery.next_attempt_at))
    return SafeString("It is due and will be sent within seconds, as soon as a worker of deliveries takes it.")


def _held_back(instance: Instance | None) -> SafeString:
    if instance is None:
        return SafeString("It is held back until its subscription has a URL.")
    if instance.is_disabled:
        return SafeString("It is held back, since the instance is disabled. It is sent when the instance is enabled.")
    if not instance.is_events_enabled:
        return SafeString("It is held back, since events of the instance are off. It is sent when they are on again.")
    return SafeString("It is held back until the instance has a callback URL.")
