"""`make bench`: every figure as a ratio against the floor and the naive way, from one run.

ARGS='poll', 'delivery' or another name runs one of them; ARGS=--help lists all.
"""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys

from benchmarks.harness import servers

BENCHMARKS = (
    *("poll", "delivery", "tls", "latency", "neighbours", "backlog", "memory"),
    *("callbacks", "hub", "retention", "console"),
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], help="which; all when none is named")
    names = parser.parse_args().names or BENCHMARKS
    if len(names) > 1:
        # Each in a process of its own: settings are read once, and each has servers of its own.
        for name in names:
            subprocess.run([sys.executable, "-m", "benchmarks", name], check=True)
        return
    with servers():
        print(importlib.import_module(f"benchmarks.{names[0]}").run(), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
