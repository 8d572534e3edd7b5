"""Callbacks as they are recorded once they are understood, and what came of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import orjson
from django.db import transaction

from connectors.change import DELETED, DELETED_VERSION, UPDATED, Change, EventType
from connectors.dates import ISO, date_reader
from events import callback_changes, ledger
from events.callback_changes import Told
from events.callback_claims import take_turn
from events.models import Event, SeenChange
from events.record import record
from instances.models import Instance

_read_stamp = date_reader(ISO, "GMT")


def says(saved: dict[str, Any], action: EventType = UPDATED, *, object_type: str = "contacts") -> Change:
    """What the callback about a save says; `saved` is the provider's record."""
    stamp = DELETED_VERSION if action == DELETED else saved["_info"]["lastUpdated"]
    body = orjson.dumps({"Action": action, "ID": saved["id"], "Entity": None if action == DELETED else saved})
    return Change(
        event_type=action,
        object_type=object_type,
        object_id=str(saved["id"]),
        version=stamp,
        changed_at=None if action == DELETED else _read_stamp(stamp),
        raw=body,
        content_hash=hashlib.blake2b(body, digest_size=16).digest(),
        is_settled=False,
    )


def hear(instance: Instance, *changes: Change) -> None:
    """Record what callbacks say, one after the other, as the drain of callbacks does."""
    for change in changes:
        with transaction.atomic():
            take_turn(instance_id=instance.pk)
            seen = ledger.seen(instance_id=instance.pk, object_type=change.object_type, object_ids=[change.object_id])
            decided = callback_changes.decide_all(
                [Told(callback_id=1, message_id="", changes=(change,))],
                seen={(change.object_type, object_id): versions for object_id, versions in seen.items()},
                done=(),
            )
            record(instance=instance, changes=decided.changes, source=Event.WEBHOOK, polled_at=None)
            again = [*decided.repeated, *callback_changes.identities(decided.changes)]
            ledger.told_too(instance_id=instance.pk, identities=again)


def entries(instance: Instance, source: str | None = None) -> list[tuple[int, str]]:
    """(object id, event type) of every change that was told, sorted; of one source if it is named."""
    events = Event.objects.filter(instance=instance)
    return sorted(
        (int(entry["objectId"]), entry["eventType"])
        for event in (events.filter(source=source) if source else events)
        for entry in orjson.loads(event.body)["message"]["events"]
    )


def found_by(instance: Instance, object_ids: Sequence[int] | None = None) -> dict[int, str]:
    """By which road the last change of each object was found."""
    rows = SeenChange.objects.filter(instance=instance).exclude(event_type="").order_by("id")
    return {int(row.object_id): row.found_by for row in rows if object_ids is None or int(row.object_id) in object_ids}
