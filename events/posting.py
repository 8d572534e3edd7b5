"""Notifications that somebody posts: under a topic, to whoever subscribed to it, or to one URL.

They are events like those of changes, with the same ids, deliveries and retries.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from django.db import transaction

from connectors.egress import check_url
from events import doorbell
from events.models import Delivery, Event, Subscription
from events.plain_cursor import plain_cursor
from events.record import add_deliveries, reserve_event_ids
from instances.errors import InvalidRequest
from instances.event_settings import is_own_events_url
from instances.models import Instance, Organization

LOW, MEDIUM, HIGH = "low", "medium", "high"
SEVERITIES = (LOW, MEDIUM, HIGH)

_DATES = orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS


def post(*, organization: Organization, topic: str, message: Any, severity: str, sender: str) -> Event:
    """Publish `message` (anything that JSON can say) to the organization's subscriptions of the topic."""
    with transaction.atomic(), plain_cursor() as cursor:
        (event_id,), created_at = reserve_event_ids(cursor, 1)
        event = _store(
            event_id,
            created_at,
            organization=organization,
            topic=topic,
            body=orjson.dumps(
                {
                    "id": event_id,
                    "from": sender,
                    "topic": topic,
                    "severity": severity,
                    "createdDate": created_at,
                    "message": message,
                },
                option=_DATES,
            ),
        )
        if add_deliveries(cursor, organization_id=organization.pk, topic=topic, event_ids=[event_id]):
            transaction.on_commit(doorbell.DELIVERIES.ring, robust=True)
    return event


def post_to(*, instance: Instance, url: str, message: Mapping[str, Any]) -> int:
    """Send `message` itself, as JSON, to one URL, signed with the instance's keys. Returns the event's id.

    Joins the caller's transaction: what is reported and the report are one commit. It goes whether the instance's
    events are on or off; a disabled instance holds it back. Raises what `check_destination` does.
    """
    check_destination(url)
    with transaction.atomic():
        with plain_cursor() as cursor:
            # Before the subscription, as everywhere: the event's row takes this lock too, and would take it after it.
            cursor.execute("SELECT FROM instances_instance WHERE id = %b FOR KEY SHARE", [instance.pk])
            (event_id,), created_at = reserve_event_ids(cursor, 1)
        subscription = _subscription_of(instance, url)
        _store(event_id, created_at, instance=instance, organization=instance.organization, body=orjson.dumps(message))
        is_active = subscription.state == Subscription.ACTIVE
        Delivery.objects.create(
            event_id=event_id,
            subscription=subscription,
            organization_id=instance.organization_id,
            state=Delivery.PENDING if is_active else Delivery.QUEUED,
        )
        if is_active:
            transaction.on_commit(doorbell.DELIVERIES.ring, robust=True)
    return event_id


def check_destination(url: str) -> None:
    """Raises DestinationRefused, InvalidRequest for a URL that nothing may be sent to. Asks no DNS."""
    if is_own_events_url(url):
        raise InvalidRequest("This is our own receiver of events; what is sent there would go round")
    check_url(url)


def _store(event_id: int, created_at: datetime, *, body: bytes, **columns: Any) -> Event:
    return Event.objects.create(
        pk=event_id, created_at=created_at, source=Event.POSTED, change_count=0, body=body, **columns
    )


def _subscription_of(instance: Instance, url: str) -> Subscription:
    """The organization's subscription that stands for this URL alone, locked against changes of its state.

    One that was deactivated keeps what comes queued, like any other. A race may leave two: both work.
    """
    columns: dict[str, Any] = {"organization_id": instance.organization_id, "instance": None, "topics": [], "url": url}
    found = Subscription.objects.select_for_update(no_key=True, of=("self",)).filter(**columns).order_by("pk").first()
    return found or Subscription.objects.create(**columns)
