"""Having a receiver that is left alone tried now, as somebody asked for, not when its time has come."""

from __future__ import annotations

from django.db import transaction

from events import doorbell, ordering
from events.plain_cursor import plain_cursor


def probe_now(subscription_id: int) -> bool:
    """Let one delivery go to a receiver that is left alone, as its probe. Returns whether there is anything to try.

    It goes even if the receiver asked for patience. Nothing else changes: if it is not taken, the receiver is left
    alone for longer.
    """
    with transaction.atomic(), plain_cursor() as cursor:
        cursor.execute(_BRING_PROBE_FORWARD, [subscription_id, ordering.WAITS])
        if not cursor.rowcount:
            return False
        # Of an active subscription something has to be due, of a deactivated one what is queued is taken.
        cursor.execute(_BRING_ONE_FORWARD, [subscription_id, ordering.WAITS])
        transaction.on_commit(doorbell.DELIVERIES.ring, robust=True)
    return True


# What `circuits` would let nobody try is not tried for the asking either.
_BRING_PROBE_FORWARD = """
UPDATE events_circuit AS circuit
SET next_probe_at = statement_timestamp(), paused_until = NULL, changed_at = statement_timestamp()
FROM events_subscription AS subscription
JOIN instances_organization AS organization ON organization.id = subscription.organization_id
LEFT JOIN instances_instance AS instance ON instance.id = subscription.instance_id
WHERE circuit.subscription_id = %b AND circuit.state = 'open' AND subscription.id = circuit.subscription_id
    AND CASE WHEN subscription.state = 'active' THEN EXISTS (
        SELECT FROM events_delivery AS delivery
        WHERE delivery.subscription_id = circuit.subscription_id AND delivery.state = 'pending'
            AND delivery.next_attempt_at < %b
    ) ELSE subscription.url <> '' AND organization.failure_policy = 'retry'
        AND (instance.id IS NULL OR instance.is_events_enabled AND NOT instance.is_disabled)
        AND EXISTS (
            SELECT FROM events_delivery AS delivery
            WHERE delivery.subscription_id = circuit.subscription_id AND delivery.state = 'queued'
        ) END
"""

_BRING_ONE_FORWARD = """
UPDATE events_delivery SET next_attempt_at = statement_timestamp() WHERE id = (
    SELECT id FROM events_delivery
    WHERE subscription_id = %b AND state = 'pending' AND leased_until IS NULL AND next_attempt_at < %b
    ORDER BY next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED
) AND next_attempt_at > statement_timestamp()
"""
