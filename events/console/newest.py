"""The newest rows of big tables, found without counting them: ids, newest first, each page behind the one before it.

Deliveries have no index by organization, and attempts none by anything but their delivery: every index makes recording
and delivering dearer. What was written last is looked through first, since a busy organization has enough of it; what
an organization has less of is found subscription by subscription (instance by instance), a page's worth of each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from events.console import ids_in_time
from events.models import Delivery

PAGE = 50
LOOKED_THROUGH = 2000
"""Rows that a page looks through for what no index knows. Whoever wants to, looks further from there."""
LAST_WRITTEN = 10_000
"""Rows of a table that are looked through before it is asked by subscription or instance."""

UNDELIVERED = "undelivered"
RETRYING = "retrying"
STATES: Mapping[str, Sequence[str]] = {
    Delivery.PENDING: (Delivery.PENDING,),
    RETRYING: (Delivery.PENDING,),
    Delivery.DELIVERED: (Delivery.DELIVERED,),
    Delivery.QUEUED: (Delivery.QUEUED,),
    Delivery.ABANDONED: (Delivery.ABANDONED,),
    UNDELIVERED: (Delivery.PENDING, Delivery.QUEUED, Delivery.ABANDONED),
}
"""What deliveries can be asked for by, and the states of their rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a list is narrowed to. Whose rows they may be is said by `organization_id`; None: everybody's."""

    organization_id: int | None
    before: int | None = None
    """The page behind this id."""
    begins_at: datetime | None = None
    ends_at: datetime | None = None
    """Of the creation of rows; `ends_at` belongs to it."""
    instance_id: int | None = None
    element: str = ""
    source: str = ""
    """Of events."""
    state: str = ""
    """Of deliveries one of STATES, of events `delivered` or `undelivered`."""
    subscription_id: int | None = None
    error: str = ""
    """The error class of attempts; of deliveries that of the last one, where they are not delivered yet."""
    delivery_id: int | None = None
    ids: Sequence[int] | None = None
    """Only these, where somebody searches for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    ids: Sequence[int]
    older_than: int | None = None
    """Where the next page goes on; None: this was the last."""
    is_cut: bool = False
    """Whether looking ended before the page was full: there may be more behind `older_than`."""


def events(asked: Asked) -> Found:
    is_picky = bool(asked.source or asked.state)
    most = LOOKED_THROUGH if is_picky else PAGE + 1
    with connection.cursor() as cursor:
        values = _values(asked, table="events_event", most=most)
        if asked.ids is not None:
            cursor.execute(_EVENTS_BY_ID, values)
            cursor.execute(_EVENTS_PICKED, {**values, "ids": _ids(cursor)})
            return _page(_ids(cursor), looked_to=None)
        cursor.execute(_EVENTS_OF_INSTANCE if asked.instance_id else _EVENTS_LAST_WRITTEN, values)
        ids = _ids(cursor)
        if len(ids) < most and not asked.instance_id:
            cursor.execute(_EVENTS_OF_INSTANCES, values)
            ids = _ids(cursor)
        if not is_picky:
            return _page(ids, looked_to=None)
        cursor.execute(_EVENTS_PICKED, {**values, "ids": ids})
        return _page(_ids(cursor), looked_to=ids[-1] if len(ids) == most else None)


def deliveries(asked: Asked) -> Found:
    most = LOOKED_THROUGH if asked.error else PAGE + 1
    with connection.cursor() as cursor:
        values = _values(asked, table="events_delivery", most=most)
        if asked.ids is not None:
            cursor.execute(_DELIVERIES_BY_ID, values)
            if asked.error:
                cursor.execute(_DELIVERIES_PICKED, {**values, "ids": _ids(cursor)})
            return _page(_ids(cursor), looked_to=None)
        is_narrow = asked.instance_id is not None or asked.subscription_id is not None
        ids: list[int] = []
        if not is_narrow:
            cursor.execute(_DELIVERIES_LAST_WRITTEN, values)
            ids = _ids(cursor)
        if len(ids) < most:
            cursor.execute(_DELIVERIES_OF_SUBSCRIPTIONS, values)
            ids = _ids(cursor)
        if not asked.error:
            return _page(ids, looked_to=None)
        cursor.execute(_DELIVERIES_PICKED, {**values, "ids": ids})
        return _page(_ids(cursor), looked_to=ids[-1] if len(ids) == most else None)


def attempts(asked: Asked) -> Found:
    """Of all of them, those written last are looked through; of one delivery there are few."""
    with connection.cursor() as cursor:
        values = _values(asked, table="", most=LAST_WRITTEN)
        if asked.delivery_id is not None:
            cursor.execute(_ATTEMPTS_OF_DELIVERY, values)
            return _page(_ids(cursor), looked_to=None)
        cursor.execute(_ATTEMPTS_LAST_WRITTEN, values)
        rows = cursor.fetchall()
    looked_to = rows[0][1] if rows and rows[0][2] == LAST_WRITTEN else None
    return _page([row[0] for row in rows if row[0] is not None], looked_to=looked_to)


def _page(ids: Sequence[int], *, looked_to: int | None) -> Found:
    if len(ids) > PAGE:
        return Found(ids=ids[:PAGE], older_than=ids[PAGE - 1])
    return Found(ids=ids, older_than=looked_to, is_cut=looked_to is not None)


def _ids(cursor: Any) -> list[int]:
    return [row[0] for row in cursor.fetchall()]


def _values(asked: Asked, *, table: str, most: int) -> dict[str, Any]:
    state = asked.state or (UNDELIVERED if asked.error else "")
    in_time = ids_in_time.between(asked.begins_at, asked.ends_at, table=table) if table else ids_in_time.ALL
    return {
        "organization": asked.organization_id,
        "instance": asked.instance_id,
        "element": asked.element,
        "source": asked.source,
        "status": asked.state,
        "states": list(STATES.get(state, Delivery.STATES)),
        "retrying": asked.state == RETRYING,
        "subscription": asked.subscription_id,
        "error": asked.error,
        "delivery": asked.delivery_id,
        "ids": list(asked.ids or ()),
        "begins": asked.begins_at,
        "ends": asked.ends_at,
        "lowest": in_time.lowest,
        "before": min(asked.before or in_time.end, in_time.end),
        "most": most,
        "page": PAGE + 1,
        "last": LAST_WRITTEN,
    }


_IN_TIME = """(%(begins)s::timestamptz IS NULL OR created_at >= %(begins)s)
    AND (%(ends)s::timestamptz IS NULL OR created_at <= %(ends)s)"""
_IN_RANGE = "id < %(before)s AND id >= %(lowest)s"

_EVENTS_BY_ID = f"""
SELECT id FROM events_event WHERE id = ANY(%(ids)s) AND {_IN_RANGE} AND {_IN_TIME}
    AND (%(instance)s::bigint IS NULL OR instance_id = %(instance)s)
    AND (%(element)s = '' OR instance_id IN (SELECT id FROM instances_instance WHERE element_key = %(element)s))
