"""What happens to one object is told in order, where an instance asks for it: `event.notification.ordering = object`.

Of the deliveries of a subscription that hold changes of the same object, the oldest is sent, and the others wait until
it has been delivered. Objects do not wait for each other.

Each undelivered delivery of such an instance has an `OrderingKey` row for every object in it: its places in the lines.
Whoever adds to the lines of an instance, or takes from them, holds the instance's lock for that (behind those of
subscriptions and circuits, before those of deliveries). So places are taken in the order in which they are seen, and
nobody waits for somebody who has just gone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.db import transaction
from psycopg import Cursor

from events import doorbell
from events.models import Delivery
from events.plain_cursor import follow_indexes, plain_cursor
from instances.models import Instance

if TYPE_CHECKING:
    from events.outcomes import Ended

WAITS = datetime(9998, 12, 31, tzinfo=UTC)
"""`next_attempt_at` of a pending delivery that waits for an older one of the same object. No claim finds it."""


@dataclass(frozen=True, slots=True)
class Objects:
    """What the new events of an ordered instance tell of."""

    instance_id: int
    of_events: Mapping[int, Collection[tuple[str, str]]]
    """Type and id of each object, by event."""


def hold(cursor: Cursor[Any], instance_id: int) -> None:
    """Nobody else adds to the lines of an instance, or takes from them, until this transaction ends."""
    cursor.execute(_LOCK, [_LINES, [instance_id]])


def begin(cursor: Cursor[Any], instance_id: int) -> bool:
    """Hold the lines of an instance before deliveries are added. False: it asks for no order any more."""
    hold(cursor, instance_id)
    # Only now: whoever switches the order off lets everything go under the same lock.
    cursor.execute("SELECT notification_ordering FROM instances_instance WHERE id = %b", [instance_id])
    return cursor.fetchone() == (Instance.BY_OBJECT,)


def line_up(cursor: Cursor[Any], objects: Objects) -> None:
    """Give the deliveries of new events their places; those that are not the first of all their lines wait."""
    places = [
        (event_id, f"{objects.instance_id}/{object_type}/{object_id}")
        for event_id, told in objects.of_events.items()
        for object_type, object_id in sorted(set(told))
    ]
    event_ids, keys = [list(column) for column in zip(*places, strict=True)]
    cursor.execute(_TAKE_PLACES, [event_ids, keys])
    if cursor.rowcount:
        follow_indexes(cursor)
        cursor.execute(_WAIT, [WAITS, sorted(objects.of_events)])


def line_up_again(cursor: Cursor[Any], delivery_ids: Collection[int]) -> None:
    """After these have been begun again, locked: those behind one that is on its way wait for it once more.

    What was delivered before stands in no line: it is sent again at once. So is what stands behind deliveries that
    stay queued, since somebody asked for it.
    """
    cursor.execute(_WAIT_AGAIN, [WAITS, sorted(delivery_ids), WAITS])


def lock(cursor: Cursor[Any], ended: Sequence[Ended]) -> None:
    """Before outcomes are written: hold the lines of the ordered instances among them."""
    instance_ids = {one.claim.instance_id for one in ended if _leaves(one) and one.claim.instance_id is not None}
    if instance_ids:
        cursor.execute(_LOCK, [_LINES, sorted(instance_ids)])


def advance(cursor: Cursor[Any], ended: Sequence[Ended]) -> None:
    """After outcomes are written: let go what waited for those that have been delivered."""
    delivered = [one.claim.delivery_id for one in ended if _leaves(one)]
    if not delivered:
        return
    cursor.execute(_LEAVE, [delivered])
    left = cursor.fetchall()
    if left:
        subscription_ids, keys = [list(column) for column in zip(*left, strict=True)]
        cursor.execute(_LET_NEXT_GO, [subscription_ids, keys, WAITS])
        if cursor.rowcount:
            transaction.on_commit(doorbell.DELIVERIES.ring, robust=True)


def release(instance: Instance) -> None:
    """Nobody waits any more for the sake of order; in the transaction that switches it off."""
    with plain_cursor() as cursor:
        hold(cursor, instance.pk)
        cursor.execute(_CLEAR, [instance.organization_id, instance.pk, [instance.topic], f"{instance.pk}/"])
        if waiting := [delivery_id for (delivery_id,) in cursor]:
            cursor.execute(_GO, [sorted(set(waiting)), WAITS])
            transaction.on_commit(doorbell.DELIVERIES.ring, robust=True)


def tend(*, subscription_ids: Collection[int] | None = None) -> int:
    """Let go what waits for nobody: the delivery before it was deleted, not delivered. Returns how many.

    Needs no lock on the lines: whoever stands before a delivery was there when it came.
    """
    with plain_cursor() as cursor:
        if subscription_ids is None:
            cursor.execute(_SUBSCRIPTIONS)
            subscription_ids = [subscription_id for (subscription_id,) in cursor]
    count = 0
    for subscription_id in sorted(subscription_ids):
        with transaction.atomic(), plain_cursor() as cursor:
            follow_indexes(cursor)
            cursor.execute(_FORGET_GONE, [subscription_id])
            cursor.execute(_LET_FIRST_GO, [subscription_id, WAITS])
            if cursor.rowcount:
                transaction.on_commit(doorbell.DELIVERIES.ring, robust=True)
            count += cursor.rowcount
    return count


def _leaves(one: Ended) -> bool:
    return one.claim.is_ordered and one.verdict.state == Delivery.DELIVERED


# Any number will do, as long as no other use of advisory locks takes the same.
_LINES = 0x11E5
# A function in FROM gives its rows in order, so that two who need several lines do not wait for each other.
_LOCK = "SELECT pg_advisory_xact_lock(%b::int4, (id %% 2147483648)::int4) FROM unnest(%b::bigint[]) AS line (id)"

_TAKE_PLACES = """
INSERT INTO events_orderingkey (subscription_id, key, delivery_id)
SELECT delivery.subscription_id, place.key, delivery.id
FROM unnest(%b::bigint[], %b::text[]) AS place (event_id, key)
JOIN events_delivery AS delivery ON delivery.event_id = place.event_id
"""

_BEHIND = """
SELECT FROM events_orderingkey AS mine
JOIN events_orderingkey AS older ON older.subscription_id = mine.subscription_id AND older.key = mine.key
    AND older.delivery_id < mine.delivery_id
