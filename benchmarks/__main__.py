"""`make bench`: every figure as a ratio against the floor and the naive way, from one run.

ARGS='poll' or ARGS='delivery' runs one of them.
"""

from __future__ import annotations

import argparse
import importlib

from benchmarks.harness import servers

BENCHMARKS = ("poll", "delivery")


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], help="which; all when none is named")
    for name in parser.parse_args().names or BENCHMARKS:
        with servers():
            print(importlib.import_module(f"benchmarks.{name}").run(), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
