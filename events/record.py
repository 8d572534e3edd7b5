"""Changes become events: ledger, events and deliveries, in the transaction of whoever noticed the changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from psycopg import Cursor

from connectors.change import Change
from events import doorbell, ledger, notification, ordering
from events.ledger import Identity
from events.models import Delivery, Event, Subscription
from events.plain_cursor import plain_cursor
from instances.models import Instance

CHANGES_PER_EVENT = {Event.POLL: 10, Event.WEBHOOK: 20}


def record(
    *,
    instance: Instance,
    changes: Sequence[Change],
    source: str,
    polled_at: datetime | None,
) -> list[int]:
    """Store changes as events with one delivery for each subscription of the instance's topic. Returns event ids.

    Runs in the caller's transaction, so that what the caller knows to be read and what is recorded of it are one
    commit. Changes that the ledger has are passed over; of two callers with the same change, one gets the event.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("record() belongs into the transaction that moves the watermark")
    unique = {ledger.identity(change): change for change in changes}
    groups = list(_groups(list(unique.values()), source))
    if not groups:
        return []
    with plain_cursor() as cursor:
        event_ids, recorded_at = reserve_event_ids(cursor, len(groups))
        owners = _owners(groups, event_ids)
        new = ledger.enter(instance_id=instance.pk, changes=list(unique.values()), event_ids=owners, found_by=source)
        if not new:
            return []
        if len(new) < len(unique):
            # Some were there already: the rest moves together, into as few events as it fills.
            groups = list(_groups([change for key, change in unique.items() if key in new], source))
            event_ids = event_ids[: len(groups)]
            settled = _owners(groups, event_ids)
            ledger.point(
                instance_id=instance.pk,
                event_ids={key: owner for key, owner in settled.items() if owners[key] != owner},
            )
        bodies = _bodies(instance, groups, event_ids, source=source, polled_at=polled_at, recorded_at=recorded_at)
        with cursor.copy(_COPY_EVENTS) as copy:
            copy.set_types(_EVENT_TYPES)
            for event_id, group, body in zip(event_ids, groups, bodies, strict=True):
                copy.write_row((event_id, instance.pk, source, len(group), body, recorded_at))
        if add_deliveries(
            cursor,
            organization_id=instance.organization_id,
            topic=instance.topic,
            event_ids=event_ids,
            objects=_objects(instance, groups, event_ids),
        ):
            transaction.on_commit(doorbell.DELIVERIES.ring, robust=True)
    return event_ids


def preview(*, instance: Instance, changes: Sequence[Change], polled_at: datetime) -> Iterator[bytes]:
    """The notifications that `record` would store for these changes of a poll, with 0 for their ids. Writes nothing."""
    groups = list(_groups(changes, Event.POLL))
    return _bodies(instance, groups, [0] * len(groups), source=Event.POLL, polled_at=polled_at, recorded_at=polled_at)


def count_notifications(changes: Sequence[Change]) -> int:
    """How many `preview` has."""
    return sum(1 for _ in _groups(changes, Event.POLL))


def _groups(changes: Sequence[Change], source: str) -> Iterator[list[Change]]:
    """What goes into one event each: one object type of a poll, one callback of a provider, ten or twenty of it."""
    size = CHANGES_PER_EVENT[source]
    alike: dict[object, list[Change]] = {}
    for change in changes:
        alike.setdefault(change.object_type if source == Event.POLL else change.raw, []).append(change)
    for group in alike.values():
        for start in range(0, len(group), size):
            yield group[start : start + size]


def _owners(groups: Sequence[Sequence[Change]], event_ids: Sequence[int]) -> dict[Identity, int]:
    return {
        ledger.identity(change): event_id for event_id, group in zip(event_ids, groups, strict=True) for change in group
    }


def reserve_event_ids(cursor: Cursor[Any], count: int) -> tuple[list[int], datetime]:
    """Ids first, since a body carries its own; and the database's clock, which all machines share."""
    cursor.execute(_RESERVE, [count])
    rows = cursor.fetchall()
    return [event_id for event_id, _ in rows], rows[0][1]


def _bodies(
    instance: Instance,
    groups: Sequence[Sequence[Change]],
    event_ids: Sequence[int],
    *,
    source: str,
    polled_at: datetime | None,
    recorded_at: datetime,
) -> Iterator[bytes]:
    envelope = notification.envelope(instance)
    entries = [
        [notification.entry(envelope, change, polled_at=polled_at, recorded_at=recorded_at) for change in group]
        for group in groups
    ]
    for event_id, group, own_entries in zip(event_ids, groups, entries, strict=True):
        object_type = group[0].object_type
        if source == Event.WEBHOOK:
            raw = group[0].raw or b"{}"
        elif instance.raw_in_notifications == Instance.FULL:
            alike = [index for index, other in enumerate(groups) if other[0].object_type == object_type]
            raw = notification.polled_raw(
                envelope,
                object_type=object_type,
                records=[change.raw for index in alike for change in groups[index] if change.raw],
                entries=[one for index in alike for one in entries[index]],
            )
        else:
            raw = notification.polled_raw(
                envelope,
                object_type=object_type,
                records=[change.raw for change in group if change.raw],
                entries=own_entries,
            )
        yield notification.body(envelope, event_id=event_id, recorded_at=recorded_at, entries=own_entries, raw=raw)


def _objects(
    instance: Instance, groups: Sequence[Sequence[Change]], event_ids: Sequence[int]
) -> ordering.Objects | None:
    """None where the instance asks for no order."""
    if instance.notification_ordering != Instance.BY_OBJECT:
        return None
    pairs = zip(event_ids, groups, strict=True)
    return ordering.Objects(
        instance.pk, {event_id: {(one.object_type, one.object_id) for one in group} for event_id, group in pairs}
    )


def add_deliveries(
    cursor: Cursor[Any],
    *,
    organization_id: int,
    topic: str,
    event_ids: Sequence[int],
    objects: ordering.Objects | None = None,
) -> bool:
    """One for each subscription of the topic. Returns whether any of them may be sent now."""
    cursor.execute(_SUBSCRIPTIONS, [organization_id, [topic]])
    states: Mapping[int, str] = {
        subscription_id: Delivery.PENDING if state == Subscription.ACTIVE else Delivery.QUEUED
        for subscription_id, state in cursor
    }
    is_ordered = objects is not None and bool(states) and ordering.begin(cursor, objects.instance_id)
    with cursor.copy(_COPY_DELIVERIES) as copy:
        for event_id in event_ids:
            for subscription_id, state in states.items():
                copy.write_row((event_id, subscription_id, organization_id, state, 0, 0))
    if objects is not None and is_ordered:
        ordering.line_up(cursor, objects)
    return Delivery.PENDING in states.values()


_RESERVE = """
SELECT nextval(pg_get_serial_sequence('events_event', 'id')), statement_timestamp() FROM generate_series(1, %b)
"""

_COPY_EVENTS = """
COPY events_event (id, instance_id, source, change_count, body, created_at) FROM STDIN (FORMAT BINARY)
"""
_EVENT_TYPES = ("int8", "int8", "varchar", "int2", "bytea", "timestamptz")

# Shared locks: a subscription that is being reactivated releases what is queued, and must not miss what is added here.
_SUBSCRIPTIONS = """
SELECT id, state FROM events_subscription WHERE organization_id = %b AND topics @> %b::varchar[]
ORDER BY id FOR SHARE
"""

_COPY_DELIVERIES = """
COPY events_delivery (event_id, subscription_id, organization_id, state, attempts_made, epoch) FROM STDIN
"""
