"""What every benchmark shares: servers of its own with durable settings, interleaved rounds, ratios of medians."""

from __future__ import annotations

import gc
import math
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@contextmanager
def servers() -> Iterator[None]:
    """PostgreSQL (fsync on) and Valkey in a throw-away directory, Django set up over them, tables made."""
    home = Path(tempfile.mkdtemp(prefix="switchyard-bench-"))
    for name in ("DATABASE_URL", "REDIS_URL", "DEBUG"):
        os.environ.pop(name, None)
    os.environ.update(
        VAR_DIR=str(home),
        DJANGO_SETTINGS_MODULE="config.settings",
        EGRESS_ALLOW_NETWORKS="127.0.0.0/8",
        LOG_LEVEL="WARNING",
    )
    from config import embedded, environment

    sockets = environment.socket_directory()
    children = [
        embedded.Postgres(home / "postgres", sockets, embedded.DURABLE).start(),
        embedded.Valkey(sockets).start(),
    ]
    try:
        import django
        from django.core.management import call_command

        django.setup()
        import config.celery  # noqa: F401  # makes the project's application the current one, as every process does

        call_command("migrate", interactive=False, verbosity=0)
        gc.collect()
        gc.freeze()  # as the workers do
        yield
    finally:
        for child in children:
            child.send_signal(signal.SIGINT)
        for child in children:
            child.wait(20)
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def process(*command: str, output: int | None = None) -> Iterator[subprocess.Popen[str]]:
    """A child that ends with the block."""
    child = subprocess.Popen(
        [sys.executable, "-m", "config.processes", *command], stdout=output, text=True, cwd=ROOT, env=dict(os.environ)
    )
    try:
        yield child
    finally:
        child.terminate()
        child.wait(20)


@contextmanager
def compiled(source: str, *libraries: str) -> Iterator[Path]:
    """A program in C of this directory, in a directory of its own that goes away with the block.

    Raises CalledProcessError where there is no compiler, or not the headers of a library.
    """
    home = Path(tempfile.mkdtemp(prefix="switchyard-c-"))
    program = home / Path(source).stem
    try:
        subprocess.run(["gcc", "-O2", "-o", str(program), str(ROOT / "benchmarks" / source), *libraries], check=True)
        yield program
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def sink(delay_ms: int = 0) -> Iterator[int]:
    """The receiver in C; its port."""
    with compiled("sink.c") as program, process(str(program), str(delay_ms), output=subprocess.PIPE) as child:
        assert child.stdout is not None
        yield int(child.stdout.readline())


def seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def interleaved(contenders: Mapping[str, Callable[[], float]], *, rounds: int) -> dict[str, list[float]]:
    """Each contender once per round, in a new order each round, so that a noisy minute hits all of them."""
    results: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name in random.sample(list(contenders), len(contenders)):
            results[name].append(contenders[name]())
    return results


def ratio(results: Mapping[str, Sequence[float]], above: str, below: str) -> tuple[float, float, float]:
    """Median, least and greatest of the per-round ratios."""
    each = [a / b for a, b in zip(results[above], results[below], strict=True)]
    return statistics.median(each), min(each), max(each)


def percentile(values: Sequence[float], share: float) -> float:
    """The least value that so large a share of them does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


def table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    return "\n".join(
        ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head), *("| " + " | ".join(row) + " |" for row in body)]
    )
