"""What a notification tells of, read from its first bytes: the records behind them may be large."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection

from events.console.readable import encodable

LOOKED_AT = 8192
"""Bytes. The changes come before the records."""
# Inside a JSON string its quotes would be escaped, so nobody's name for something can look like it.
_BEGINNING = '"events":['


@dataclass(frozen=True, slots=True)
class Told:
    """One change."""

    event_type: str
    object_type: str
    object_id: str
    date: str = ""


def of_events(event_ids: Sequence[int]) -> dict[int, list[Told]]:
    """For those that say so at their beginning; not for what somebody posted."""
    if not event_ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_HEADS, [LOOKED_AT, list(event_ids)])
        return {event_id: changes(bytes(head)) for event_id, head in cursor.fetchall()}


def changes(head: bytes) -> list[Told]:
    """As far as these bytes tell them whole."""
    text = head.decode(errors="ignore")
    at = text.find(_BEGINNING)
    if at < 0:
        return []
    at += len(_BEGINNING)
    told = []
    decoder = json.JSONDecoder()
    while text[at : at + 1] == "{":
        try:
            entry, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):  # the bytes end here, or nobody meant them to be read
            break
        told.append(
            Told(*(encodable(str(entry.get(name, ""))) for name in ("eventType", "objectType", "objectId", "date"))),
        )
        if text[at : at + 1] == ",":
            at += 1
    return told


def in_words(told: Sequence[Told], *, count: int) -> str:
    """`contacts 7 updated, and 2 more`."""
    if not told:
        return f"{count} change{'' if count == 1 else 's'}"
    first = told[0]
    said = f"{first.object_type} {first.object_id} {first.event_type.lower()}"
    return said if count <= 1 else f"{said}, and {count - 1} more"


_HEADS = "SELECT id, substring(body FROM 1 FOR %s) FROM events_event WHERE id = ANY(%s) AND source <> 'posted'"
