"""`python -m connectors.sandbox`: a sandbox in a process of its own, until SIGINT or SIGTERM."""

from __future__ import annotations

import argparse
import json
import signal
import threading
from types import FrameType

from connectors.sandbox.sandbox import Sandbox


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m connectors.sandbox", description="A ConnectWise PSA on loopback.")
    parser.add_argument("--port", type=int, default=8101, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--contacts", type=int, default=3_000, metavar="N")
    parser.add_argument("--companies", type=int, default=300, metavar="N")
    parser.add_argument("--tickets", type=int, default=2_000, metavar="N")
    parser.add_argument("--time-entries", type=int, default=200, metavar="N")
    parser.add_argument("--notes", type=int, default=100, metavar="N")
    parser.add_argument("--configurations", type=int, default=30, metavar="N")
    parser.add_argument("--opportunities", type=int, default=20, metavar="N")
    parser.add_argument("--schedule-entries", type=int, default=10, metavar="N")
    parser.add_argument("--seed", type=int, default=1, help="of the invented records")
    parser.add_argument("--company", default="acme", help="the company to sign in to (default: %(default)s)")
    parser.add_argument("--public-key", default="sandboxPublic", metavar="KEY")
    parser.add_argument("--private-key", default="sandboxPrivate", metavar="KEY")
    parser.add_argument("--integrator-username", metavar="NAME", help="of an integrator login (default: none)")
    parser.add_argument("--integrator-password", metavar="PASSWORD")
    parser.add_argument("--require-client-id", action="store_true", help="refuse requests without a clientId header")
    sandbox = Sandbox(**vars(parser.parse_args()))

    is_ending = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        is_ending.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    sandbox.serve()
    print(json.dumps(sandbox.credentials()), flush=True)  # one line, for people and for programs
    is_ending.wait()
    sandbox.stop()


if __name__ == "__main__":
    main()
