"""What people do to a subscription, each noted. Returns what to tell them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from django.db import transaction
from django.http import HttpRequest

from events import doorbell, probing, queued, serializers, subscriptions
from events.models import Delivery, Subscription
from events.plain_cursor import plain_cursor
from instances import audit
from instances.errors import Conflict


def reactivate(request: HttpRequest, subscription: Subscription) -> str:
    """Trust its receiver again: deactivated or left alone, it gets everything at once. What is queued stays so."""
    if not subscription.url:
        raise Conflict("It has no URL to send to; give its instance a callback URL")
    was_deactivated = subscription.state == Subscription.DEACTIVATED
    with transaction.atomic():
        rows = Subscription.objects.filter(pk=subscription.pk)
        subscriptions.redeliver(Delivery.objects.none(), reactivate=rows)
        if not was_deactivated:
            with plain_cursor() as cursor:
                queued.bring_forward(cursor, subscription.pk)
            transaction.on_commit(doorbell.DELIVERIES.ring, robust=True)
        _note(request, subscription, "reactivated a subscription" if was_deactivated else "trusted a receiver again")
    if was_deactivated:
        return "The subscription is active again: what happens from now on is sent. What is queued waits for a release."
    return "The receiver is trusted again: what waits is being sent."


def probe(request: HttpRequest, subscription: Subscription) -> str:
    """Try one event now."""
    with transaction.atomic():
        if not probing.probe_now(subscription.pk):
            raise Conflict(
                "There is nothing to try: it is not left alone any more, or nothing waits for it that may be sent"
            )
        _note(request, subscription, "had a receiver tried")
    return "One event is being tried. If it is taken, the others follow."


def move(request: HttpRequest, subscription: Subscription) -> str:
    """Another URL, for one that was made through the API. Raises InvalidRequest, DestinationRefused."""
    if subscription.instance_id is not None:
        raise Conflict("Its URL is its instance's callback URL: change it there")
    asked = {
        "channel": subscription.channel,
        "topics": subscription.topics,
        "config": {"url": request.POST.get("url", "").strip()},
    }
    checked = serializers.subscription_request(asked, subscription.organization)
    with transaction.atomic():
        subscriptions.move(subscription.pk, url=checked.url)
        _note(request, subscription, "changed the URL of a subscription")
    return "The URL is changed: what waits goes there, too."


WRITES: Mapping[str, Callable[[HttpRequest, Subscription], str]] = {
    "reactivate": reactivate,
    "probe": probe,
    "move": move,
}
"""By their place below the subscription's page."""


def _note(request: HttpRequest, subscription: Subscription, action: str) -> None:
    audit.note(
        who=request.user,
        action=action,
        through=audit.CONSOLE,
        organization_id=subscription.organization_id,
        instance=subscription.instance,
        subject=f"subscription {subscription.pk}",
    )
