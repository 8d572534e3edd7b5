"""Which calls of the API were made, by whom, and how they ended.

A call waits in a queue of its process and is written with many others, twice a second, by a thread with a database
connection of its own: what is recorded costs the caller an append. When the database is away calls wait, and when the
queue is full they are counted and lost; nobody's call fails for it.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import InterfaceError, OperationalError, close_old_connections, connection

from instances.models import ApiCall

logger = logging.getLogger(__name__)

PAUSE_SECONDS: Final = 0.5
MOST_WAITING: Final = 20_000
FORGOTTEN_AT_ONCE: Final = 5_000
LONGEST_PATH: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call, as it ended."""

    request_id: str
    organization_id: int
    user_id: int
    instance_id: int | None
    element_key: str
    method: str
    path: str
    """Without its query string."""
    status: int
    duration_ms: int
    called_at: datetime


class Recorder:
    """Takes calls from any thread and writes them in one of its own."""

    def __init__(self, *, most_waiting: int = MOST_WAITING, pause_seconds: float = PAUSE_SECONDS) -> None:
        self._waiting: deque[Call] = deque()
        self._most_waiting = most_waiting
        self._pause_seconds = pause_seconds
        self._dropped = 0
        self._is_ending = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_running(self) -> bool:
        return self._thread is not None

    def start(self) -> None:
        """Begin to write. In the process that takes the calls: a thread does not survive a fork."""
        self._is_ending.clear()
        self._thread = threading.Thread(target=self._run, name="usage", daemon=True)
        self._thread.start()

    def stop(self, *, seconds: float = 3.0) -> None:
        """Write what waits and end; give up after so long."""
        if self._thread is not None:
            self._is_ending.set()
            self._thread.join(seconds)
            self._thread = None

    def take(self, call: Call) -> None:
        """Have it written soon. Does nothing in a process where nobody writes."""
        if self._thread is None:
            return
        if len(self._waiting) < self._most_waiting:
            self._waiting.append(call)
        else:
            self._dropped += 1  # two threads at once may count as one: it tells how bad it is, no more

    def _run(self) -> None:
        while not self._is_ending.wait(self._pause_seconds):
            self._write_what_waits()
        self._write_what_waits()
        connection.close()

    def _write_what_waits(self) -> None:
        calls = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if calls:
            try:
                close_old_connections()
                write(calls)
            except (OperationalError, InterfaceError) as error:
                logger.info("calls not written, the database is away", extra={"error": type(error).__name__})
                self._waiting.extendleft(reversed(calls))
            except Exception:
                logger.exception("calls not written by a fault of ours", extra={"calls": len(calls)})
        if self._dropped:
            logger.warning("calls not recorded, too many were waiting", extra={"calls": self._dropped})
            self._dropped = 0


RECORDER: Final = Recorder()
"""Of this process. Whoever serves the API starts it."""


def write(calls: Iterable[Call]) -> None:
    """Store calls, all or none. Raises DatabaseError."""
    with connection.wrap_database_errors, connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        for call in calls:
            copy.write_row(_row(call))


def _row(call: Call) -> Sequence[object]:
    return (
        call.request_id,
        call.organization_id,
        call.user_id,
        call.instance_id,
        call.element_key,
        call.method[:16],
        # A path may hold anything, and PostgreSQL keeps no NUL.
        call.path.replace("\x00", "\ufffd")[:LONGEST_PATH],
        call.status,
        call.duration_ms,
        call.called_at,
    )


def forget_old(*, now: datetime, kept: timedelta, at_once: int = FORGOTTEN_AT_ONCE) -> int:
    """Delete calls of longer ago, in small transactions. Returns how many."""
    forgotten = 0
    while True:
        old = ApiCall.objects.filter(called_at__lt=now - kept).order_by("called_at").values("pk")[:at_once]
        count, _ = ApiCall.objects.filter(pk__in=old).delete()
        forgotten += count
        if count < at_once:
            break
    if forgotten:
        logger.info("old calls forgotten", extra={"rows": forgotten})
    return forgotten


_COPY = """
COPY instances_apicall (
    request_id, organization_id, user_id, instance_id, element_key, method, path, status, duration_ms, called_at
) FROM STDIN
"""
