"""How many deliveries wait for a subscription, and how the last ones failed: as far as it can be told quickly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db import connection

from events.models import Delivery, DeliveryAttempt

MOST = 10_000
"""Counted to, of one subscription's page."""
MOST_IN_LIST = 1_000
LOOKED_AT = 50
FAILURES = 8


def counts(subscription_ids: Sequence[int], *, most: int, states: Sequence[str]) -> dict[int, dict[str, int]]:
    """By subscription and state; `most` + 1 stands for more than `most`."""
    found: dict[int, dict[str, int]] = {one: dict.fromkeys(states, 0) for one in subscription_ids}
    if subscription_ids:
        with connection.cursor() as cursor:
            cursor.execute(_COUNTS, [most + 1, list(subscription_ids), list(states)])
            for subscription_id, state, count in cursor.fetchall():
                found[subscription_id][state] = count
    return found


def count_words(count: int, *, most: int) -> str:
    return f"more than {most:,}" if count > most else f"{count:,}"


def waiting_words(found: Mapping[str, int], *, most: int) -> str:
    """`12 pending, 3 queued`."""
    said = [f"{count_words(count, most=most)} {state}" for state, count in found.items() if count]
    return ", ".join(said) or "none"


def last_failures(subscription_id: int) -> list[DeliveryAttempt]:
    """Of deliveries that have not succeeded, the newest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            _FAILURES,
            {"id": subscription_id, "states": list(UNDELIVERED), "looked_at": LOOKED_AT, "most": FAILURES},
        )
        ids = [attempt_id for (attempt_id,) in cursor.fetchall()]
    return list(DeliveryAttempt.objects.filter(pk__in=ids).select_related("delivery").order_by("-pk"))


UNDELIVERED = (Delivery.PENDING, Delivery.QUEUED)

_COUNTS = """
SELECT wanted.id, state.name, (
    SELECT count(*) FROM (
        SELECT FROM events_delivery AS delivery
        WHERE delivery.subscription_id = wanted.id AND delivery.state = state.name LIMIT %s
    ) AS first
) FROM unnest(%s::bigint[]) AS wanted (id) CROSS JOIN unnest(%s::text[]) AS state (name)
"""

# The oldest have been tried; the newest may have been, too.
_FAILURES = """
WITH looked_at AS (
    SELECT found.id FROM unnest(%(states)s::text[]) AS state (name) CROSS JOIN LATERAL (
        (SELECT id FROM events_delivery WHERE subscription_id = %(id)s AND state = state.name
            ORDER BY id LIMIT %(looked_at)s)
        UNION
        (SELECT id FROM events_delivery WHERE subscription_id = %(id)s AND state = state.name
            ORDER BY id DESC LIMIT %(looked_at)s)
    ) AS found
)
SELECT attempt.id FROM events_deliveryattempt AS attempt JOIN looked_at ON looked_at.id = attempt.delivery_id
WHERE attempt.error_class <> '' ORDER BY attempt.id DESC LIMIT %(most)s
"""
