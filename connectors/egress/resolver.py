"""Names to addresses, off the caller's thread: a slow name server delays nobody but who asked."""

from __future__ import annotations

import ipaddress
import math
import os
import queue
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from connectors.egress.addresses import Address
from connectors.egress.faults import is_own
from connectors.errors import OwnFault, TryLater

Lookup = Callable[[str], Sequence[str]]
"""Takes a name, returns its addresses in the order to try them. Raises OSError."""

Answers = tuple[Address, ...]

THREADS = 16
REMEMBERED_SECONDS = 30.0
FAILURE_REMEMBERED_SECONDS = 3.0
MOST_REMEMBERED = 10_000
WORKING_SECONDS = 10.0
"""So long after a name was found, one that cannot be is the fault of whoever answers for it, not of our name server."""


def system_lookup(name: str) -> list[str]:
    """What the operating system says. May take as long as it likes: it cannot be interrupted."""
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Resolver:
    """Looks names up once, on threads of its own, and remembers the answers for a short while.

    One lookup per name runs at a time, whoever asks. Usable from any thread and again after a fork.
    """

    def __init__(self, lookup: Lookup = system_lookup, *, remembered_seconds: float = REMEMBERED_SECONDS) -> None:
        self._lookup = lookup
        self._remembered_seconds = remembered_seconds
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._waiting: queue.SimpleQueue[tuple[str, Future[Answers]]] = queue.SimpleQueue()
        self._threads = 0
        self._known: dict[str, tuple[Future[Answers], float]] = {}
        self._answered_at = -math.inf
        """When our name server last knew about a name, be it that there is none."""

    def start(self, name: str) -> Future[Answers]:
        """The addresses of `name`, now or soon. The future raises TryLater where there are none.

        Of that, OwnFault where it is our name server's doing.
        """
        if self._process != os.getpid():
            self._begin()
        now = time.monotonic()
        known = self._known.get(name)
        if known is not None and now < known[1]:
            return known[0]
        with self._lock:
            known = self._known.get(name)
            if known is not None and now < known[1]:
                return known[0]
            if len(self._known) >= MOST_REMEMBERED:
                self._known = {name: entry for name, entry in self._known.items() if now < entry[1]}
            future: Future[Answers] = Future()
            self._known[name] = (future, float("inf"))
            self._waiting.put((name, future))
            if self._threads < THREADS:
                self._threads += 1
                threading.Thread(target=self._work, name="egress-resolver", daemon=True).start()
        return future

    def resolve(self, name: str, *, timeout: float) -> Answers:
        """Wait for the addresses, `timeout` seconds at most. Raises TryLater, OwnFault."""
        future = self.start(name)
        try:
            return future.result(timeout=timeout)
        except TimeoutError:
            raise self.too_late(name) from None
        except TryLater as failure:
            # The future keeps its exception for others: each of them raises one of its own.
            raise type(failure)(str(failure)) from None

    def too_late(self, name: str) -> TryLater:
        """What to say of a name for which nobody can wait any longer."""
        return self._failure(f"The address of {name} could not be found in time")

    def _failure(self, message: str) -> TryLater:
        """Where no answer came: theirs as long as others are answered, else ours."""
        is_working = time.monotonic() - self._answered_at < WORKING_SECONDS
        return TryLater(message) if is_working else OwnFault(message)

    def _work(self) -> None:
        while True:
            name, future = self._waiting.get()
            found = self._ask(name)
            if isinstance(found, TryLater):
                remembered_seconds = min(self._remembered_seconds, FAILURE_REMEMBERED_SECONDS)
                self._known[name] = (future, time.monotonic() + remembered_seconds)
                future.set_exception(found)
            else:
                self._known[name] = (future, time.monotonic() + self._remembered_seconds)
                future.set_result(found)

    def _ask(self, name: str) -> Answers | TryLater:
        try:
            found = tuple(ipaddress.ip_address(text) for text in self._lookup(name))
        except ValueError:
            found, reason = (), "the answer was not an address"
        except OSError as error:
            found, reason = (), error.strerror or "there was no answer"
            message = f"The address of {name} could not be found: {reason}"
            if is_own(error):
                return OwnFault(message)
            if error.errno == socket.EAI_AGAIN:
                return self._failure(message)
        else:
            reason = "it has none"
        self._answered_at = time.monotonic()
        return found or TryLater(f"The address of {name} could not be found: {reason}")


default = Resolver()
