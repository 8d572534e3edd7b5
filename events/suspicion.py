"""Suspect windows: spans in which callbacks may have been lost, open until a poll has covered them.

Providers send a callback once, or a few times within seconds. So whatever kept us from taking or asking for callbacks
is written down on the inboxes it concerns, and their reconciling polls come at once instead of in their time.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from django.db import Error as DatabaseError
from django.db import connection, transaction

from events import signals

logger = logging.getLogger(__name__)

RETRY_SECONDS = 0.5
"""Between two tries to write down what is noted, while the database is away."""
SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.25, 8.0
"""Between two windows that one process opens while trouble goes on: each has polls begin. It doubles."""


def open_window(*, instance_ids: Collection[int], reason: str) -> list[int]:
    """Callbacks of these instances may have been lost up to now; their polls are asked for.

    Belongs into a transaction, begun after what lost them. Returns the instances that have an inbox.
    """
    return _open(_OPEN_SOME, {"instance_ids": sorted(instance_ids), "reason": reason}) if instance_ids else []


def open_for_all(*, reason: str) -> list[int]:
    """The same for every instance whose inbox is open."""
    return _open(_OPEN_ALL, {"reason": reason})


def close(*, instance_id: int, covered_since: datetime) -> None:
    """Polls that began at `covered_since` (the database's clock) have read all that this instance's callbacks tell.

    A window that was opened later stays. Takes the inbox's lock, so call it where no cursor is locked: opening locks
    the inbox first and the cursors after it.
    """
    with connection.cursor() as cursor:
        cursor.execute(_CLOSE, {"instance_id": instance_id, "covered_since": covered_since})


def note_trouble(*, reason: str, instance_ids: Collection[int] | None = None) -> None:
    """Have windows opened for these instances, or for all, as soon as the database takes it. Never raises.

    Does not wait for the database: a thread of this process tries until it succeeds, then ends.
    """
    _notes.add(reason, instance_ids)


def flush() -> None:
    """Open the windows that were noted in this process. Raises database errors; what is noted is kept then."""
    noted = _notes.take()
    try:
        with transaction.atomic():
            opened = _open_noted(noted)
    except BaseException:
        _notes.put_back(noted)
        raise
    if opened:
        logger.info("suspect windows opened", extra={"instances": opened, "reasons": sorted(set(noted.values()))})


def _open_noted(noted: Mapping[int | None, str]) -> int:
    if None in noted:
        return len(open_for_all(reason=noted[None]))
    by_reason: dict[str, list[int]] = {}
    for instance_id, reason in noted.items():
        assert instance_id is not None
        by_reason.setdefault(reason, []).append(instance_id)
    return sum(len(open_window(instance_ids=ids, reason=reason)) for reason, ids in by_reason.items())


def _open(statement: str, values: dict[str, Any]) -> list[int]:
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("a window is opened in the transaction that asks for its polls")
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        opened = sorted(instance_id for (instance_id,) in cursor.fetchall())
    if opened:
        signals.polls_wanted.send(sender=open_window, instance_ids=opened)
    return opened


class _Notes:
    """What this process has still to write down, by instance (None: all of them), and the thread that does it."""

    def __init__(self) -> None:
        self._reasons: dict[int | None, str] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, reason: str, instance_ids: Collection[int] | None) -> None:
        scope: Collection[int | None] = [None] if instance_ids is None else instance_ids
        with self._lock:
            for instance_id in scope:
                self._reasons.setdefault(instance_id, reason)
            if self._reasons and (self._thread is None or not self._thread.is_alive()):
                self._thread = threading.Thread(target=self._run, name="suspect windows", daemon=True)
                self._thread.start()

    def take(self) -> dict[int | None, str]:
        with self._lock:
            noted, self._reasons = self._reasons, {}
        return noted

    def put_back(self, noted: dict[int | None, str]) -> None:
        with self._lock:
            self._reasons = noted | self._reasons

    def _run(self) -> None:
        pause = SHORTEST_PAUSE_SECONDS
        while True:
            self._write_down()
            # What goes on is noted again meanwhile: it moves the windows, so that polls cover all of it.
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            with self._lock:
                if not self._reasons:
                    self._thread = None
                    return

    def _write_down(self) -> None:
        has_failed = False
        while True:
            try:
                flush()
            except DatabaseError as error:
                if not has_failed:
                    logger.info("suspect windows wait for the database", extra={"error": type(error).__name__})
                has_failed = True
            else:
                return
            finally:
                # Kept open it would be in the way of nobody, and of use to nobody.
                connection.close()
            time.sleep(RETRY_SECONDS)


_notes = _Notes()

# The moment of the statement, not of the transaction: what lost the callbacks came before it. Locked in order, since
# several processes do this at once.
_OPEN = """
UPDATE events_inbox SET suspect_at = clock_timestamp(), suspect_reason = %(reason)s
WHERE id IN (SELECT id FROM events_inbox WHERE {wanted} ORDER BY id FOR NO KEY UPDATE)
RETURNING instance_id
"""
_OPEN_SOME = _OPEN.format(wanted="instance_id = ANY(%(instance_ids)s)")
_OPEN_ALL = _OPEN.format(wanted="is_open AND instance_id IS NOT NULL")
_CLOSE = """
UPDATE events_inbox SET suspect_at = NULL, suspect_reason = ''
WHERE instance_id = %(instance_id)s AND suspect_at <= %(covered_since)s
"""
