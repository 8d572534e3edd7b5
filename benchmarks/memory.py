"""What each process of the platform takes: its own memory and its share of what it shares (PSS), idle and at work."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil

from benchmarks.delivery import make_instance, store, wait_until_delivered
from benchmarks.harness import process, sink, table

SETTLE_SECONDS = 15.0
EVENTS = 50_000
GOALS = {
    "web": ("≤ 130", "≤ 100"),
    "polling": ("≤ 100", "≤ 80"),
    "delivery": ("≤ 130", "≤ 100"),
    "beat": ("≤ 90", "≤ 70"),
}
_PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)


def pss(pid: int) -> float:
    """Megabytes of a process and its children."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    found = (_PSS.search(Path(f"/proc/{one.pid}/smaps_rollup").read_text()) for one in family)
    return sum(int(match[1]) for match in found if match) / 1024


@contextmanager
def platform() -> Iterator[dict[str, int]]:
    """The processes of the application as `make up` runs them, on the servers of the benchmark; pids by name."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        os.environ["PORT"] = str(probe.getsockname()[1])
    from config.stack import programs

    with ExitStack() as stack:
        yield {
            program.name: stack.enter_context(process(*program.command)).pid for program in programs() if program.is_app
        }


def run(*, seconds: float = SETTLE_SECONDS, events: int = EVENTS) -> str:
    from django.db import connection

    from events.doorbell import DELIVERIES
    from events.models import Delivery

    with sink() as port, platform() as pids:
        time.sleep(seconds)
        idle = {name: pss(pid) for name, pid in pids.items()}
        most = dict(idle)
        store(events, *make_instance(f"http://127.0.0.1:{port}/callback"))
        DELIVERIES.ring()
        begun = time.monotonic()
        while Delivery.objects.filter(state=Delivery.PENDING).exists():
            assert time.monotonic() - begun < 300, "the deliveries did not end"
            most = {name: max(most[name], pss(pid)) for name, pid in pids.items()}
            time.sleep(0.2)
        wait_until_delivered(events)
        connection.close()
    rows = [["MB", "idle", f"most while {events:,} were delivered", "idle must", "hoped for"]]
    for name in pids:
        rows.append([name, f"{idle[name]:.0f}", f"{most[name]:.0f}", *GOALS.get(name, ("", ""))])
    return table(rows)
