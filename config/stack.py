"""The processes of one machine, under supervisor: `python -m config.stack` (`make up`).

It stays in the foreground, restarts what dies (embedded servers included) and ends everything on SIGTERM or Ctrl-C.
Two of them with different `PORT` and `VAR_DIR` live side by side.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from config import environment
from config.environment import BASE_DIR, MisconfiguredEnvironment

CONFIGURATION = """\
[supervisord]
nodaemon=true
silent=true
logfile={logs}/supervisor.log
logfile_maxbytes=5MB
logfile_backups=1
pidfile={run}/supervisor.pid
directory={base}
loglevel=info

[unix_http_server]
file={socket}
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{socket}
"""
PROGRAM = """
[program:{name}]
command={command}
autostart={autostart}
autorestart={autorestart}
startsecs={start_seconds}
startretries=1000000
stopsignal={stop_signal}
stopwaitsecs=20
stopasgroup=false
killasgroup=true
priority={priority}
stdout_logfile={logs}/{name}.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=2
redirect_stderr=true
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One process to keep alive."""

    name: str
    command: Sequence[str]
    is_app: bool = True
    """Started by `boot` when the servers answer and the tables are there."""
    stop_signal: str = "TERM"

    @property
    def priority(self) -> int:
        """Supervisor starts low numbers first and stops high numbers first: the servers go last."""
        return 500 if self.is_app else 100


def python(*arguments: str) -> list[str]:
    """A Python program that ends when supervisor does, even by kill -9."""
    return [sys.executable, "-m", "config.processes", sys.executable, *arguments]


def celery_worker(name: str, *options: str, queues: str) -> list[str]:
    return python(
        *("-m", "celery", "-A", "config.celery", "worker", "-Q", queues, "-n", f"{name}@%h"),
        *("--without-gossip", "--without-mingle", "--loglevel", "WARNING", *options),
    )


def programs() -> list[Program]:
    """What runs on this machine: the embedded servers where they are wanted, then the application."""
    embedded = []
    if environment.is_embedding_postgres():
        command = [sys.executable, "-m", "config.embedded", "postgres"]
        embedded.append(Program(name="postgres", command=command, is_app=False, stop_signal="INT"))
    if environment.is_embedding_valkey():
        command = [sys.executable, "-m", "config.embedded", "valkey"]
        embedded.append(Program(name="valkey", command=command, is_app=False))
    web = python(
        *("-m", "granian", "config.wsgi:application", "--interface", "wsgi", "--no-ws"),
        *("--host", environment.env.str("HOST", "127.0.0.1"), "--port", str(environment.port())),
        *("--workers", environment.env.str("WEB_WORKERS", "1")),
        *("--blocking-threads", environment.env.str("WEB_THREADS", "8")),
        *("--backpressure", "64", "--respawn-failed-workers", "--log-level", "warning"),
    )
    return [
        *embedded,
        Program(name="web", command=web),
        Program(
            name="polling",
            command=celery_worker(
                *("polling", "--pool", "threads", "--concurrency", environment.env.str("POLLING_THREADS", "8")),
                queues="polling,callbacks",
            ),
        ),
        Program(
            name="delivery",
            command=celery_worker(
                "delivery", "--concurrency", environment.env.str("DELIVERY_PROCESSES", "1"), queues="delivery"
            ),
        ),
        Program(
            name="beat",
            # The schedule is a setting and every entry is due within seconds: nothing to remember in a file that a
            # kill -9 could leave torn.
            command=python(
                *("-m", "celery", "-A", "config.celery", "beat", "--loglevel", "WARNING"),
                *("--scheduler", "celery.beat:Scheduler", "--pidfile="),
            ),
        ),
    ]


def write_configuration(also: Sequence[Program] = ()) -> Path:
    """Supervisor's file under `VAR_DIR`. Raises MisconfiguredEnvironment where this stack runs already."""
    var, sockets = environment.var_dir(), environment.socket_directory()
    logs, run = var / "logs", var / "supervisor"
    for directory in (logs, run):
        directory.mkdir(parents=True, exist_ok=True)
    sockets.parent.mkdir(parents=True, exist_ok=True)
    control = control_socket()
    if is_running():
        raise MisconfiguredEnvironment(
            f"this stack is running already, under {var}; end it first, or give this one its own PORT and VAR_DIR"
        )
    control.unlink(missing_ok=True)
    _refuse_taken_port()
    boot = Program(name="boot", command=python("-m", "config.boot"), is_app=False)
    text = CONFIGURATION.format(logs=logs, run=run, base=BASE_DIR, socket=control)
    for program in [*programs(), *also, boot]:
        text += PROGRAM.format(
            name=program.name,
            command=" ".join(_quoted(part) for part in program.command).replace("%", "%%"),
            autostart=str(not program.is_app).lower(),
            autorestart="unexpected" if program is boot else "true",
            start_seconds=0 if program is boot else 1,
            stop_signal=program.stop_signal,
            priority=900 if program is boot else program.priority,
            logs=str(logs).replace("%", "%%"),
        )
    path = run / "supervisor.conf"
    path.write_text(text)
    return path


def control_socket() -> Path:
    """Where supervisor listens; beside the sockets of the servers, in a directory whose path is short enough."""
    return environment.socket_directory().with_name(environment.socket_directory().name + "-supervisor.sock")


def supervisord(configuration: Path) -> list[str]:
    return [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(configuration)]


def _quoted(part: str) -> str:
    return '"' + part.replace("\\", "\\\\").replace('"', '\\"') + '"' if set(part) - _PLAIN else part


_PLAIN = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=,@%+")


def is_running() -> bool:
    """Whether a supervisor of this `VAR_DIR` is alive: a socket file alone may be what a kill -9 left."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(control_socket()))
        except OSError:
            return False
        return True


def _refuse_taken_port() -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((environment.env.str("HOST", "127.0.0.1"), environment.port()))
        except OSError as error:
            raise MisconfiguredEnvironment(
                f"port {environment.port()} is taken ({error.strerror}); choose another with PORT=..."
            ) from None


def main() -> None:
    argparse.ArgumentParser(prog="make up", description=__doc__).parse_args()
    # A missing or weak key stops here, with its sentence, rather than in the log of a process that keeps dying.
    environment.secret_key()
    environment.fernet_keys()
    command = supervisord(write_configuration())
    print(f"Switchyard is starting on {environment.public_url()} (logs in {environment.var_dir() / 'logs'}).")
    print(f"Console: {environment.public_url()}/console/   API: {environment.public_url()}/elements/api-v2")
    print("Ctrl-C ends everything.", flush=True)
    # Becomes a child of supervisor, which takes this process over; it ends by itself.
    subprocess.Popen(python("-m", "config.ready"))
    os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main()
