"""Events as notifications: found by their topic, acknowledged, deleted."""

from __future__ import annotations

import re
from collections.abc import Sequence

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from events import ordering
from events.models import Event
from instances.models import Instance, Organization

# An instance's own topic, which its changes go under without having it in their rows.
_OWN_TOPIC = re.compile(r"instance-([1-9][0-9]{0,17})-.+-events", re.ASCII)


def of_organization(organization: Organization) -> QuerySet[Event]:
    return Event.objects.filter(Q(instance__organization=organization) | Q(organization=organization))


def of_topics(organization: Organization, topics: Sequence[str]) -> QuerySet[Event]:
    """What was posted under these topics, and what changed at instances whose topics they are."""
    ids = [int(match[1]) for topic in topics if (match := _OWN_TOPIC.fullmatch(topic))]
    instances = [
        instance
        for instance in Instance.objects.filter(pk__in=ids, organization=organization)
        if instance.topic in topics
    ]
    posted = Q(organization=organization, topic__in=topics)
    if not instances:
        return Event.objects.filter(posted)
    return Event.objects.filter(posted | (Q(instance__in=instances) & ~Q(source=Event.POSTED)))


def acknowledge(event: Event) -> None:
    """Say that it was seen. The first time counts."""
    Event.objects.filter(pk=event.pk, acknowledged_at=None).update(acknowledged_at=Now())
    event.refresh_from_db(fields=["acknowledged_at"])


def delete(event: Event) -> None:
    """Remove it with its deliveries and all that was noted about them. What is being sent meanwhile is forgotten."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_LOCK, [event.pk])
        cursor.execute(_LEAVE_LINES, [event.pk])
        left = {subscription_id for (subscription_id,) in cursor.fetchall()}
        for statement in _DELETE:
            cursor.execute(statement, [event.pk])
    ordering.tend(subscription_ids=left)


# In the order in which outcomes are written, so that the two do not wait for each other.
_LOCK = "SELECT 1 FROM events_delivery WHERE event_id = %s ORDER BY id FOR UPDATE"

_LEAVE_LINES = """
DELETE FROM events_orderingkey AS place USING events_delivery AS delivery
WHERE place.delivery_id = delivery.id AND delivery.event_id = %s RETURNING place.subscription_id
"""

_DELETE = (
    """DELETE FROM events_deliveryattempt USING events_delivery AS delivery
       WHERE delivery_id = delivery.id AND delivery.event_id = %s""",
    "DELETE FROM events_delivery WHERE event_id = %s",
    "DELETE FROM events_event WHERE id = %s",
)
