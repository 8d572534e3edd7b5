"""Events grow old: they go with their deliveries and attempts, after the days that their organization wants them kept.

In small transactions that wait for nobody: what somebody is at is passed over and found the next time. Ids of events
grow with time, so the old ones are found at the beginning of each instance's index, and nothing else is read.

What is still to be delivered is kept however old it is, and so is its event: nothing is given up in silence.
"""

from __future__ import annotations

import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import OperationalError, transaction
from django.db.models.functions import Now
from psycopg import Cursor
from psycopg.errors import LockNotAvailable

from events import ordering, transitions
from events.models import Subscription
from events.plain_cursor import follow_indexes, in_batches, plain_cursor

logger = logging.getLogger(__name__)

AT_ONCE = 2_000
"""Events of one transaction."""
RUN_SECONDS = 60.0
UNUSED_KEPT = timedelta(days=1)
WAITED_FOR = timedelta(milliseconds=100)
"""At most, for a row that somebody else holds. Who deletes an instance or a subscription takes attempts before their
deliveries, and would wait for us while we wait for them; PostgreSQL ends that after a second, for either."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """Events that stand together in an index, the oldest first: of an instance, or what was posted under a topic."""

    organization_id: int
    instance_id: int | None
    topic: str
    kept_since: datetime
    """What is older goes."""


def prune(
    *, is_stopping: Callable[[], bool] = lambda: False, seconds: float = RUN_SECONDS, at_once: int = AT_ONCE
) -> bool:
    """Forget what is old, for so many seconds at the most. Returns whether all of it has gone."""
    give_up_at = time.monotonic() + seconds
    pruned: Counter[int] = Counter()
    shelves = _shelves()
    # Whichever takes long must not keep the same others waiting every time.
    random.shuffle(shelves)
    is_done = True
    for organization_id, count in _steps(shelves, at_once=at_once):
        pruned[organization_id] += count
        if time.monotonic() > give_up_at or is_stopping():
            is_done = False
            break
    for organization_id, count in pruned.items():
        if count:
            logger.info("old events forgotten", extra={"organization": organization_id, "events": count})
    return is_done


def forget_unused_urls(*, at_once: int = AT_ONCE) -> int:
    """Delete subscriptions of no topic that nothing is left of: something was sent to their URL once. Returns how many.

    A report that is being sent to the same URL holds the row, which is passed over then.
    """
    unused = Subscription.objects.filter(instance=None, topics=[], deliveries=None, created_at__lt=Now() - UNUSED_KEPT)
    with transaction.atomic():
        # Looked at again under the lock: a report may have been added while nobody held it.
        locked = Subscription.objects.filter(pk__in=list(unused.values_list("pk", flat=True)[:at_once]))
        locked = locked.select_for_update(of=("self",), skip_locked=True).order_by("pk")
        ids = [subscription.pk for subscription in locked]
        count, _ = Subscription.objects.filter(pk__in=ids, deliveries=None).delete()
    if count:
        logger.info("unused subscriptions forgotten", extra={"rows": count})
    return count


def forget_histories(*, at_once: int = AT_ONCE) -> int:
    """Delete replays that are over, and what happened to circuits, after the same days. Returns how many rows.

    Deliveries go on naming a replay that is gone. What people have not been told of yet stays.
    """
    count = 0
    days = settings.EVENT_RETENTION_DAYS
    for statement, parameters in ((_FORGET_REPLAYS, [days]), (_FORGET_TRANSITIONS, [days, list(transitions.TOLD)])):
        count += in_batches(statement, parameters, at_once=at_once)
    if count:
        logger.info("old histories forgotten", extra={"rows": count})
    return count


def _shelves() -> list[Shelf]:
    """Those whose oldest event is too old."""
    with plain_cursor() as cursor:
        found = []
        for statement in (_INSTANCES, _TOPICS):
            cursor.execute(statement, [settings.EVENT_RETENTION_DAYS])
            found += [Shelf(*row) for row in cursor]
        return found


def _steps(shelves: Sequence[Shelf], *, at_once: int) -> Iterator[tuple[int, int]]:
    """Forget a little at each step: of which organization, and how many events."""
    for shelf in shelves:
        last: int | None = 0
        while last is not None:
            event_ids = _oldest(shelf, after=last, most=at_once)
            yield shelf.organization_id, _forget(event_ids)
            last = event_ids[-1] if len(event_ids) == at_once else None


def _oldest(shelf: Shelf, *, after: int, most: int) -> list[int]:
    """The next events behind `after`, as far as they are old."""
    with transaction.atomic(), plain_cursor() as cursor:
        follow_indexes(cursor)
        if shelf.instance_id is not None:
            cursor.execute(_OF_INSTANCE, [shelf.kept_since, shelf.instance_id, after, most])
        else:
            cursor.execute(_OF_TOPIC, [shelf.kept_since, shelf.organization_id, shelf.topic, after, most])
        return [event_id for event_id, is_old in cursor if is_old]


def _forget(event_ids: Sequence[int]) -> int:
    """Delete those of them that nothing is to be delivered of, with all that hangs on them. Returns how many."""
    try:
        return _forget_locked(event_ids) if event_ids else 0
    except OperationalError as error:
        if not isinstance(error.__cause__, LockNotAvailable):
            raise
        logger.info("old events passed over, somebody is at them", extra={"events": len(event_ids)})
        return 0


def _forget_locked(event_ids: Sequence[int]) -> int:
    with transaction.atomic(), plain_cursor() as cursor:
        follow_indexes(cursor)
        cursor.execute(f"SET LOCAL lock_timeout = '{WAITED_FOR.total_seconds() * 1000:.0f}ms'")
        cursor.execute(_LOCK, [event_ids])
        locked = dict(cursor.fetchall())
        cursor.execute("SELECT id, event_id FROM events_delivery WHERE event_id = ANY(%b::bigint[])", [event_ids])
        kept = {event_id for delivery_id, event_id in cursor if delivery_id not in locked}
        going = [event_id for event_id in event_ids if event_id not in kept]
        left = _delete(
            cursor,
            event_ids=going,
            delivery_ids=[delivery_id for delivery_id, event_id in locked.items() if event_id not in kept],
        )
    ordering.tend(subscription_ids=left)
    return len(going)


def _delete(cursor: Cursor[Any], *, event_ids: Sequence[int], delivery_ids: Sequence[int]) -> set[int]:
    """Returns the subscriptions whose lines have got shorter."""
    cursor.execute("DELETE FROM events_deliveryattempt WHERE delivery_id = ANY(%b::bigint[])", [delivery_ids])
    cursor.execute(
        "DELETE FROM events_orderingkey WHERE delivery_id = ANY(%b::bigint[]) RETURNING subscription_id", [delivery_ids]
    )
    left = {subscription_id for (subscription_id,) in cursor}
    cursor.execute("DELETE FROM events_delivery WHERE id = ANY(%b::bigint[])", [delivery_ids])
    cursor.execute("DELETE FROM events_event WHERE id = ANY(%b::bigint[])", [event_ids])
    return left


_KEPT = """
CROSS JOIN LATERAL (
    SELECT statement_timestamp() - make_interval(days => coalesce(organization.retention_days, %b::int)) AS since
) AS kept
"""

_INSTANCES = f"""
SELECT organization.id, instance.id, '', kept.since
FROM instances_organization AS organization {_KEPT}
JOIN instances_instance AS instance ON instance.organization_id = organization.id
CROSS JOIN LATERAL (
    SELECT created_at FROM events_event WHERE instance_id = instance.id ORDER BY id LIMIT 1
) AS oldest
WHERE oldest.created_at < kept.since
"""  # noqa: S608

_FORGET_REPLAYS = f"""
DELETE FROM events_replay WHERE id IN (
    SELECT replay.id FROM events_replay AS replay
    JOIN instances_organization AS organization ON organization.id = replay.organization_id {_KEPT}
    WHERE replay.finished_at < kept.since LIMIT %b FOR UPDATE OF replay SKIP LOCKED
)
"""  # noqa: S608

_FORGET_TRANSITIONS = f"""
DELETE FROM events_circuittransition WHERE id IN (
    SELECT transition.id FROM events_circuittransition AS transition
    JOIN events_subscription AS subscription ON subscription.id = transition.subscription_id
    JOIN instances_organization AS organization ON organization.id = subscription.organization_id {_KEPT}
    WHERE transition.happened_at < kept.since
        AND (transition.alerted_at IS NOT NULL OR transition.kind <> ALL(%b::text[]))
    LIMIT %b FOR UPDATE OF transition SKIP LOCKED
)
"""  # noqa: S608

# From one topic to the next, without reading what was posted under it.
_TOPICS = f"""
WITH RECURSIVE shelf AS (
    (
        SELECT organization_id, topic FROM events_event WHERE organization_id IS NOT NULL
        ORDER BY organization_id, topic LIMIT 1
    )
    UNION ALL
    SELECT next.* FROM shelf CROSS JOIN LATERAL (
        SELECT organization_id, topic FROM events_event
        WHERE organization_id IS NOT NULL AND (organization_id, topic) > (shelf.organization_id, shelf.topic)
        ORDER BY organization_id, topic LIMIT 1
    ) AS next
)
SELECT organization.id, NULL::bigint, shelf.topic, kept.since
FROM shelf JOIN instances_organization AS organization ON organization.id = shelf.organization_id {_KEPT}
"""  # noqa: S608

_OF_INSTANCE = """
SELECT id, created_at < %b FROM events_event WHERE instance_id = %b AND id > %b ORDER BY id LIMIT %b
"""

_OF_TOPIC = """
SELECT id, created_at < %b FROM events_event
WHERE organization_id = %b AND topic = %b AND id > %b ORDER BY id LIMIT %b
"""

# What is under way as a probe is queued all the while.
_LOCK = """
SELECT id, event_id FROM events_delivery
WHERE event_id = ANY(%b::bigint[]) AND state <> 'pending'
    AND (leased_until IS NULL OR leased_until < statement_timestamp())
ORDER BY id FOR UPDATE SKIP LOCKED
"""
