"""The database work of a drain, in a thread of its own: it goes on while the drain's own thread drives requests.

The clerk works on the drain's connection, which nobody else touches meanwhile. It claims ahead of what is sent, and
writes outcomes in batches. When it is closed, or the database went away, what it has not done is the drain's to do.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Self

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from psycopg import Cursor

from events import circuits, claims, lanes, outcomes
from events.claims import Ask, Claim
from events.lanes import Lane
from events.outcomes import Ended
from events.plain_cursor import follow_indexes, plain_cursor
from events.retries import NOTHING
from events.windows import Windows
from instances import heartbeats

LOOK_SECONDS = 0.02
"""Between two looks for lanes with something due: one receiver that hangs must not delay what comes up meanwhile."""
TIMES_A_LOOK = 5
"""... but a look that takes long is not made all the time."""
PERMIT_SECONDS = 0.1
"""Between two times that circuits are asked what may go to receivers that failed."""
FLUSH_SECONDS = 0.05
FLUSH_ROWS = 250


class Clerk:
    """Claims, releases and writes for one drain. `wake` is called when the drain should look at what was found."""

    def __init__(self, windows: Windows, *, wake: Callable[[], None], waits_for_recovery: bool = False) -> None:
        self.lock = threading.RLock()
        """To be held while `windows` is looked at or changed."""
        self.ended: list[Ended] = []
        """Outcomes that are not written yet."""
        self.given_back: list[tuple[Sequence[Claim], timedelta]] = []
        """Claims that are not released yet, and when they are due again."""
        self.found: list[Claim] = []
        """Claims that the drain has not taken over yet."""
        self.parked = 0
        self._windows = windows
        self._wake = wake
        self._waits_for_recovery, self._is_recovering = waits_for_recovery, False
        self._news = threading.Condition(self.lock)
        self._is_claiming, self._is_closing, self._is_hurried = True, False, False
        self._failure: BaseException | None = None
        self._lanes: Sequence[Lane] = ()
        self._position = lanes.BEGINNING
        self._has_looked = False
        self._next_look_at = self._next_permit_at = self._written_at = 0.0
        self._connection = connections[DEFAULT_DB_ALIAS]
        self._thread = threading.Thread(target=self._run, name="clerk", daemon=True)

    def __enter__(self) -> Self:
        self._connection.inc_thread_sharing()
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        with self._news:
            self._is_closing = True
            self._news.notify_all()
        self._thread.join()
        self._connection.dec_thread_sharing()

    def take_over(self) -> list[Claim]:
        """What was claimed since. Raises what the clerk could not go on for."""
        if self._failure is not None:
            raise self._failure
        with self.lock:
            found, self.found = self.found, []
        return found

    def write(self, ended: Sequence[Ended], *, is_last: bool) -> None:
        """Store these soon, and at once where nothing else is under way."""
        with self._news:
            self.ended += ended
            self._is_hurried = is_last
            if is_last or len(self.ended) >= FLUSH_ROWS or self._may_claim():
                self._news.notify_all()

    def release(self, claims: Sequence[Claim], *, wait: timedelta = NOTHING) -> None:
        """Give these back: nothing was sent for them."""
        with self._news:
            self.given_back.append((claims, wait))
            self._news.notify_all()

    def stop_claiming(self) -> None:
        with self.lock:
            self._is_claiming = False

    def wait(self, seconds: float) -> None:
        """Until something was found or nothing is left to do, or the time is up."""
        with self._news:
            if not (self.found or self._failure or self.is_idle):
                self._news.wait(seconds)

    @property
    def is_idle(self) -> bool:
        """Nothing is due as far as anybody looked, and nothing is left to be taken over, written or released."""
        with self.lock:  # what was given back is to be looked for, or it is still here: never neither
            is_dry = (self._has_looked and not self._lanes and not self._is_recovering) or not self._is_claiming
            return is_dry and not (self.found or self.ended or self.given_back)

    def _run(self) -> None:
        connections[DEFAULT_DB_ALIAS] = self._connection
        try:
            while self._is_needed():
                self._write_outcomes()
                self._release()
                self._claim()
                # A drain under steady load takes no other task for hours.
                heartbeats.note("delivery")
        except BaseException as failure:  # for the drain's thread, which raises it
            self._failure = failure
        finally:
            del connections[DEFAULT_DB_ALIAS]
            self._tell()

    def _is_needed(self) -> bool:
        """Wait until there is something to do; False when there will be nothing more."""
        with self._news:
            while not self._is_closing:
                now = time.monotonic()
                due_at = self._due_at(now)
                if due_at <= now:
                    return True
                self._news.wait(due_at - now)
        return False

    def _due_at(self, now: float) -> float:
        if self.given_back or len(self.ended) >= FLUSH_ROWS or (self.ended and self._is_hurried):
            return now
        due_at = self._written_at + FLUSH_SECONDS if self.ended else now + LOOK_SECONDS
        if self._may_claim() and self._windows.asks(self._lanes, now=now):
            return now
        return min(due_at, self._next_look_at) if self._is_claiming else due_at

    def _may_claim(self) -> bool:
        """Whether lanes have more, and so much of what was claimed has been sent that it is worth a claim."""
        return bool(self._lanes) and self._is_claiming and self._windows.ahead <= self._windows.places

    def _write_outcomes(self) -> None:
        now = time.monotonic()
        batch = self.ended[:]
        if not batch or not (self._is_hurried or len(batch) >= FLUSH_ROWS or now >= self._written_at + FLUSH_SECONDS):
            return
        outcomes.store(batch)
        with self._news:
            del self.ended[: len(batch)]
        self._written_at = now
        self._tell()

    def _release(self) -> None:
        while self.given_back:
            given, wait = self.given_back[0]
            claims.release(given, wait=wait)
            with self.lock:
                self.given_back.pop(0)
                self._has_looked = False  # they may be due again

    def _claim(self) -> None:
        now = time.monotonic()
        is_look_due = now >= self._next_look_at
        if not self._is_claiming or not (is_look_due or self._may_claim()):
            return
        with self.lock:
            # Until it is known what this finds, or else the drain might end without it.
            has_looked, self._has_looked = self._has_looked, False
        with transaction.atomic(), plain_cursor() as cursor:
            follow_indexes(cursor, is_planned_once=True)
            found = self._permitted(cursor, now)
            if is_look_due:
                has_looked = self._look(cursor)
            with self.lock:
                asks = self._windows.asks(self._lanes, now=now)
            taken = claims.take(cursor, asks)
        with self.lock:
            self._lanes = _unfinished(self._lanes, asks=asks, taken=taken)
            self.found += (wanted := [claim for claim in (*found, *taken) if claim.is_wanted])
            self._windows.took(wanted)
        # Only now: whatever goes wrong with these, the others are the drain's to send or to give back.
        if unwanted := [claim for claim in (*found, *taken) if not claim.is_wanted]:
            claims.park(unwanted)
            self.parked += len(unwanted)
        with self.lock:
            self._has_looked = has_looked
        self._tell()

    def _permitted(self, cursor: Cursor[Any], now: float) -> list[Claim]:
        if now < self._next_permit_at:
            return []
        found = claims.take_permitted(cursor, circuits.permits(cursor, most=self._windows.places))
        self._is_recovering = self._waits_for_recovery and circuits.is_any_recovering(cursor)
        ended = time.monotonic()
        self._next_permit_at = ended + max(PERMIT_SECONDS, TIMES_A_LOOK * (ended - now))
        return found

    def _look(self, cursor: Cursor[Any]) -> bool:
        """Find lanes with something due. Returns whether all have been looked at."""
        began = time.monotonic()
        found, position = lanes.look(cursor, after=self._position)
        with self.lock:
            self._lanes = found if self._position == lanes.BEGINNING else [*self._lanes, *found]
            self._position = position
        ended = time.monotonic()
        self._next_look_at = ended + max(LOOK_SECONDS, TIMES_A_LOOK * (ended - began))
        return position == lanes.BEGINNING

    def _tell(self) -> None:
        with self._news:
            self._news.notify_all()
        self._wake()


def _unfinished(lanes: Sequence[Lane], *, asks: Sequence[Ask], taken: Sequence[Claim]) -> list[Lane]:
    """Those that gave all that was asked of them, which may be nothing: they may have more."""
    asked = {(ask.lane, ask.subscription_id): ask.most for ask in asks}
    got = Counter((claim.lane, claim.subscription_id) for claim in taken)
    return [lane for lane in lanes if got[key := (lane.number, lane.subscription_id)] >= asked.get(key, 0)]
