"""The rows of circuits: locked behind those of their subscriptions and before deliveries, by id."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from psycopg import Cursor

from events import breaker, transitions
from events.breaker import Breaker
from events.models import Circuit
from events.transitions import Transition

FIELDS = tuple(field.name for field in fields(Breaker))
COLUMNS = ", ".join(f"circuit.{name}" for name in FIELDS)


@dataclass(frozen=True, slots=True)
class Locked:
    """Breakers of subscriptions that this transaction alone may change, and the database's clock."""

    breakers: Mapping[int, Breaker]
    now: datetime | None
    """None where there are no breakers."""


def lock(cursor: Cursor[Any], subscription_ids: Collection[int], *, makes: Collection[int]) -> Locked:
    """Those of `makes` are made if they are missing; of the others, those that are there. Subscriptions are locked."""
    wanted = sorted(subscription_ids)
    cursor.execute(_LOCK, [wanted, [one in makes for one in wanted]])
    rows = cursor.fetchall()
    return Locked({row[0]: of_row(row[2:]) for row in rows}, rows[0][1] if rows else None)


def of_row(columns: Collection[Any]) -> Breaker:
    """From COLUMNS."""
    return Breaker(**dict(zip(FIELDS, columns, strict=True)))


def save(cursor: Cursor[Any], breakers: Mapping[int, Breaker], *, now: datetime) -> None:
    """Locked ones, as they are now. Those that say nothing are deleted."""
    idle = [key for key, one in breakers.items() if breaker.is_idle(one, now=now)]
    if idle:
        cursor.execute("DELETE FROM events_circuit WHERE subscription_id = ANY(%b::bigint[])", [idle])
    if kept := sorted(breakers.keys() - set(idle)):
        cursor.executemany(_SAVE, [[*(getattr(breakers[key], name) for name in FIELDS), key] for key in kept])


def close(cursor: Cursor[Any], subscription_ids: Collection[int], *, reason: str) -> None:
    """Begin afresh, as somebody asked for: nothing that failed so far counts. The subscriptions are locked."""
    cursor.execute(_FORGET, [sorted(subscription_ids)])
    reopened = [key for key, state in cursor.fetchall() if state != Circuit.CLOSED]
    transitions.record(
        cursor,
        [
            Transition(subscription_id=key, kind=transitions.CLOSED, reason=reason, is_known=True)
            for key in sorted(reopened)
        ],
    )


# An upsert, since what is missing has to be locked in the same order as what is there.
_LOCK = f"""
INSERT INTO events_circuit AS circuit
    (subscription_id, state, window_failures, window_successes, failures, warned_percent, trips, recovering_claims)
SELECT wanted.id, 'closed', 0, 0, 0, 0, 0, 0
FROM unnest(%b::bigint[], %b::bool[]) AS wanted (id, is_made)
WHERE wanted.is_made OR EXISTS (SELECT FROM events_circuit AS found WHERE found.subscription_id = wanted.id)
ORDER BY wanted.id
ON CONFLICT (subscription_id) DO UPDATE SET changed_at = statement_timestamp()
RETURNING circuit.subscription_id, statement_timestamp(), {COLUMNS}
"""  # noqa: S608

_SAVE = f"""
UPDATE events_circuit SET {", ".join(f"{name} = %b" for name in FIELDS)}, changed_at = statement_timestamp()
WHERE subscription_id = %b
"""  # noqa: S608

_FORGET = """
WITH locked AS (
    SELECT subscription_id FROM events_circuit WHERE subscription_id = ANY(%b::bigint[])
    ORDER BY subscription_id FOR UPDATE
)
DELETE FROM events_circuit AS circuit USING locked WHERE circuit.subscription_id = locked.subscription_id
RETURNING circuit.subscription_id, circuit.state
"""