"""  # noqa: S608

_EVENTS_OF_INSTANCE = f"""
SELECT id FROM events_event WHERE instance_id = %(instance)s AND {_IN_RANGE} AND {_IN_TIME}
ORDER BY id DESC LIMIT %(most)s
"""  # noqa: S608

_INSTANCES = """
    SELECT id FROM instances_instance
    WHERE (%(organization)s::bigint IS NULL OR organization_id = %(organization)s)
        AND (%(element)s = '' OR element_key = %(element)s)
"""

_EVENTS_LAST_WRITTEN = f"""
SELECT id FROM (
    SELECT id, instance_id, organization_id, created_at FROM events_event WHERE {_IN_RANGE}
    ORDER BY id DESC LIMIT %(last)s
) AS event
WHERE {_IN_TIME} AND (
    instance_id IN ({_INSTANCES})
    OR %(element)s = '' AND organization_id IS NOT NULL
        AND (%(organization)s::bigint IS NULL OR organization_id = %(organization)s)
)
ORDER BY id DESC LIMIT %(most)s
"""  # noqa: S608

_EVENTS_OF_INSTANCES = f"""
SELECT id FROM (
    SELECT event.id FROM ({_INSTANCES}) AS instance CROSS JOIN LATERAL (
        SELECT id FROM events_event WHERE instance_id = instance.id AND {_IN_RANGE} AND {_IN_TIME}
        ORDER BY id DESC LIMIT %(most)s
    ) AS event
    UNION
    SELECT id FROM events_event
    WHERE organization_id IS NOT NULL AND (%(organization)s::bigint IS NULL OR organization_id = %(organization)s)
        AND %(element)s = '' AND {_IN_RANGE} AND {_IN_TIME}
) AS found
ORDER BY id DESC LIMIT %(most)s
"""  # noqa: S608

_EVENTS_PICKED = """
SELECT event.id FROM unnest(%(ids)s::bigint[]) AS looked (id) JOIN events_event AS event ON event.id = looked.id
WHERE (%(source)s = '' OR event.source = %(source)s)
    AND (%(status)s <> 'undelivered' OR EXISTS (
        SELECT FROM events_delivery WHERE event_id = event.id AND state <> 'delivered'))
    AND (%(status)s <> 'delivered' OR EXISTS (SELECT FROM events_delivery WHERE event_id = event.id)
        AND NOT EXISTS (SELECT FROM events_delivery WHERE event_id = event.id AND state <> 'delivered'))
