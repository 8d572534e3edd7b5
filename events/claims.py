"""Taking deliveries that are due, for a while: a lease that ends by itself, and an epoch that tells claims apart.

Statements here are committed on their own; no transaction is open while anything is sent. Due times are compared by
`statement_timestamp()`, the database's clock.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from events.plain_cursor import follow_indexes, plain_cursor
from events.subscriptions import HELD_BACK

LEASE = timedelta(seconds=settings.DELIVERY_LEASE_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A delivery that is ours under this epoch, with all that an attempt needs, read at one moment."""

    delivery_id: int
    epoch: int
    attempts_made: int
    failing_for: timedelta | None
    """Since the first failure, at the moment of the claim."""
    event_id: int
    instance_id: int | None
    """Whose switch and keys count; None where neither the event nor the subscription belongs to an instance."""
    body: bytes = field(repr=False)
    subscription_id: int
    url: str = field(repr=False)
    is_wanted: bool
    """Whether the subscription is active with a URL, and the instance's switches let it go."""
    signing_keys_encrypted: str = field(repr=False)
    is_legacy_signed_by_old: bool
    """Whether the old header is signed by the key that is being replaced, as long as that one signs at all."""
    failure_policy: str
    organization_id: int
    lane: int
    retry_schedule: str
    is_ordered: bool
    """Whether what happens to one object is told in order."""
    is_watched: bool
    """Whether its subscription has a circuit that counts: something failed, and not long ago."""
    is_probe: bool
    """Whether it is to show if the receiver is back."""
    claimed_at: float
    """`time.monotonic()` of this process, taken before the lease began."""
    read_at: datetime
    """The same moment by the database's clock."""

    def database_now(self) -> datetime:
        """The database's clock at this moment, never behind it."""
        return self.read_at + timedelta(seconds=time.monotonic() - self.claimed_at)


def claim(*, limit: int) -> list[Claim]:
    """Take up to `limit` due deliveries, the longest due first."""
    claimed_at = time.monotonic()
    with transaction.atomic(), plain_cursor() as cursor:
        follow_indexes(cursor)
        cursor.execute(_CLAIM, [limit, LEASE], binary=True)
        return [
            Claim(
                delivery_id=delivery_id,
                epoch=epoch,
                attempts_made=attempts_made,
                failing_for=failing_for,
                event_id=event_id,
                instance_id=instance_id,
                body=body,
                subscription_id=subscription_id,
                url=url,
                is_wanted=is_wanted,
                signing_keys_encrypted=signing_keys,
                is_legacy_signed_by_old=is_legacy_signed_by_old,
                failure_policy=failure_policy,
                organization_id=organization_id,
                lane=lane,
                retry_schedule=retry_schedule,
                is_ordered=is_ordered,
                is_watched=is_watched,
                is_probe=False,
                claimed_at=claimed_at,
                read_at=read_at,
            )
            for (
                delivery_id,
                epoch,
                attempts_made,
                failing_for,
                event_id,
                instance_id,
                body,
                subscription_id,
                url,
                is_wanted,
                signing_keys,
                is_legacy_signed_by_old,
                failure_policy,
                organization_id,
                lane,
                retry_schedule,
                is_ordered,
                is_watched,
                read_at,
            ) in cursor
        ]


def release(claims: Iterable[Claim], *, wait: timedelta = timedelta(0)) -> None:
    """Give deliveries back that nothing was sent for; they are due again after `wait`."""
    ids, epochs = _keys(claims)
    if ids:
        with plain_cursor() as cursor:
            cursor.execute(_RELEASE, [wait, ids, epochs])


def park(claims: Sequence[Claim]) -> None:
    """Put deliveries aside that must not be sent now.

    Those of a deactivated subscription are queued; those of a switched-off instance stay pending, held back. Looks
    again under locks, in the order in which they are taken everywhere (instance, subscription, delivery): whoever
    switches it back on meanwhile is either seen here, or sees what was put aside here.
    """
    ids, epochs = _keys(claims)
    with transaction.atomic(), plain_cursor() as cursor:
        cursor.execute(_SHARE_INSTANCES, [sorted({claim.instance_id for claim in claims if claim.instance_id})])
        cursor.execute(_SHARE_SUBSCRIPTIONS, [sorted({claim.subscription_id for claim in claims})])
        cursor.execute(_PARK, [HELD_BACK, ids, epochs])


