"""When the workers of each queue were last seen at work.

Beat sends every queue something to do each few seconds, so a queue that nothing was taken from for a while is one that
nobody looks after: no worker of it runs, or beat or the broker is away. The word of the database, as everywhere.
"""

from __future__ import annotations

import logging
import platform
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import Error as DatabaseUnusable
from django.db import connection

from instances.models import Heartbeat

logger = logging.getLogger(__name__)

QUEUES = {"polling": "Polling", "delivery": "Delivery", "callbacks": "Provider callbacks"}
"""The queues of the task routes, and what people call what they do."""
EVERY_SECONDS = 10.0
SILENT_AFTER = timedelta(seconds=60)
_WORKER = platform.node()

_begun: list[bool] = []
"""Holds something in workers."""
_noted: dict[str, float] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    queue: str
    label: str
    seen_at: datetime | None
    """None: never."""

    def is_silent(self, now: datetime) -> bool:
        return self.seen_at is None or now - self.seen_at > SILENT_AFTER


def begin() -> None:
    """This process is a worker, or those that it forks are: what they note is written from here on."""
    _noted.clear()
    _begun[:] = [True]


def end() -> None:
    """No worker any more."""
    _begun.clear()


def note(queue: str) -> None:
    """A worker takes work from this queue, outside of transactions.

    Writes at most once in EVERY_SECONDS a process, so it may be called often; elsewhere never. Who works is not kept
    from it by what goes wrong here.
    """
    now = time.monotonic()
    if not _begun or queue not in QUEUES or now - _noted.get(queue, -EVERY_SECONDS) < EVERY_SECONDS:
        return
    _noted[queue] = now
    try:
        with connection.cursor() as cursor:
            cursor.execute(_NOTE, [queue, _WORKER])
    except DatabaseUnusable as error:
        logger.info("heartbeat not noted", extra={"queue": queue, "error": type(error).__name__})


def pulses() -> list[Pulse]:
    """Of every queue, in the order of QUEUES."""
    seen = dict(Heartbeat.objects.values_list("queue", "seen_at"))
    return [Pulse(queue=queue, label=label, seen_at=seen.get(queue)) for queue, label in QUEUES.items()]


# Processes of one queue write the same row: whoever finds it fresh leaves it alone, and none waits for another.
_NOTE = """
    INSERT INTO instances_heartbeat (queue, seen_at, worker) VALUES (%s, statement_timestamp(), %s)
    ON CONFLICT (queue) DO UPDATE SET seen_at = excluded.seen_at, worker = excluded.worker
    WHERE instances_heartbeat.seen_at < excluded.seen_at - interval '5 s'"""