ORDER BY event.id DESC LIMIT %(page)s
"""

_RETRYING = "(NOT %(retrying)s OR first_failed_at IS NOT NULL)"

_DELIVERIES_BY_ID = f"""
SELECT id FROM events_delivery
WHERE (id = ANY(%(ids)s) OR event_id = ANY(%(ids)s)) AND {_IN_RANGE} AND {_IN_TIME} AND state = ANY(%(states)s)
    AND {_RETRYING} AND (%(subscription)s::bigint IS NULL OR subscription_id = %(subscription)s)
    AND (%(instance)s::bigint IS NULL
        OR subscription_id IN (SELECT id FROM events_subscription WHERE instance_id = %(instance)s))
ORDER BY id DESC LIMIT %(page)s
"""  # noqa: S608

_DELIVERIES_LAST_WRITTEN = f"""
SELECT id FROM (
    SELECT id, organization_id, state, first_failed_at, created_at FROM events_delivery WHERE {_IN_RANGE}
    ORDER BY id DESC LIMIT %(last)s
) AS delivery
WHERE (%(organization)s::bigint IS NULL OR organization_id = %(organization)s)
    AND state = ANY(%(states)s) AND {_RETRYING} AND {_IN_TIME}
ORDER BY id DESC LIMIT %(most)s
"""  # noqa: S608

_DELIVERIES_OF_SUBSCRIPTIONS = f"""
SELECT delivery.id
FROM (
    SELECT id FROM events_subscription
    WHERE (%(organization)s::bigint IS NULL OR organization_id = %(organization)s)
        AND (%(subscription)s::bigint IS NULL OR id = %(subscription)s)
        AND (%(instance)s::bigint IS NULL OR instance_id = %(instance)s)
) AS subscription
CROSS JOIN unnest(%(states)s::text[]) AS wanted (state)
CROSS JOIN LATERAL (
    SELECT id FROM events_delivery
    WHERE subscription_id = subscription.id AND state = wanted.state AND {_IN_RANGE} AND {_RETRYING} AND {_IN_TIME}
    ORDER BY id DESC LIMIT %(most)s
) AS delivery
ORDER BY delivery.id DESC LIMIT %(most)s
"""  # noqa: S608

_DELIVERIES_PICKED = """
SELECT looked.id FROM unnest(%(ids)s::bigint[]) AS looked (id) CROSS JOIN LATERAL (
    SELECT error_class FROM events_deliveryattempt WHERE delivery_id = looked.id ORDER BY id DESC LIMIT 1
) AS attempt
WHERE attempt.error_class = %(error)s
ORDER BY looked.id DESC LIMIT %(page)s
"""

_OF_ERROR = "(%(error)s = '' OR attempt.error_class = %(error)s)"

_ATTEMPTS_OF_DELIVERY = f"""
SELECT attempt.id FROM events_deliveryattempt AS attempt
WHERE delivery_id = %(delivery)s AND attempt.id < %(before)s AND {_OF_ERROR}
ORDER BY attempt.id DESC LIMIT %(page)s
"""  # noqa: S608

_ATTEMPTS_LAST_WRITTEN = f"""
WITH looked AS (
    SELECT id, delivery_id, error_class FROM events_deliveryattempt WHERE id < %(before)s
    ORDER BY id DESC LIMIT %(last)s
), found AS (
    SELECT attempt.id FROM looked AS attempt
    LEFT JOIN events_delivery AS delivery ON delivery.id = attempt.delivery_id
    WHERE {_OF_ERROR} AND (%(organization)s::bigint IS NULL OR delivery.organization_id = %(organization)s)
    ORDER BY attempt.id DESC LIMIT %(page)s
)
SELECT found.id, seen.lowest, seen.count
FROM (SELECT min(id) AS lowest, count(*) AS count FROM looked) AS seen LEFT JOIN found ON true
ORDER BY found.id DESC
"""  # noqa: S608
