"""Names to addresses, off the caller's thread: a slow name server delays nobody but who asked."""

from __future__ import annotations

import ipaddress
import os
import queue
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from connectors.egress.addresses import Address
from connectors.errors import TryLater

Lookup = Callable[[str], Sequence[str]]
"""Takes a name, returns its addresses in the order to try them. Raises OSError."""

Answers = tuple[Address, ...]

THREADS = 16
REMEMBERED_SECONDS = 30.0
FAILURE_REMEMBERED_SECONDS = 3.0
MOST_REMEMBERED = 10_000


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

    def start(self, name: str) -> Future[Answers]:
        """The addresses of `name`, now or soon. The future raises TryLater where there are none."""
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
        """Wait for the addresses, `timeout` seconds at most. Raises TryLater."""
        future = self.start(name)
        try:
            return future.result(timeout=timeout)
        except TimeoutError:
            raise TryLater(f"The address of {name} could not be found in time") from None
        except TryLater as failure:
            # The future keeps its exception for others: each of them raises one of its own.
            raise TryLater(str(failure)) from None

    def _work(self) -> None:
        while True:
            name, future = self._waiting.get()
            remembered_seconds = self._remembered_seconds
            try:
                found = tuple(ipaddress.ip_address(text) for text in self._lookup(name))
            except (OSError, ValueError) as error:
                failure = getattr(error, "strerror", None) or "the answer was not an address"
            else:
                failure = "" if found else "it has none"
            if failure:
                remembered_seconds = min(remembered_seconds, FAILURE_REMEMBERED_SECONDS)
            self._known[name] = (future, time.monotonic() + remembered_seconds)
            if failure:
                future.set_exception(TryLater(f"The address of {name} could not be found: {failure}"))
            else:
                future.set_result(found)


default = Resolver()
