"""How many events there were, and what became of their notifications. Each question is one statement.

The time is looked up first, in an index that is a line for each megabyte of events.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from events.buckets import Buckets
from events.models import DeliveryAttempt, Event
from events.plain_cursor import plain_cursor
from instances.models import Organization

Owner = Literal["instance", "organization"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Of one instance, or of one organization, in one bucket."""

    owner_id: int
    count: int
    success: int
    """Events that a receiver has taken."""
    failed: int
    """Events that no receiver has taken, and where at least one attempt failed or nothing is sent for now."""


def counts(organization: Organization, buckets: Buckets) -> list[tuple[datetime, int]]:
    """Events by bucket; those without any are there, too."""
    with plain_cursor() as cursor:
        cursor.execute(_COUNT, [buckets.interval, organization.pk, buckets.span.begins_at, buckets.span.ends_at])
        found: dict[datetime, int] = dict(cursor.fetchall())
    return [(start, found.get(start, 0)) for start in buckets.starts()]


def tallies(organization: Organization, buckets: Buckets, *, by: Owner) -> list[tuple[datetime, list[Tally]]]:
    """Events by bucket and owner. A bucket holds those that have events in it."""
    found: dict[datetime, list[Tally]] = {}
    with plain_cursor() as cursor:
        cursor.execute(_TALLIES[by], [buckets.interval, organization.pk, buckets.span.begins_at, buckets.span.ends_at])
        for start, owner_id, count, success, failed in cursor:
            tally = Tally(owner_id=owner_id, count=count, success=success, failed=failed)
            found.setdefault(start, []).append(tally)
    return [(start, found.get(start, [])) for start in buckets.starts()]


def attempts_of(events: Sequence[Event]) -> dict[int, list[DeliveryAttempt]]:
    """What was tried for each of these events, in order, with the subscription it went to."""
    attempts = DeliveryAttempt.objects.filter(delivery__event__in=[event.pk for event in events])
    found: dict[int, list[DeliveryAttempt]] = {event.pk: [] for event in events}
    for attempt in attempts.select_related("delivery__subscription").defer("response_excerpt").order_by("pk"):
        found[attempt.delivery.event_id].append(attempt)
    return found


_EVENTS = """
FROM events_event AS event
JOIN instances_instance AS instance ON instance.id = event.instance_id
"""
_WHERE = """
WHERE instance.organization_id = %b AND event.source <> 'posted' AND event.created_at BETWEEN %b AND %b
"""

_COUNT = f"SELECT date_trunc(%b, event.created_at, 'UTC'), count(*) {_EVENTS} {_WHERE} GROUP BY 1"


def _tally(owner_id: str) -> str:
    return f"""
SELECT date_trunc(%b, created_at, 'UTC'), owner_id, count(*),
    count(*) FILTER (WHERE is_taken), count(*) FILTER (WHERE is_failed AND NOT is_taken)
FROM (
    SELECT event.id, event.created_at, {owner_id} AS owner_id,
        coalesce(bool_or(delivery.state = 'delivered'), false) AS is_taken,
        coalesce(
            bool_or(delivery.state IN ('queued', 'abandoned') OR delivery.first_failed_at IS NOT NULL), false
        ) AS is_failed
    {_EVENTS} LEFT JOIN events_delivery AS delivery ON delivery.event_id = event.id {_WHERE}
    GROUP BY event.id, instance.id
) AS outcome
GROUP BY 1, 2 ORDER BY 1, 2
"""  # noqa: S608


_TALLIES: dict[Owner, str] = {"instance": _tally("instance.id"), "organization": _tally("instance.organization_id")}
