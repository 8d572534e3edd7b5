"""The real processes, for journeys that kill them: the commands of `config.stack`, over servers of their own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from config import embedded

ROOT = Path(__file__).resolve().parent.parent.parent
# Short leases, so that a takeover does not take a minute. Longer than any exchange in these journeys.
QUICK = {
    "EGRESS_ALLOW_NETWORKS": "127.0.0.0/8",
    "POLL_INTERVAL_FLOOR": "0.2",
    "POLL_SWEEP_SECONDS": "0.2",
    "SWEEP_SECONDS": "0.2",
    "POLL_LEASE_SECONDS": "3",
    "DELIVERY_ATTEMPT_SECONDS": "2",
    "DELIVERY_LEASE_SECONDS": "6",
    "LOG_LEVEL": "INFO",
}


def eventually(question: Callable[[], Any], *, seconds: float = 60, every: float = 0.05) -> Any:
    """The first true answer. Fails when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        if answer := question():
            return answer
        assert time.monotonic() < deadline, f"not so after {seconds} s: {question}"
        time.sleep(every)


class Stack:
    """Web, polling, delivery and beat as processes; PostgreSQL and Valkey under them."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="switchyard-journey-"))
        self.home.chmod(0o711)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/elements/api-v2"
        self.environment = {**os.environ, **QUICK, "VAR_DIR": str(self.home), "PORT": str(self.port)}
        for name in ("DATABASE_URL", "REDIS_URL"):
            self.environment.pop(name, None)
        self.postgres = embedded.Postgres(self.home / "postgres", self.home / "run", embedded.THROWAWAY)
        self.valkey = embedded.Valkey(self.home / "run")
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.commands: dict[str, list[str]] = {}

    def begin(self) -> None:
        self.processes["postgres"] = self.postgres.start()
        self.processes["valkey"] = self.valkey.start()
        self.run("migrate", "--verbosity", "0")
        listing = (
            "import json; from config import stack; print(json.dumps([(p.name, p.command) for p in stack.programs()]))"
        )
        listed = subprocess.run(
            [sys.executable, "-c", listing], env=self.environment, cwd=ROOT, capture_output=True, check=True
        )
        self.commands = dict(json.loads(listed.stdout))
        for name in ("web", "polling", "delivery", "beat"):
            self.start(name)
        eventually(self.answers)

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments], env=self.environment, cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/elements", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def start(self, name: str) -> None:
        if name == "valkey":
            self.processes[name] = self.valkey.start()
            return
        log = (self.home / f"{name}.log").open("ab")
        self.processes[name] = subprocess.Popen(
            self.commands[name], env=self.environment, cwd=ROOT, stdout=log, stderr=log
        )

    def kill(self, name: str) -> None:
        """kill -9, and the pool processes go with it."""
        child = self.processes.pop(name)
        child.send_signal(signal.SIGKILL)
        child.wait(20)

    def log(self, name: str) -> str:
        return (self.home / f"{name}.log").read_text()

    def account(self, organization: str) -> dict[str, str]:
        """A new account's headers."""
        login = f"{organization}@example.com"
        printed = self.run(
            "create_account", "--organization", organization, "--login", login, "--password", "p4ss-word-x"
        )
        secrets = json.loads(printed)
        return {"Authorization": f"User {secrets['userSecret']}, Organization {secrets['organizationSecret']}"}

    def end(self) -> None:
        for name in [n for n in self.processes if n not in ("postgres", "valkey")]:
            self.processes[name].terminate()
        for name in [n for n in self.processes if n not in ("postgres", "valkey")]:
            try:
                self.processes[name].wait(20)
            except subprocess.TimeoutExpired:
                self.processes[name].kill()
                self.processes[name].wait()
        for name in ("valkey", "postgres"):
            if name in self.processes:
                self.processes[name].send_signal(signal.SIGINT)
                self.processes[name].wait(20)
        shutil.rmtree(self.home, ignore_errors=True)
