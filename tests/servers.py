"""A pytest plugin, loaded before Django's settings: every test process has a PostgreSQL and a Valkey of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

_var_dir = Path(tempfile.mkdtemp(prefix="switchyard-tests-"))
os.environ["VAR_DIR"] = str(_var_dir)
os.environ["EGRESS_ALLOW_NETWORKS"] = "127.0.0.0/8"
# Compiling and rewriting everything anew would take each test process, and each process of a journey, many seconds.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
for _unwanted in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "FERNET_KEYS", "PUBLIC_URL", "DEBUG", "PORT"):
    os.environ.pop(_unwanted, None)

_children: list[subprocess.Popen[bytes]] = []


def _is_controller(config: pytest.Config) -> bool:
    """With xdist, the process that hands out tests runs none."""
    return bool(getattr(config.option, "numprocesses", None)) and "PYTEST_XDIST_WORKER" not in os.environ


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if _is_controller(config) or config.option.collectonly:
        return
    from config import embedded, environment

    sockets = environment.socket_directory()
    _children.append(embedded.Postgres(_var_dir / "postgres", sockets, embedded.THROWAWAY).start())
    _children.append(embedded.Valkey(sockets).start())


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    for child in _children:
        child.send_signal(signal.SIGINT)  # PostgreSQL would wait for its clients on SIGTERM
    for child in _children:
        child.wait(20)
    shutil.rmtree(_var_dir, ignore_errors=True)
