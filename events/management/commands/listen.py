"""`manage.py listen`: a callback receiver that prints every notification with its signature checks."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from events.receiver import Notification, Receiver, lines_of


class Command(BaseCommand):
    help = "Receive notifications on this machine and print them, with both signature checks, until SIGINT or SIGTERM."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8102, help="0 takes a free one (default: %(default)s)")
        parser.add_argument("--key", default="", help="the notification signature key; without it nothing is checked")

    def handle(self, *args: Any, **options: Any) -> None:
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
        with Receiver.start(port=options["port"], key=options["key"], on_notification=show) as receiver:
            self.stdout.write(f"Receiving notifications at {receiver.url}/")
            self.stdout.flush()
            is_ending.wait()
