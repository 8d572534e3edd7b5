"""A receiver that fails is left alone for a while, tried with one event, and then sent to slowly at first.

Everything is kept in `Circuit` rows, which all workers share; a receiver that never failed has none. Outcomes are
counted by `deactivation`, decided on by `breaker`; here leave is given to send.

A deactivated subscription whose receiver has taken a probe is recovering, too. It becomes active when what is queued
for it has been let go, a batch at a time; then what comes goes behind that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from psycopg import Cursor

from events import breaker, circuit_rows, queued, subscriptions, transitions
from events.models import Circuit
from events.transitions import Transition

LEASE = timedelta(seconds=settings.DELIVERY_LEASE_SECONDS)
"""When a probe of which nothing was heard is repeated."""
AT_ONCE = 100
"""Circuits that one call looks at."""
LET_GO_AT_ONCE = 1000
"""Queued deliveries that one call lets go: whoever records for their subscriptions waits as long, and so do claims."""


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to send a little to a subscription whose circuit is not closed, given once."""

    subscription_id: int
    most: int
    """How many deliveries, of both lanes together."""
    is_probe: bool
    """Whether this is the one that is to show if the receiver is back."""
    from_queue: bool
    """Whether the subscription is deactivated: the delivery is taken from those that are queued."""


def permits(cursor: Cursor[Any], *, most: int) -> list[Permit]:
    """What may be sent to whom now, at most so many deliveries, noted as given in the caller's transaction.

    For one circuit two workers never get a permit for the same probe, nor together more than a slow start allows. Waits
    for nobody: what somebody else holds has its turn a moment later. Call it before deliveries are locked.
    """
    cursor.execute(_IS_ANY)
    if not cursor.fetchone():
        return []
    _reactivate(cursor)
    probes = _probes(cursor, most)
    return [*probes, *_slow_starts(cursor, most - len(probes))]


def is_any_recovering(cursor: Cursor[Any]) -> bool:
    """Whether more may go a moment later to a receiver that is back."""
    cursor.execute("SELECT FROM events_circuit WHERE state = 'recovering' LIMIT 1")
    return cursor.fetchone() is not None


def _reactivate(cursor: Cursor[Any]) -> None:
    cursor.execute(_RECOVERED)
    left = LET_GO_AT_ONCE
    for (subscription_id,) in cursor.fetchall():
        # Nobody adds to the queue meanwhile: who records events needs a share of the subscription's lock.
        count = queued.let_go(cursor, subscription_id, most=left)
        left -= count
        if left > 0:
            subscriptions.reactivate(cursor, subscription_id)
            reason = "Its receiver is back; what was queued is being sent"
            transitions.record(
                cursor, [Transition(subscription_id=subscription_id, kind=transitions.REACTIVATED, reason=reason)]
            )
        if left <= 0:
            break


def _probes(cursor: Cursor[Any], most: int) -> list[Permit]:
    if most <= 0:
        return []
    cursor.execute(_TAKE_PROBES, [min(most, AT_ONCE), LEASE])
    return [Permit(key, 1, is_probe=True, from_queue=not is_active) for key, is_active in cursor]


def _slow_starts(cursor: Cursor[Any], most: int) -> list[Permit]:
    if most <= 0:
        return []
    cursor.execute(_RECOVERING, [AT_ONCE])
    given, changed, finished = [], {}, []
    rows: Sequence[Any] = cursor.fetchall()
    for key, now, due, *columns in rows:
        before = circuit_rows.of_row(columns)
        after, count = breaker.started(before, now=now, due=min(due, most))
        if after != before:
            changed[key] = after
        most -= count
        if after.state == Circuit.CLOSED:
            reason = "Its receiver keeps up" if due else "Its receiver has taken all there was"
            finished.append(Transition(subscription_id=key, kind=transitions.CLOSED, reason=reason))
        elif count:
            given.append(Permit(key, count, is_probe=False, from_queue=False))
        if most <= 0:
            break
    if changed:
        circuit_rows.save(cursor, changed, now=rows[0][1])
        transitions.record(cursor, finished)
    return given


