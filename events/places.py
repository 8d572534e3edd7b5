"""Places for reading bodies: senders who are slow, or pretend to be, hold few of the web server's threads.

A thread that reads waits for the sender, and nothing tells it to stop waiting. So callbacks are read in a few places
only, and the other threads stay free for everything else.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

PLACES = 4
"""Bodies that one process reads at once."""
PLACES_FOR_STRANGERS = 2
"""Of these, for senders who have not proved anything: they never keep those who know a token from theirs."""
STRANGERS_WAITING = 2
"""So many of them may wait for a place: waiting holds a thread too."""


class NoPlace(Exception):
    """All are taken, and none became free in time."""


class Places:
    """How many are being read at this moment. For any number of threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._taken = 0
        self._taken_by_strangers = 0
        self._strangers_waiting = 0

    @contextlib.contextmanager
    def for_stranger(self, *, seconds: float) -> Iterator[None]:
        """A place, for the time of the block, within `seconds`. Raises NoPlace, at once where too many wait."""
        with self._changed:
            if not self._is_free_for_stranger():
                if not seconds or self._strangers_waiting >= STRANGERS_WAITING:
                    raise NoPlace
                self._strangers_waiting += 1
                try:
                    if not self._changed.wait_for(self._is_free_for_stranger, seconds):
                        raise NoPlace
                finally:
                    self._strangers_waiting -= 1
            self._taken += 1
            self._taken_by_strangers += 1
        try:
            yield
        finally:
            with self._changed:
                self._taken -= 1
                self._taken_by_strangers -= 1
                self._changed.notify_all()

    @contextlib.contextmanager
    def for_known(self, *, seconds: float) -> Iterator[None]:
        """The same for a sender who knows a token."""
        with self._changed:
            if not self._changed.wait_for(self._is_free, seconds):
                raise NoPlace
            self._taken += 1
        try:
            yield
        finally:
            with self._changed:
                self._taken -= 1
                self._changed.notify_all()

    def _is_free(self) -> bool:
        return self._taken < PLACES

    def _is_free_for_stranger(self) -> bool:
        return self._is_free() and self._taken_by_strangers < PLACES_FOR_STRANGERS
