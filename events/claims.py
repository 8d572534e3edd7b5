"""Taking deliveries that are due, for a while: a lease that ends by itself, and an epoch that tells claims apart.

Statements here are committed on their own; no transaction is open while anything is sent. Due times are compared by
`statement_timestamp()`, the database's clock.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from psycopg import Cursor

from events import lanes
from events.circuits import Permit
from events.models import Delivery
from events.plain_cursor import follow_indexes, plain_cursor
from events.subscriptions import HELD_BACK

LEASE = timedelta(seconds=settings.DELIVERY_LEASE_SECONDS)


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery that is ours under this epoch, with all that an attempt needs, read at one moment."""

    # In the order in which _CLAIM reads them.
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
    """Whether the subscription is active with a URL (or this is its probe), and the instance's switches let it go."""
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
    read_at: datetime
    """The moment of the claim by the database's clock."""
    claimed_at: float
    """The same by `time.monotonic()` of this process, taken before the lease began."""
    is_probe: bool = False
    """Whether it is to show if the receiver is back."""

    def database_now(self) -> datetime:
        """The database's clock at this moment, never behind it."""
        return self.read_at + timedelta(seconds=time.monotonic() - self.claimed_at)


@dataclass(frozen=True, slots=True)
class Ask:
    """How many of a lane's due deliveries to take."""

    lane: int
    subscription_id: int
    most: int