_IS_ANY = """
SELECT 1 WHERE EXISTS (SELECT FROM events_circuit WHERE state = 'open' AND next_probe_at <= statement_timestamp())
    OR EXISTS (SELECT FROM events_circuit WHERE state = 'recovering')
"""

_RECOVERED = """
SELECT subscription.id FROM events_circuit AS circuit
JOIN events_subscription AS subscription ON subscription.id = circuit.subscription_id
WHERE circuit.state = 'recovering' AND subscription.state = 'deactivated'
ORDER BY subscription.id LIMIT 10 FOR NO KEY UPDATE OF subscription SKIP LOCKED
"""

# In the order of their indexes. What is leased is on its way already. OFFSET keeps the planner from hashing all that is
# due, of everybody: for each circuit the first is enough.
_DUE = """
SELECT FROM events_delivery AS delivery
WHERE delivery.lane = {lane} AND delivery.subscription_id = circuit.subscription_id AND delivery.state = 'pending'
    AND delivery.next_attempt_at <= statement_timestamp()
    AND (delivery.leased_until IS NULL OR delivery.leased_until < statement_timestamp())
"""
_LIVE, _AGAIN = _DUE.format(lane=0), _DUE.format(lane=1)

_QUEUED = """
SELECT FROM events_delivery AS delivery
WHERE delivery.subscription_id = circuit.subscription_id AND delivery.state = 'queued'
    AND (delivery.leased_until IS NULL OR delivery.leased_until < statement_timestamp())
"""

_IS_PAUSED = "coalesce(circuit.paused_until > statement_timestamp(), false)"

# What is given up on is not tried where the account does not retry, nor while the instance is switched off: then what
# is queued must not go. A pending delivery that must not go is put aside by who claims it.
_TAKE_PROBES = f"""
WITH ready AS (
    SELECT circuit.subscription_id, subscription.state = 'active' AS is_active
    FROM events_circuit AS circuit
    JOIN events_subscription AS subscription ON subscription.id = circuit.subscription_id
    JOIN instances_organization AS organization ON organization.id = subscription.organization_id
    LEFT JOIN instances_instance AS instance ON instance.id = subscription.instance_id
    WHERE circuit.state = 'open' AND circuit.next_probe_at <= statement_timestamp() AND NOT {_IS_PAUSED}
        AND CASE WHEN subscription.state = 'active' THEN EXISTS ({_LIVE} OFFSET 0) OR EXISTS ({_AGAIN} OFFSET 0)
            ELSE subscription.url <> '' AND organization.failure_policy = 'retry'
                AND (instance.id IS NULL OR instance.is_events_enabled AND NOT instance.is_disabled)
                AND EXISTS ({_QUEUED} OFFSET 0) END
    ORDER BY circuit.next_probe_at LIMIT %b FOR UPDATE OF circuit SKIP LOCKED
)
UPDATE events_circuit AS circuit SET next_probe_at = statement_timestamp() + %b
FROM ready WHERE circuit.subscription_id = ready.subscription_id
RETURNING circuit.subscription_id, ready.is_active
"""  # noqa: S608

# The share of the subscription's lock is what writing a transition takes anyway; taken first, as everywhere. A slow
# start doubles, so no more than that is counted.
_RECOVERING = f"""
SELECT circuit.subscription_id, statement_timestamp(), (
        SELECT count(*) FROM (({_LIVE}) UNION ALL ({_AGAIN}) LIMIT circuit.recovering_claims + 1) AS due
    ), {circuit_rows.COLUMNS}
FROM events_circuit AS circuit JOIN events_subscription AS subscription ON subscription.id = circuit.subscription_id
WHERE circuit.state = 'recovering' AND subscription.state = 'active' AND NOT {_IS_PAUSED}
ORDER BY circuit.subscription_id LIMIT %b
FOR KEY SHARE OF subscription SKIP LOCKED FOR UPDATE OF circuit SKIP LOCKED
"""  # noqa: S608
