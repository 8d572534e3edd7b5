"""`manage.py listen`: a callback receiver that prints every notification with its signature checks.

It takes them all, or misbehaves as the options say, so that what the platform does about it can be watched.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from events.misbehaviour import Impossible, Misbehaviour
from events.received import Notification, lines_of
from events.receiver import Receiver

DRIP_SECONDS = 60.0
# What a misbehaviour consists of, where the option has another name.
_OPTIONS = {"times": "recover_after"}
_FIELDS = ("status", "delay", "hang", "drop", "gone", "redirect", "retry_after", "slow_body", "fail_every", "times")


class Command(BaseCommand):
    help = (
        "Receive notifications on this machine and print them, with both signature checks, until SIGINT or SIGTERM. "
        "They are answered 200; the options below let the receiver misbehave."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8102, help="0 takes a free one (default: %(default)s)")
        parser.add_argument("--key", default="", help="the notification signature key; without it nothing is checked")
        wrong = parser.add_argument_group("misbehaviour", "all notifications, unless limited by the last two")
        wrong.add_argument("--status", type=int, help="answer this status")
        wrong.add_argument("--delay", type=float, default=0.0, metavar="SECONDS", help="answer so late")
        wrong.add_argument("--hang", action="store_true", help="never answer, and keep the connection")
        wrong.add_argument("--drop", action="store_true", help="close the connection without an answer")
        wrong.add_argument("--gone", action="store_true", help="answer 410")
        wrong.add_argument("--redirect", default="", metavar="URL", help="answer 302, or --status, with this Location")
        wrong.add_argument(
            "--retry-after", type=int, metavar="SECONDS", help="answer 503, or --status 429, with Retry-After"
        )
        wrong.add_argument(
            "--slow-body",
            type=float,
            default=0.0,
            nargs="?",
            const=DRIP_SECONDS,
            metavar="SECONDS",
            help="let the body of the answer drip in for so long (%(const)g)",
        )
        wrong.add_argument(
            "--fail-every",
            type=int,
            default=1,
            metavar="N",
            help="take all but every Nth; it is answered 500, if nothing else is chosen",
        )
        wrong.add_argument("--recover-after", type=int, metavar="N", help="misbehave N times, then take everything")

    def handle(self, *args: Any, **options: Any) -> None:
        misbehaviour = _misbehaviour(options)
        printing = threading.Lock()
        is_ending = threading.Event()

        def show(notification: Notification) -> None:
            with printing:
                for line in lines_of(notification):
                    self.stdout.write(line)
                self.stdout.flush()

        def end(_signal: int, _frame: FrameType | None) -> None:
            is_ending.set()

        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
        with _started(port=options["port"], key=options["key"], on_notification=show) as receiver:
            if misbehaviour is not None:
                receiver.treat(misbehaviour)
            self.stdout.write(f"Receiving notifications at {receiver.url}/")
            self.stdout.flush()
            is_ending.wait()


def _misbehaviour(options: Mapping[str, Any]) -> Misbehaviour | None:
    """None where nothing of it was asked for."""
    chosen = {name: options[_OPTIONS.get(name, name)] for name in _FIELDS}
    try:
        wanted = Misbehaviour(**chosen)
    except Impossible as impossible:
        option = _OPTIONS.get(impossible.name, impossible.name).replace("_", "-")
        raise CommandError(f"--{option}: {impossible.reason}") from impossible
    return None if wanted == Misbehaviour(times=None) else wanted


def _started(*, port: int, key: str, on_notification: Callable[[Notification], None]) -> Receiver:
    try:
        return Receiver.start(port=port, key=key, on_notification=on_notification)
    except (OSError, OverflowError) as taken:
        raise CommandError(f"--port {port}: {taken}; choose another, or 0 for a free one") from taken
