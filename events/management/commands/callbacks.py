"""`manage.py callbacks`: what providers posted to an instance, and what became of it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from events.callback_upkeep import retry_parked
from events.models import Callback
from instances.management.commands.create_account import wait_for_tables
from instances.models import Instance

HEADER = ("id", "received", "state", "reason")


class Command(BaseCommand):
    help = "List the callbacks of an instance, newest first, without their bodies; with --retry, try parked ones again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--instance", type=int, required=True)
        parser.add_argument("--state", choices=Callback.STATES, help="only these")
        parser.add_argument("--limit", type=int, default=50, help="how many at most (default: %(default)s)")
        parser.add_argument("--retry", action="store_true", help="try those that are parked again, all of them")

    def handle(self, *args: Any, **options: Any) -> None:
        wait_for_tables(patience_seconds=0)
        if not Instance.objects.filter(pk=options["instance"]).exists():
            raise CommandError(f"there is no instance {options['instance']}")
        if options["retry"]:
            if options["state"] not in (None, Callback.PARKED):
                raise CommandError(f"--retry is for {Callback.PARKED} callbacks")
            count = retry_parked(instance_ids=[options["instance"]])
            self.stdout.write(f"{count} callbacks are tried again")
            return
        rows = Callback.objects.filter(instance=options["instance"]).defer("body").order_by("-pk")
        if options["state"] is not None:
            rows = rows.filter(state=options["state"])
        shown = [
            (str(row.pk), f"{row.received_at:%Y-%m-%d %H:%M:%S}Z", row.state, row.reason)
            for row in rows[: max(0, options["limit"])]
        ]
        if not shown:
            self.stdout.write("none")
            return
        width = max(len(HEADER[0]), *(len(row[0]) for row in shown))
        for number, received, state, reason in (HEADER, *shown):
            self.stdout.write(f"{number:{width}}  {received:20}  {state:7}  {reason}".rstrip())
