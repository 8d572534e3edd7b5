"""By which road changes were found: told by callbacks, met by polls, or both; and how many callbacks were lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec
from django.db import connection

from connectors.callbacks import WantedCallback
from events.models import Event, Registration, SeenChange
from events.plain_cursor import plain_cursor
from instances.models import Instance

MEASURED = timedelta(hours=24)
UNDER_WAY = timedelta(seconds=60)
"""So long after a poll met a change, the callback that tells of it may still come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """How changes of the last 24 hours were found. Changes that the provider was not asked to tell do not count."""

    by_callback: int = 0
    """Told by a callback; no poll has met them (they were saved again before it, or it is still to come)."""
    by_both: int = 0
    by_poll_only: int = 0
    """Their callbacks were lost, or are late by more than a minute."""

    @property
    def loss_rate(self) -> float | None:
        """From 0 to 1: the share of changes of which no callback told. None without changes."""
        total = self.by_callback + self.by_both + self.by_poll_only
        return self.by_poll_only / total if total else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    total: Provenance
    by_type: Mapping[str, Provenance] = field(default_factory=dict)
    """By object type, for those whose every change is told by callbacks."""


def measured(instance: Instance) -> Measured:
    """How the changes of an instance were found in the last 24 hours, by the database's clock."""
    since = told_since(instance)
    counts: dict[str, dict[str, int]] = {object_type: {} for object_type in since}
    if since:
        with plain_cursor() as cursor:
            cursor.execute(_COUNT, [MEASURED, UNDER_WAY, list(since), list(since.values()), instance.pk])
            for object_type, found_by, count in cursor:
                counts[object_type][found_by] = count
    total: dict[str, int] = {}
    for found in counts.values():
        for found_by, count in found.items():
            total[found_by] = total.get(found_by, 0) + count
    return Measured(total=_provenance(total), by_type={one: _provenance(counts[one]) for one in sorted(counts)})


def told_since(instance: Instance) -> dict[str, datetime]:
    """Object types of which callbacks tell every change, and since when: the provider has their registrations."""
    callbacks = instance.element.callbacks
    if callbacks is None:
        return {}
    active = Registration.objects.filter(
        inbox__instance=instance, state=Registration.ACTIVE, registered_at__isnull=False
    )
    registered: list[tuple[WantedCallback, datetime]] = [
        (WantedCallback(type=one.type, level=one.level, object_id=one.object_id), one.registered_at)
        for one in active.order_by("registered_at", "id")
        if one.registered_at is not None
    ]
    since: dict[str, datetime] = {}
    # The earliest registrations that cover a type together.
    for count in range(1, len(registered) + 1):
        for object_type in callbacks.covered_resources([wanted for wanted, _ in registered[:count]]):
            since.setdefault(object_type, registered[count - 1][1])
    return since


def provenance_of(event: Event) -> str | None:
    """`webhook`, `poll` or `both`; None where the ledger has forgotten the event's changes."""
    return provenances([event])[event.pk]


def provenances(events: Sequence[Event]) -> dict[int, str | None]:
    """The same for several events, by id. Those of several changes are `both` only if all of these are."""
    objects = [
        (event.pk, event.instance_id, entry.object_type, entry.object_id)
        for event in events
        for entry in _entries(bytes(event.body))
    ]
    found: dict[int, set[str]] = {}
    if objects:
        with connection.cursor() as cursor:
            cursor.execute(_FOUND_BY, [list(column) for column in zip(*objects, strict=True)])
            for event_id, found_by in cursor.fetchall():
                found.setdefault(event_id, set()).add(found_by)
    return {event.pk: _of_all(found.get(event.pk, set()), event) for event in events}


def _of_all(found: set[str], event: Event) -> str | None:
    if not found:
        return None
    return SeenChange.BOTH if found == {SeenChange.BOTH} else event.source


def _provenance(counts: Mapping[str, int]) -> Provenance:
    return Provenance(
        by_callback=counts.get(SeenChange.WEBHOOK, 0),
        by_both=counts.get(SeenChange.BOTH, 0),
        by_poll_only=counts.get(SeenChange.POLL, 0),
    )


class _Entry(msgspec.Struct, rename="camel", frozen=True):
    object_type: str
    object_id: str


class _Message(msgspec.Struct, frozen=True):
    events: list[_Entry]


class _Notification(msgspec.Struct, frozen=True):
    message: _Message


_decode = msgspec.json.Decoder(_Notification).decode


def _entries(body: bytes) -> list[_Entry]:
    """Of a notification; the records in it are passed over without being decoded."""
    return _decode(body).message.events


_COUNT = """
WITH span AS (SELECT statement_timestamp() - %b::interval AS begins, statement_timestamp() - %b::interval AS ends)
SELECT change.object_type, change.found_by, count(*)
FROM span, unnest(%b::text[], %b::timestamptz[]) AS told (object_type, since)
JOIN events_seenchange AS change ON change.object_type = told.object_type
WHERE change.instance_id = %b AND change.event_type <> ''
    AND change.seen_at >= span.begins AND change.seen_at < span.ends AND change.seen_at >= told.since
GROUP BY change.object_type, change.found_by
"""

_FOUND_BY = """
SELECT known.event_id, known.found_by
FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[]) AS told (event_id, instance_id, object_type, object_id)
JOIN events_seenchange AS known ON known.instance_id = told.instance_id AND known.object_type = told.object_type
    AND known.object_id = told.object_id AND known.event_id = told.event_id
"""