def claim(*, limit: int) -> list[Claim]:
    """Take up to `limit` due deliveries, of all lanes alike."""
    claims: list[Claim] = []
    with transaction.atomic(), plain_cursor() as cursor:
        follow_indexes(cursor, is_planned_once=True)
        while left := limit - len(claims):
            seen, _ = lanes.look(cursor)
            share = max(1, left // max(1, len(seen)))
            taken = take(cursor, [Ask(lane.number, lane.subscription_id, share) for lane in seen[:left]])
            if not taken:
                break
            claims += taken
    return claims


def take(cursor: Cursor[Any], asks: Sequence[Ask]) -> list[Claim]:
    """Take what is due in these lanes, the longest due of each, in the caller's transaction."""
    return _taken(cursor, _CLAIM, asks) if asks else []


def take_permitted(cursor: Cursor[Any], permits: Sequence[Permit]) -> list[Claim]:
    """Take what circuits let go: what happens now before what is replayed, of deactivated subscriptions the oldest."""
    queued = [Ask(Delivery.LIVE, permit.subscription_id, permit.most) for permit in permits if permit.from_queue]
    found = _taken(cursor, _CLAIM_QUEUED, queued) if queued else []
    left = {permit.subscription_id: permit.most for permit in permits if not permit.from_queue}
    for lane in (Delivery.LIVE, Delivery.AGAIN):
        taken = take(cursor, [Ask(lane, subscription_id, most) for subscription_id, most in left.items() if most])
        for claim in taken:
            left[claim.subscription_id] -= 1
        found += taken
    probes = {permit.subscription_id for permit in permits if permit.is_probe}
    return [replace(claim, is_probe=claim.subscription_id in probes) for claim in found]


def _taken(cursor: Cursor[Any], statement: str, asks: Sequence[Ask]) -> list[Claim]:
    claimed_at = time.monotonic()
    columns = [[getattr(ask, name) for ask in asks] for name in ("lane", "subscription_id", "most")]
    cursor.execute(statement, [*columns, LEASE], binary=True, prepare=True)
    return [Claim(*(*row, claimed_at)) for row in cursor]


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

# Not by a join: the queue is followed from its oldest on, as far as nothing may be sent.
_SENDABLE = f"""EXISTS (
                SELECT FROM events_event AS event
                JOIN events_subscription AS subscription ON subscription.id = delivery.subscription_id
                LEFT JOIN instances_instance AS instance ON {_INSTANCE}
                WHERE event.id = delivery.event_id AND {_MAY_SEND} OFFSET 0
            )"""

# A common table expression that locks rows runs once, so its LIMIT holds; a subquery may be run again by a join.
_STATEMENT = """
WITH due AS (
    SELECT found.id
    FROM unnest(%b::smallint[], %b::bigint[], %b::int[]) AS ask (lane, subscription_id, most)
    CROSS JOIN LATERAL (
        SELECT delivery.id FROM events_delivery AS delivery
        WHERE delivery.subscription_id = ask.subscription_id AND {which}
            AND (delivery.leased_until IS NULL OR delivery.leased_until < statement_timestamp())
        ORDER BY {order} LIMIT ask.most FOR UPDATE SKIP LOCKED
    ) AS found
), claimed AS (
    UPDATE events_delivery AS delivery
    SET leased_until = statement_timestamp() + %b, epoch = delivery.epoch + 1
    FROM due WHERE delivery.id = due.id
    RETURNING delivery.*
)
SELECT claimed.id, claimed.epoch, claimed.attempts_made, statement_timestamp() - claimed.first_failed_at,
    event.id, instance.id, event.body, subscription.id, subscription.url,
    {state} AND {may_send},
    coalesce(instance.signing_keys_encrypted, ''), coalesce(instance.legacy_signature_key = 'old', false),
    organization.failure_policy, organization.id, claimed.lane,
    coalesce(nullif(instance.retry_schedule, ''), organization.retry_schedule),
    coalesce(instance.notification_ordering = 'object', false),
    circuit.subscription_id IS NOT NULL, statement_timestamp()
FROM claimed
JOIN events_event AS event ON event.id = claimed.event_id
JOIN events_subscription AS subscription ON subscription.id = claimed.subscription_id
LEFT JOIN instances_instance AS instance ON {instance}
JOIN instances_organization AS organization ON organization.id = claimed.organization_id
LEFT JOIN events_circuit AS circuit ON circuit.subscription_id = subscription.id
ORDER BY claimed.next_attempt_at, claimed.id
"""

_CLAIM = _STATEMENT.format(
    which="""delivery.lane = ask.lane AND delivery.state = 'pending'
            AND delivery.next_attempt_at <= statement_timestamp()""",
    order="delivery.next_attempt_at, delivery.id",
    state="subscription.state = 'active'",
    may_send=_MAY_SEND,
    instance=_INSTANCE,
)
# A probe of a subscription that was deactivated: what is queued stays so while it is sent. The oldest that may be sent:
# one of a switched-off instance must not keep those of others from being tried.
_CLAIM_QUEUED = _STATEMENT.format(
    which=f"delivery.state = 'queued' AND {_SENDABLE}",
    order="delivery.id",
    state="true",
    may_send=_MAY_SEND,
    instance=_INSTANCE,
)

_RELEASE = """
UPDATE events_delivery AS delivery
SET leased_until = NULL, next_attempt_at = statement_timestamp() + %b
FROM unnest(%b::bigint[], %b::int[]) AS claimed (id, epoch)
WHERE delivery.id = claimed.id AND delivery.epoch = claimed.epoch AND delivery.state IN ('pending', 'queued')
"""

_SHARE_INSTANCES = "SELECT FROM instances_instance WHERE id = ANY(%b::bigint[]) ORDER BY id FOR SHARE"
_SHARE_SUBSCRIPTIONS = "SELECT FROM events_subscription WHERE id = ANY(%b::bigint[]) ORDER BY id FOR SHARE"

_PARK = f"""
UPDATE events_delivery AS delivery SET
    leased_until = NULL,
    updated_at = statement_timestamp(),
    state = CASE WHEN subscription.state = 'active' THEN delivery.state ELSE 'queued' END,
    next_attempt_at = CASE WHEN {_MAY_SEND} THEN delivery.next_attempt_at ELSE %b END
FROM unnest(%b::bigint[], %b::int[]) AS claimed (id, epoch), events_event AS event
    CROSS JOIN events_subscription AS subscription LEFT JOIN instances_instance AS instance ON {_INSTANCE}
WHERE delivery.id = claimed.id AND delivery.epoch = claimed.epoch AND delivery.state IN ('pending', 'queued')
    AND event.id = delivery.event_id AND subscription.id = delivery.subscription_id
"""  # noqa: S608
