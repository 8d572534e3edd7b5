"""A receiver that notes when each event came, by the clock that all processes of this machine share.

`python -m benchmarks.stamps [HANG_SECONDS]` prints its URL. Below `/hang` it answers after so long, elsewhere at once.
`GET /` tells the moments by event id, and forgets them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import orjson
import requests

from benchmarks.harness import percentile, process
from connectors.sandbox.server import Answer, LocalServer, Request

HANG_SECONDS = 25.0


class Stamps:
    """The other process, as a benchmark sees it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def taken(self) -> dict[int, float]:
        """`time.monotonic()` of the first arrival of each event since the last call."""
        return {int(event): moment for event, moment in requests.get(self.url, timeout=30).json().items()}

    def latencies(self, committed: dict[int, float], *, seconds: float = 60) -> list[float]:
        """Milliseconds from each commit to its receipt; waits until all have come. Raises TimeoutError."""
        arrived: dict[int, float] = {}
        deadline = time.monotonic() + seconds
        while not committed.keys() <= arrived.keys():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(committed.keys() - arrived.keys())} of {len(committed)} events did not come")
            arrived = self.taken() | arrived
            time.sleep(0.1)
        return [(arrived[event] - moment) * 1000 for event, moment in committed.items()]


@contextmanager
def stamping() -> Iterator[Stamps]:
    command = (sys.executable, "-m", "benchmarks.stamps", str(HANG_SECONDS))
    with process(*command, output=subprocess.PIPE) as child:
        assert child.stdout is not None
        yield Stamps(child.stdout.readline().strip())


def percentiles(latencies: list[float]) -> list[str]:
    """p50, p95 and p99 for a table."""
    return [f"{percentile(latencies, share):.1f}" for share in (0.5, 0.95, 0.99)]


def serve(hang_seconds: float) -> None:
    arrived: dict[str, float] = {}
    lock = threading.Lock()

    def answer(request: Request) -> Answer:
        now = time.monotonic()
        if request.method == "GET":
            with lock:
                told = orjson.dumps(arrived)
                arrived.clear()
            return Answer(status=200, body=told)
        with lock:
            arrived.setdefault(str(orjson.loads(request.body)["id"]), now)
        return Answer(status=204, delay=hang_seconds if request.path.startswith("/hang") else 0.0)

    server = LocalServer(answer)
    server.start()
    print(server.url, flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    os._exit(0)  # without waiting for those that hang


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    serve(float(sys.argv[1]))