WHERE mine.delivery_id = delivery.id
"""

_WAIT = f"""
UPDATE events_delivery AS delivery SET next_attempt_at = %b
WHERE delivery.event_id = ANY(%b::bigint[]) AND delivery.state = 'pending' AND EXISTS ({_BEHIND})
"""  # noqa: S608

_WAIT_AGAIN = """
UPDATE events_delivery AS delivery SET next_attempt_at = %b
WHERE delivery.id IN (
    SELECT mine.delivery_id FROM events_orderingkey AS mine
    WHERE mine.delivery_id = ANY(%b::bigint[]) AND EXISTS (
        SELECT FROM events_orderingkey AS older JOIN events_delivery AS before ON before.id = older.delivery_id
        WHERE older.subscription_id = mine.subscription_id AND older.key = mine.key
            AND older.delivery_id < mine.delivery_id AND before.state = 'pending'
    )
) AND delivery.state = 'pending' AND delivery.next_attempt_at < %b
"""

_LEAVE = "DELETE FROM events_orderingkey WHERE delivery_id = ANY(%b::bigint[]) RETURNING subscription_id, key"

_LET_NEXT_GO = f"""
WITH next AS (
    SELECT DISTINCT first.delivery_id
    FROM unnest(%b::bigint[], %b::text[]) AS line (subscription_id, key)
    CROSS JOIN LATERAL (
        SELECT delivery_id FROM events_orderingkey AS place
        WHERE place.subscription_id = line.subscription_id AND place.key = line.key ORDER BY delivery_id LIMIT 1
    ) AS first
)
UPDATE events_delivery AS delivery SET next_attempt_at = statement_timestamp()
FROM next
WHERE delivery.id = next.delivery_id AND delivery.state = 'pending' AND delivery.next_attempt_at = %b
    AND NOT EXISTS ({_BEHIND})
"""  # noqa: S608

# The subscriptions that its topic has now: what else there may be is found by `tend`.
_CLEAR = """
DELETE FROM events_orderingkey WHERE subscription_id IN (
    SELECT id FROM events_subscription WHERE organization_id = %b AND (instance_id = %b OR topics @> %b::varchar[])
) AND starts_with(key, %b)
RETURNING delivery_id
"""

_GO = """
WITH waiting AS (
    SELECT id FROM events_delivery WHERE id = ANY(%b::bigint[]) AND state = 'pending' AND next_attempt_at = %b
    ORDER BY id FOR UPDATE
)
UPDATE events_delivery AS delivery SET next_attempt_at = statement_timestamp()
FROM waiting WHERE delivery.id = waiting.id
"""

# From one subscription to the next, without reading all that wait for each.
_SUBSCRIPTIONS = """
WITH RECURSIVE found AS (
    SELECT min(subscription_id) AS id FROM events_orderingkey
    UNION ALL
    SELECT (SELECT min(subscription_id) FROM events_orderingkey WHERE subscription_id > found.id)
    FROM found WHERE found.id IS NOT NULL
)
SELECT id FROM found WHERE id IS NOT NULL
"""

_FORGET_GONE = """
DELETE FROM events_orderingkey AS place WHERE place.subscription_id = %b AND NOT EXISTS (
    SELECT FROM events_delivery AS delivery
    WHERE delivery.id = place.delivery_id AND delivery.state IN ('pending', 'queued')
)
"""

_LET_FIRST_GO = f"""
WITH first AS (
    SELECT delivery.id FROM events_delivery AS delivery
    WHERE delivery.subscription_id = %b AND delivery.lane IN (0, 1) AND delivery.state = 'pending'
        AND delivery.next_attempt_at = %b AND NOT EXISTS ({_BEHIND})
    ORDER BY delivery.id FOR UPDATE SKIP LOCKED
)
UPDATE events_delivery AS delivery SET next_attempt_at = statement_timestamp() FROM first WHERE delivery.id = first.id
"""  # noqa: S608
