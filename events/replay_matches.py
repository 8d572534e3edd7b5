"""Which deliveries a replay means, in SQL: counted beforehand, and found again step by step.

Statements are put together from what somebody asks for; what they ask with travels beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Cursor
from psycopg.sql import SQL, Composed

from events import where
from events.models import Delivery, Subscription
from events.plain_cursor import plain_cursor
from events.published import of_organization
from events.replay_requests import Wanted
from instances.errors import NotFound
from instances.models import Instance, Organization


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a replay would begin again if it were made now."""

    count: int
    bytes: int
    """Of the notifications."""
    first_event_at: datetime | None
    last_event_at: datetime | None
    deactivated: int
    """How many of them belong to deactivated subscriptions."""
    first_id: int
    last_id: int
    """The lowest and the highest delivery; 0 where there is none."""


def preview(organization: Organization, wanted: Wanted) -> Preview:
    matching, values = _matching(organization, wanted)
    with plain_cursor() as cursor:
        cursor.execute(_PREVIEW + matching, values)
        row = cursor.fetchone()
    assert row is not None
    count, size, first_event_at, last_event_at, deactivated, first_id, last_id = row
    return Preview(
        count=count,
        bytes=size,
        first_event_at=first_event_at,
        last_event_at=last_event_at,
        deactivated=deactivated,
        first_id=first_id,
        last_id=last_id,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """A subscription, and how much a replay would begin again for it."""

    subscription_id: int
    url: str
    instance_id: int | None
    instance_name: str
    is_active: bool
    count: int


def recipients(organization: Organization, wanted: Wanted, *, most: int) -> list[Recipient]:
    """Those who would get the most."""
    matching, values = _matching(organization, wanted)
    with plain_cursor() as cursor:
        counted = SQL("SELECT delivery.subscription_id AS id, count(*) AS count") + matching
        cursor.execute(SQL("WITH counted AS ({}) ").format(counted + _BY_SUBSCRIPTION) + _RECIPIENTS, values)
        return [
            Recipient(
                subscription_id=subscription_id,
                url=url,
                instance_id=instance_id,
                instance_name=name,
                is_active=is_active,
                count=count,
            )
            for subscription_id, url, instance_id, name, is_active, count in cursor.fetchmany(most)
        ]


def deactivated_subscriptions(organization: Organization, wanted: Wanted) -> list[int]:
    """Those of matching deliveries that are deactivated."""
    matching, values = _matching(organization, wanted)
    with plain_cursor() as cursor:
        cursor.execute(_SUBSCRIPTIONS + matching + _DEACTIVATED, values)
        return [subscription_id for (subscription_id,) in cursor]


def begin_again(
    cursor: Cursor[Any],
    organization: Organization,
    wanted: Wanted,
    *,
    replay_id: int,
    after: int,
    up_to: int,
    asked_at: datetime,
    most: int,
) -> list[int]:
    """Begin the next deliveries again that match, for this replay. Returns their ids, in order.

    Those that have changed since `asked_at` were sent since, or are on their way. They are locked in the order of
    their ids, as by everybody.
    """
    matching, values = _matching(organization, wanted)
    values |= {"replay_id": replay_id, "lane": Delivery.AGAIN, "most": most}
    values |= {"after": after, "up_to": up_to, "asked_at": asked_at}
    chosen = _IDS + matching + _NEXT + _ACTIVE + _LOCKED
    cursor.execute(SQL("WITH chosen AS MATERIALIZED ({}) {}").format(chosen, _BEGIN), values)
    return sorted(delivery_id for (delivery_id,) in cursor)


def count_deactivated(
    cursor: Cursor[Any], organization: Organization, wanted: Wanted, *, after: int, up_to: int, asked_at: datetime
) -> int:
    """How many of these match and are not begun, since their subscriptions are deactivated."""
    cursor.execute(_ANY_DEACTIVATED, [organization.pk])
    if cursor.fetchone() is None:
        return 0
    matching, values = _matching(organization, wanted)
    values |= {"after": after, "up_to": up_to, "asked_at": asked_at}
    cursor.execute(_COUNT + matching + _NEXT + _DEACTIVATED, values)
    row = cursor.fetchone()
    assert row is not None
    count: int = row[0]
    return count


def check_ids(organization: Organization, wanted: Wanted) -> None:
    """Raises NotFound for what is not there, or not the organization's."""
    for name, given, rows in (
        ("instance", _one(wanted.instance_id), Instance.objects.filter(organization=organization)),
        ("subscription", _one(wanted.subscription_id), Subscription.objects.filter(organization=organization)),
        ("event", wanted.event_ids, of_organization(organization)),
        ("delivery", wanted.delivery_ids, Delivery.objects.filter(organization=organization)),
    ):
        if given and (missing := set(given) - set(rows.filter(pk__in=given).values_list("pk", flat=True))):
            raise NotFound(f"There is no {name} {min(missing)}")


def _one(number: int | None) -> Sequence[int]:
    return () if number is None else (number,)


def _matching(organization: Organization, wanted: Wanted) -> tuple[Composed, dict[str, Any]]:
    """FROM and WHERE, and the values for them."""
    states = [status for status in wanted.statuses if status != where.RETRY]
    columns = where.parse(wanted.where).columns
    values = {
        "organization_id": organization.pk,
        "states": states,
        "instance_id": wanted.instance_id,
        "subscription_id": wanted.subscription_id,
        "begins_at": wanted.begins_at,
        "ends_at": wanted.ends_at,
        "event_ids": wanted.event_ids and list(wanted.event_ids),
        "delivery_ids": wanted.delivery_ids and list(wanted.delivery_ids),
        "channel": columns.get("channel"),
        "url": columns.get("url"),
    }
    asked = [_CONDITIONS[name] for name, value in values.items() if name in _CONDITIONS and value is not None]
    state = _STATE_OR_RETRY if where.RETRY in wanted.statuses else _STATE
    return SQL(" AND ").join([_FROM + state, *asked]), values


# The organization stands in both tables, so that either of them may be the one to begin with.
_FROM = SQL("""
FROM events_delivery AS delivery
JOIN events_event AS event ON event.id = delivery.event_id
JOIN events_subscription AS subscription ON subscription.id = delivery.subscription_id
WHERE delivery.organization_id = %(organization_id)s AND subscription.organization_id = %(organization_id)s
    AND """)
_STATE = SQL("delivery.state = ANY(%(states)s::text[])")
# What is being tried at this moment is on its way.
_STATE_OR_RETRY = SQL("""(delivery.state = ANY(%(states)s::text[]) OR (
        delivery.state = 'pending' AND delivery.first_failed_at IS NOT NULL
        AND (delivery.leased_until IS NULL OR delivery.leased_until < statement_timestamp())
    ))""")
_CONDITIONS = {
    "instance_id": SQL("event.instance_id = %(instance_id)s"),
    "subscription_id": SQL("delivery.subscription_id = %(subscription_id)s"),
    "begins_at": SQL("event.created_at >= %(begins_at)s"),
    "ends_at": SQL("event.created_at < %(ends_at)s::timestamptz + interval '1 second'"),
    "event_ids": SQL("delivery.event_id = ANY(%(event_ids)s::bigint[])"),
    "delivery_ids": SQL("delivery.id = ANY(%(delivery_ids)s::bigint[])"),
    "channel": SQL("subscription.channel = %(channel)s"),
    "url": SQL("subscription.url = %(url)s"),
}
_NEXT = SQL(
    " AND delivery.id > %(after)s AND delivery.id <= %(up_to)s AND delivery.updated_at <= %(asked_at)s::timestamptz"
)
_ACTIVE = SQL(" AND subscription.state = 'active'")
_DEACTIVATED = SQL(" AND subscription.state <> 'active'")
_LOCKED = SQL(" ORDER BY delivery.id LIMIT %(most)s FOR NO KEY UPDATE OF delivery")

_PREVIEW = SQL("""
SELECT count(*), coalesce(sum(octet_length(event.body)), 0)::bigint, min(event.created_at), max(event.created_at),
    count(*) FILTER (WHERE subscription.state <> 'active'),
    coalesce(min(delivery.id), 0), coalesce(max(delivery.id), 0)""")
_IDS = SQL("SELECT delivery.id")
_COUNT = SQL("SELECT count(*)")
_ANY_DEACTIVATED = "SELECT FROM events_subscription WHERE organization_id = %b AND state <> 'active' LIMIT 1"
_SUBSCRIPTIONS = SQL("SELECT DISTINCT subscription.id")
_BY_SUBSCRIPTION = SQL(" GROUP BY delivery.subscription_id")
_RECIPIENTS = SQL("""
SELECT subscription.id, subscription.url, instance.id, coalesce(instance.name, ''), subscription.state = 'active',
    counted.count
FROM counted JOIN events_subscription AS subscription ON subscription.id = counted.id
LEFT JOIN instances_instance AS instance ON instance.id = subscription.instance_id
ORDER BY counted.count DESC, subscription.id
""")
_BEGIN = SQL("""
UPDATE events_delivery AS delivery SET
    state = 'pending', attempts_made = 0, first_failed_at = NULL, lane = %(lane)s, replay_id = %(replay_id)s,
    next_attempt_at = statement_timestamp(), updated_at = statement_timestamp()
FROM chosen WHERE delivery.id = chosen.id
RETURNING delivery.id
""")
