"""What is done about circuits once a minute: warnings, and what nobody else gets to."""

from __future__ import annotations

from django.db import transaction

from events import breaker, queued, transitions
from events.models import Subscription
from events.plain_cursor import plain_cursor
from events.transitions import Transition
from instances import retry_schedules

STEPS = (50, 70, 90)
"""Percent of the way from the first failure to deactivation at which somebody is warned."""
FORGOTTEN_AT_ONCE = 1_000


def tend() -> None:
    """Each part is harmless to repeat, and to run twice at once."""
    warn()
    queue_rest()
    forget_idle()


def warn() -> int:
    """Warn of receivers that are on the way to be given up on. Each step is warned of once; returns how many were."""
    with transaction.atomic(), plain_cursor() as cursor:
        cursor.execute(_SCHEDULES)
        ends = {text: retry_schedules.schedule_of(text).end for (text,) in cursor}
        if not ends:
            return 0
        cursor.execute(_WARN, [list(ends), list(ends.values()), list(STEPS)])
        warned = sorted(cursor.fetchall())
        transitions.record(
            cursor,
            [
                Transition(
                    subscription_id=subscription_id,
                    kind=transitions.WARNED,
                    reason=f"{percent} % of the time that retries take have passed without a success: {failures} "
                    f"attempts failed since {failing_since:%Y-%m-%d %H:%M} UTC",
                )
                for subscription_id, percent, failures, failing_since in warned
            ],
        )
    return len(warned)


def queue_rest() -> int:
    """Queue what is pending of deactivated subscriptions: what was too much to do when they were deactivated."""
    with plain_cursor() as cursor:
        cursor.execute(_HAS_REST)
        subscription_ids = [subscription_id for (subscription_id,) in cursor]
    count = 0
    for subscription_id in subscription_ids:
        is_more = True
        while is_more:
            with transaction.atomic(), plain_cursor() as cursor:
                cursor.execute(_SHARE_DEACTIVATED, [subscription_id, Subscription.DEACTIVATED])
                done = queued.put_aside(cursor, subscription_id) if cursor.fetchone() else 0
            count += done
            is_more = done == queued.AT_ONCE
    return count


def forget_idle() -> int:
    """Delete circuits that have nothing to say any more."""
    with plain_cursor() as cursor:
        cursor.execute(_FORGET, [breaker.WINDOW, FORGOTTEN_AT_ONCE])
        return cursor.rowcount


# Only who is sent to at all, and has something to wait for, is on the way to anything. Where failures are not retried
# nobody is given up on.
_CIRCUITS = """
FROM events_circuit AS circuit
JOIN events_subscription AS subscription ON subscription.id = circuit.subscription_id
JOIN instances_organization AS organization ON organization.id = subscription.organization_id
LEFT JOIN instances_instance AS instance ON instance.id = subscription.instance_id
"""
_IS_ON_THE_WAY = """
WHERE circuit.failing_since IS NOT NULL AND subscription.state = 'active' AND subscription.url <> ''
    AND organization.failure_policy = 'retry'
    AND (instance.id IS NULL OR instance.is_events_enabled AND NOT instance.is_disabled)
    AND EXISTS (SELECT FROM events_delivery AS delivery
        WHERE delivery.subscription_id = circuit.subscription_id AND delivery.state = 'pending')
"""
_SCHEDULE = "coalesce(nullif(instance.retry_schedule, ''), organization.retry_schedule)"
_SCHEDULES = f"SELECT DISTINCT {_SCHEDULE} {_CIRCUITS} {_IS_ON_THE_WAY}"

# Shares of the subscriptions' locks are taken before those of circuits, as everywhere; who has one is warned next time.
_WARN = f"""
WITH ends AS (
    SELECT * FROM unnest(%b::text[], %b::interval[]) AS ends (schedule, after)
), failing AS (
    SELECT circuit.subscription_id, (
        SELECT max(step) FROM unnest(%b::int[]) AS step
        WHERE statement_timestamp() - circuit.failing_since >= ends.after * step / 100
    ) AS step
    {_CIRCUITS} JOIN ends ON ends.schedule = {_SCHEDULE}
    {_IS_ON_THE_WAY}
    ORDER BY circuit.subscription_id
    FOR KEY SHARE OF subscription SKIP LOCKED FOR UPDATE OF circuit SKIP LOCKED
)
UPDATE events_circuit AS circuit SET warned_percent = failing.step
FROM failing WHERE circuit.subscription_id = failing.subscription_id AND failing.step > circuit.warned_percent
RETURNING circuit.subscription_id, circuit.warned_percent, circuit.failures, circuit.failing_since
"""  # noqa: S608

# While what is queued is being let go, it is pending although its subscription is not yet active.
_HAS_REST = """
SELECT subscription.id FROM events_subscription AS subscription
LEFT JOIN events_circuit AS circuit ON circuit.subscription_id = subscription.id
WHERE subscription.state = 'deactivated' AND circuit.state IS DISTINCT FROM 'recovering'
    AND EXISTS (SELECT FROM events_delivery AS delivery
        WHERE delivery.subscription_id = subscription.id AND delivery.state = 'pending')
ORDER BY subscription.id
"""

_SHARE_DEACTIVATED = "SELECT 1 FROM events_subscription WHERE id = %b AND state = %b FOR SHARE"

_FORGET = """
DELETE FROM events_circuit WHERE subscription_id IN (
    SELECT subscription_id FROM events_circuit
    WHERE state = 'closed' AND failing_since IS NULL
        AND (window_started_at IS NULL OR window_started_at <= statement_timestamp() - %b)
        AND (paused_until IS NULL OR paused_until <= statement_timestamp())
    LIMIT %b FOR UPDATE SKIP LOCKED
)
"""
