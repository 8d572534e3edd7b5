"""Jobs that run later, on a few threads of their own: what sends the callbacks while the sandbox goes on answering."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator

logger = logging.getLogger(__name__)

MOST_THREADS = 16
Job = Callable[[], object]


class Sender:
    """Threads start with the first job, and as many as there is work for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._idle = threading.Condition(self._lock)
        self._order = itertools.count()
        self._jobs: list[tuple[float, int, Job]] = []
        self._busy = 0
        self._is_paused = self._is_stopping = False
        self._threads: list[threading.Thread] = []
        self._sockets: set[socket.socket] = set()
        self.failures: list[Exception] = []
        """What jobs raised: mistakes of the sandbox's own."""

    @property
    def waiting(self) -> int:
        """Jobs that have not ended."""
        with self._lock:
            return len(self._jobs) + self._busy

    @property
    def is_paused(self) -> bool:
        return self._is_paused

    def submit(self, job: Job, *, delay: float = 0.0) -> None:
        """Run it after `delay` seconds. Jobs that are due start in their order and run side by side."""
        with self._lock:
            if self._is_stopping:
                return
            heapq.heappush(self._jobs, (time.monotonic() + delay, next(self._order), job))
            if len(self._threads) < min(MOST_THREADS, len(self._jobs) + self._busy):
                thread = threading.Thread(target=self._work, name="sandbox-callbacks", daemon=True)
                self._threads.append(thread)
                thread.start()
            self._changed.notify()

    def pause(self) -> None:
        """Begin no more jobs."""
        with self._lock:
            self._is_paused = True

    def resume(self) -> None:
        with self._lock:
            self._is_paused = False
            self._changed.notify_all()

    def wait_until_idle(self, timeout: float) -> None:
        """Raises TimeoutError when jobs are left after `timeout` seconds."""
        with self._lock:
            if not self._idle.wait_for(lambda: not self._jobs and not self._busy, timeout):
                raise TimeoutError(f"{len(self._jobs) + self._busy} callbacks are still on their way")

    def stop(self) -> None:
        """Forget what waits, cut what is open, and return when the threads have ended."""
        with self._lock:
            self._is_stopping = True
            self._jobs.clear()
            self._changed.notify_all()
            self._idle.notify_all()
            for wire in self._sockets:
                with contextlib.suppress(OSError):
                    wire.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(1)  # one that looks up a name cannot be cut; it is a daemon

    @contextlib.contextmanager
    def holding(self, wire: socket.socket) -> Iterator[None]:
        """`stop` cuts this socket while it is held."""
        with self._lock:
            if self._is_stopping:
                raise OSError("the sandbox stops")
            self._sockets.add(wire)
        try:
            yield
        finally:
            with self._lock:
                self._sockets.discard(wire)

    def _work(self) -> None:
        while (job := self._next()) is not None:
            try:
                job()
            except Exception as failure:
                logger.exception("a callback could not be made")
                self.failures.append(failure)
            with self._lock:
                self._busy -= 1
                if not self._jobs and not self._busy:
                    self._idle.notify_all()

    def _next(self) -> Job | None:
        with self._lock:
            while not self._is_stopping:
                wait = None
                if self._jobs and not self._is_paused:
                    wait = self._jobs[0][0] - time.monotonic()
                    if wait <= 0:
                        self._busy += 1
                        return heapq.heappop(self._jobs)[2]
                self._changed.wait(wait)
            return None
