"""When the workers of each queue were last seen at work.

Beat sends every queue something to do each few seconds, so a queue that nothing was taken from for a while is one that
nobody looks after: no worker of it runs, or beat or the broker is away. The word of the database, as everywhere.
"""

from __future__ import annotations

import platform
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from instances.models import Heartbeat

QUEUES = {"polling": "Polling", "delivery": "Delivery", "callbacks": "Provider callbacks"}
"""The queues of the task routes, and what people call what they do."""
EVERY_SECONDS = 10.0
SILENT_AFTER = timedelta(seconds=60)
_WORKER = platform.node()

_noted: dict[str, float] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    queue: str
    label: str
    seen_at: datetime | None
    """None: never."""

    def is_silent(self, now: datetime) -> bool:
        return self.seen_at is None or now - self.seen_at > SILENT_AFTER


def note(queue: str) -> None:
    """Somebody works on this queue. Writes at most once in EVERY_SECONDS a process, so it may be called often."""
    now = time.monotonic()
    if now - _noted.get(queue, -EVERY_SECONDS) < EVERY_SECONDS:
        return
    with connection.cursor() as cursor:
        cursor.execute(_NOTE, [queue, _WORKER])
    _noted[queue] = now


def pulses() -> list[Pulse]:
    """Of every queue, in the order of QUEUES."""
    seen = dict(Heartbeat.objects.values_list("queue", "seen_at"))
    return [Pulse(queue=queue, label=label, seen_at=seen.get(queue)) for queue, label in QUEUES.items()]


# Processes of one queue write the same row: whoever finds it fresh leaves it alone, and none waits for another.
_NOTE = """
    INSERT INTO instances_heartbeat (queue, seen_at, worker) VALUES (%s, statement_timestamp(), %s)
    ON CONFLICT (queue) DO UPDATE SET seen_at = excluded.seen_at, worker = excluded.worker
    WHERE instances_heartbeat.seen_at < excluded.seen_at - interval '5 s'"""
