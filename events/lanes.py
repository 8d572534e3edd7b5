"""Which lanes have something due, found without reading how much: a long backlog costs a look no more than a short one.

A lane is what one subscription has waiting, apart for what happens now and for what a replay asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Cursor

LOOKED_AT_ONCE = 1000
"""Lanes, those that only wait for a later moment included."""
Position = tuple[int, int]
BEGINNING: Position = (0, 0)


@dataclass(frozen=True, slots=True)
class Lane:
    """A lane with something due, of a subscription whose receiver may be sent to."""

    number: int
    """`Delivery.LIVE` or `Delivery.AGAIN`."""
    subscription_id: int
    organization_id: int


def look(cursor: Cursor[Any], *, after: Position = BEGINNING) -> tuple[Sequence[Lane], Position]:
    """The lanes with something due, live ones first, and where to go on with the next look.

    What is leased is not due. Subscriptions whose circuit is not closed, or whose receiver asked for patience, are left
    out: what may go there is permitted by `circuits`.
    """
    cursor.execute(_LOOK, [*after, LOOKED_AT_ONCE], binary=True, prepare=True)
    lanes, position = [], BEGINNING
    for number, subscription_id, organization_id, seen in cursor:
        if organization_id is not None:
            lanes.append(Lane(number, subscription_id, organization_id))
        if seen == LOOKED_AT_ONCE:
            position = (number, subscription_id)
    return lanes, position


# PostgreSQL knows no skip scan for this, so it is spelled out: the first of a lane, the first of the next, and so on.
_FIRST = """
    SELECT delivery.lane, delivery.subscription_id, delivery.next_attempt_at
    FROM events_delivery AS delivery
    WHERE delivery.state = 'pending' AND (delivery.lane, delivery.subscription_id) > (%s, %s)
        AND (delivery.leased_until IS NULL OR delivery.leased_until < statement_timestamp())
    ORDER BY delivery.lane, delivery.subscription_id, delivery.next_attempt_at, delivery.id LIMIT 1
"""

_LOOK = f"""
WITH RECURSIVE seen AS (
    (SELECT first.*, 1 AS number FROM ({_FIRST % ("%b::smallint", "%b::bigint")}) AS first)
    UNION ALL
    SELECT next.*, seen.number + 1
    FROM seen CROSS JOIN LATERAL ({_FIRST % ("seen.lane", "seen.subscription_id")}) AS next
    WHERE seen.number < %b::int
)
SELECT seen.lane, seen.subscription_id, CASE WHEN seen.next_attempt_at <= statement_timestamp() AND NOT EXISTS (
        SELECT FROM events_circuit AS circuit WHERE circuit.subscription_id = seen.subscription_id
            AND (circuit.state <> 'closed' OR circuit.paused_until > statement_timestamp())
    ) THEN (SELECT organization_id FROM events_subscription WHERE id = seen.subscription_id) END, seen.number
FROM seen
"""  # noqa: S608