def _keys(claims: Iterable[Claim]) -> tuple[list[int], list[int]]:
    pairs = sorted((claim.delivery_id, claim.epoch) for claim in claims)
    return [delivery_id for delivery_id, _ in pairs], [epoch for _, epoch in pairs]


# Whose switch and keys count: the event's instance, or the one that owns the subscription that somebody posted to.
_INSTANCE = "instance.id = coalesce(event.instance_id, subscription.instance_id)"

# Events that are off hold back what they hold changes of, not what an instance was asked to report once.
_MAY_SEND = """(subscription.url <> '' AND (instance.id IS NULL OR NOT instance.is_disabled
        AND (instance.is_events_enabled OR event.source = 'posted' AND event.instance_id IS NOT NULL)))"""

# A common table expression that locks rows runs once, so its LIMIT holds; a subquery may be run again by a join.
_CLAIM = f"""
WITH due AS (
    SELECT id FROM events_delivery
    WHERE state = 'pending' AND next_attempt_at <= statement_timestamp()
        AND (leased_until IS NULL OR leased_until < statement_timestamp())
    ORDER BY next_attempt_at, id LIMIT %b FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE events_delivery AS delivery
    SET leased_until = statement_timestamp() + %b, epoch = delivery.epoch + 1
    FROM due WHERE delivery.id = due.id
    RETURNING delivery.*
)
SELECT claimed.id, claimed.epoch, claimed.attempts_made, statement_timestamp() - claimed.first_failed_at,
    event.id, instance.id, event.body, subscription.id, subscription.url,
    subscription.state = 'active' AND {_MAY_SEND},
    coalesce(instance.signing_keys_encrypted, ''), coalesce(instance.legacy_signature_key = 'old', false),
    organization.failure_policy, organization.id, claimed.lane,
    coalesce(nullif(instance.retry_schedule, ''), organization.retry_schedule),
    coalesce(instance.notification_ordering = 'object', false),
    circuit.subscription_id IS NOT NULL, statement_timestamp()
FROM claimed
JOIN events_event AS event ON event.id = claimed.event_id
JOIN events_subscription AS subscription ON subscription.id = claimed.subscription_id
LEFT JOIN instances_instance AS instance ON {_INSTANCE}
JOIN instances_organization AS organization ON organization.id = claimed.organization_id
LEFT JOIN events_circuit AS circuit ON circuit.subscription_id = subscription.id
ORDER BY claimed.next_attempt_at, claimed.id
"""  # noqa: S608

_RELEASE = """
UPDATE events_delivery AS delivery
SET leased_until = NULL, next_attempt_at = statement_timestamp() + %b
FROM unnest(%b::bigint[], %b::int[]) AS claimed (id, epoch)
WHERE delivery.id = claimed.id AND delivery.epoch = claimed.epoch AND delivery.state = 'pending'
"""

_SHARE_INSTANCES = "SELECT FROM instances_instance WHERE id = ANY(%b::bigint[]) ORDER BY id FOR SHARE"
_SHARE_SUBSCRIPTIONS = "SELECT FROM events_subscription WHERE id = ANY(%b::bigint[]) ORDER BY id FOR SHARE"

_PARK = f"""
UPDATE events_delivery AS delivery SET
    leased_until = NULL,
    updated_at = statement_timestamp(),
    state = CASE WHEN subscription.state = 'active' THEN 'pending' ELSE 'queued' END,
    next_attempt_at = CASE WHEN {_MAY_SEND} THEN delivery.next_attempt_at ELSE %b END
FROM unnest(%b::bigint[], %b::int[]) AS claimed (id, epoch), events_event AS event
    CROSS JOIN events_subscription AS subscription LEFT JOIN instances_instance AS instance ON {_INSTANCE}
WHERE delivery.id = claimed.id AND delivery.epoch = claimed.epoch AND delivery.state = 'pending'
    AND event.id = delivery.event_id AND subscription.id = delivery.subscription_id
"""  # noqa: S608
