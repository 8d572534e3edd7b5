"""Deliveries of one subscription that are put aside, let go again, or brought forward: oldest first, locked by id.

Whoever calls holds the subscription's row, or changes nothing that depends on its state.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction
from psycopg import Cursor

from events import doorbell, ordering
from events.plain_cursor import follow_indexes

AT_ONCE = 5_000
LOOKED_THROUGH = 10_000


def put_aside(cursor: Cursor[Any], subscription_id: int, *, most: int = AT_ONCE) -> int:
    """Queue what is pending. Returns how many; less than `most` means that nothing is left.

    What is under way keeps its lease: a success is still one.
    """
    follow_indexes(cursor)
    cursor.execute(_PUT_ASIDE, [subscription_id, most])
    return cursor.rowcount


def let_go(cursor: Cursor[Any], subscription_id: int, *, most: int = AT_ONCE) -> int:
    """Begin queued deliveries again. Returns how many; less than `most` means that nothing is left."""
    follow_indexes(cursor)
    cursor.execute(_LET_GO, [subscription_id, most])
    if ids := [delivery_id for (delivery_id,) in cursor]:
        ordering.line_up_again(cursor, ids)
        transaction.on_commit(doorbell.DELIVERIES.ring, robust=True)
    return len(ids)


def bring_forward(cursor: Cursor[Any], subscription_id: int) -> None:
    """Do not wait any longer for the next try of what failed: the receiver is back. In their order among the others.

    Looks at the oldest only, which are the ones that were tried. What failed again since the receiver first seemed to
    be back waits for its next try: tried first each time, one bad notification would hold up all the others.
    """
    follow_indexes(cursor)
    cursor.execute(_BRING_FORWARD, [subscription_id, subscription_id, LOOKED_THROUGH, ordering.WAITS])


_PUT_ASIDE = """
WITH waiting AS (
    SELECT id FROM events_delivery WHERE subscription_id = %b AND state = 'pending' ORDER BY id LIMIT %b FOR UPDATE
)
UPDATE events_delivery AS delivery SET state = 'queued', updated_at = statement_timestamp()
FROM waiting WHERE delivery.id = waiting.id
"""

_LET_GO = """
WITH kept AS (
    SELECT id FROM events_delivery WHERE subscription_id = %b AND state = 'queued' ORDER BY id LIMIT %b FOR UPDATE
)
UPDATE events_delivery AS delivery SET state = 'pending', attempts_made = 0, first_failed_at = NULL,
    next_attempt_at = statement_timestamp(), updated_at = statement_timestamp()
FROM kept WHERE delivery.id = kept.id
RETURNING delivery.id
"""

_BRING_FORWARD = """
WITH back AS (
    SELECT min(happened_at) AS at
    FROM events_circuittransition JOIN events_circuit AS circuit USING (subscription_id)
    WHERE subscription_id = %b AND kind = 'recovering' AND happened_at >= circuit.opened_at
), retried AS (
    SELECT delivery.id FROM events_delivery AS delivery
    JOIN (
        SELECT id FROM events_delivery WHERE subscription_id = %b AND state = 'pending' ORDER BY id LIMIT %b
    ) AS oldest USING (id)
    WHERE delivery.first_failed_at IS NOT NULL AND delivery.leased_until IS NULL AND delivery.next_attempt_at < %b
        AND NOT EXISTS (SELECT FROM back WHERE back.at <= delivery.updated_at)
    ORDER BY delivery.id FOR UPDATE OF delivery SKIP LOCKED
)
UPDATE events_delivery AS delivery SET next_attempt_at = delivery.created_at, updated_at = statement_timestamp()
FROM retried WHERE delivery.id = retried.id
"""
