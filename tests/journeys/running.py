"""The whole stack as `make up` runs it, for journeys that kill its processes."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xmlrpc.client import ServerProxy

import psycopg
import redis
import requests
from supervisor.xmlrpc import SupervisorTransport

from config import embedded

ROOT = Path(__file__).resolve().parent.parent.parent
# Short leases, so that a takeover does not take a minute. Longer than any exchange in these journeys.
QUICK = {
    "EGRESS_ALLOW_NETWORKS": "127.0.0.0/8",
    "POLL_INTERVAL_FLOOR": "0.2",
    "POLL_SWEEP_SECONDS": "0.5",
    "SWEEP_SECONDS": "1",
    "POLL_LEASE_SECONDS": "3",
    "DELIVERY_ATTEMPT_SECONDS": "2",
    "DELIVERY_LEASE_SECONDS": "6",
    "LOG_LEVEL": "INFO",
    "DJANGO_SETTINGS_MODULE": "tests.journeys.impatient_settings",
}
PROCESSES = {"postgres", "valkey", "web", "polling", "delivery", "beat"}


def eventually(question: Callable[[], Any], *, seconds: float = 60, every: float = 0.05) -> Any:
    """The first true answer. Fails when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        if answer := question():
            return answer
        assert time.monotonic() < deadline, f"not so after {seconds} s: {question}"
        time.sleep(every)


class Stack:
    """`python -m config.stack` in a directory of its own; supervisor starts again what is killed."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="switchyard-journey-"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/elements/api-v2"
        self.environment = {**os.environ, **QUICK, "VAR_DIR": str(self.home), "PORT": str(self.port)}
        for name in ("DATABASE_URL", "REDIS_URL"):
            self.environment.pop(name, None)
        self.supervisor: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        self.supervisor = subprocess.Popen(
            [sys.executable, "-m", "config.stack"], env=self.environment, cwd=ROOT, stdout=subprocess.DEVNULL
        )
        eventually(lambda: self.running() == PROCESSES and self.answers(), seconds=90)

    def processes(self) -> dict[str, dict[str, Any]]:
        """What supervisor says of each process, by name."""
        return {one["name"]: one for one in self._supervisor().getAllProcessInfo()}

    def _supervisor(self) -> Any:
        transport = SupervisorTransport(serverurl=f"unix://{self.home}/run-supervisor.sock")
        return ServerProxy("http://supervisor", transport=transport).supervisor

    def running(self) -> set[str]:
        with contextlib.suppress(OSError):
            return {name for name, one in self.processes().items() if one["statename"] == "RUNNING"} - {"boot"}
        return set()

    def answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/elements", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def pid(self, name: str) -> int:
        """Of the process, as soon as it runs."""
        return int(eventually(lambda: self.processes()[name]["pid"]))

    @contextlib.contextmanager
    def database(self) -> Iterator[psycopg.Connection[Any]]:
        """Not through the platform."""
        with psycopg.connect(
            host=str(self.home / "run"), user="postgres", dbname=embedded.DATABASE, autocommit=True
        ) as connected:
            yield connected

    def flush_broker(self) -> None:
        """Every message and every key, gone."""
        redis.Redis(unix_socket_path=str(embedded.Valkey(self.home / "run").socket)).flushall()

    def kill(self, name: str) -> None:
        """kill -9, as soon as there is a process. Supervisor will start it again."""

        def is_killed() -> bool:
            try:
                pid = self.processes()[name]["pid"]
                if pid:
                    os.kill(pid, signal.SIGKILL)
                return bool(pid)
            except ProcessLookupError:
                return False  # killed before, and not started again yet

        eventually(is_killed)

    @contextlib.contextmanager
    def without(self, name: str) -> Iterator[None]:
        """Stopped, and not started again before the block ends."""
        self._supervisor().stopProcess(name)
        try:
            yield
        finally:
            self._supervisor().startProcess(name)

    def manage(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments], env=self.environment, cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def account(self, organization: str) -> dict[str, str]:
        """A new account's headers."""
        login = f"{organization}@example.com"
        printed = self.manage(
            *("create_account", "--organization", organization, "--login", login, "--password", "p4ss-word-x")
        )
        secrets = json.loads(printed)
        return {"Authorization": f"User {secrets['userSecret']}, Organization {secrets['organizationSecret']}"}

    def end(self) -> None:
        if self.supervisor is not None:
            self.supervisor.terminate()
            self.supervisor.wait(60)
        shutil.rmtree(self.home, ignore_errors=True)
