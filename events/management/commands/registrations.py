"""`manage.py registrations`: what is registered at the providers, and what is missing."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet

from events import registration_upkeep
from events.models import Inbox, Registration
from instances.management.commands.create_account import wait_for_tables

COLUMNS = ("instance", "type", "level", "object id", "state", "provider id", "checked", "last error")
PATIENCE_SECONDS = 15.0
"""How long workers are waited for."""


class Command(BaseCommand):
    help = "Show the callbacks that are registered at providers; with --reconcile, have workers compare them first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--instance", type=int, help="of this instance only")
        parser.add_argument("--reconcile", action="store_true", help="compare with the provider now")

    def handle(self, *args: Any, **options: Any) -> None:
        wait_for_tables(patience_seconds=0)
        inboxes = Inbox.objects.select_related("instance").order_by("instance_id", "pk")
        if options["instance"] is not None:
            inboxes = inboxes.filter(instance=options["instance"])
            if not inboxes:
                raise CommandError(f"instance {options['instance']} has no callbacks, or there is no such instance")
        asked = [inbox.pk for inbox in inboxes] if options["reconcile"] else []
        if asked:
            registration_upkeep.ask_workers(asked)
            _wait_for_workers(asked)
        self._print_table(inboxes)
        for inbox in inboxes.all():
            problem = inbox.last_error if inbox.instance is None else inbox.instance.registration_problem
            if problem:
                self.stdout.write(f"\n{_owner(inbox)}: {problem}")
        for inbox in registration_upkeep.unfinished(asked):
            cause = inbox.last_error or "no worker has finished with it; is the stack running?"
            self.stderr.write(f"{_owner(inbox)}: the provider does not agree yet: {cause}")

    def _print_table(self, inboxes: QuerySet[Inbox]) -> None:
        rows: list[tuple[str, ...]] = [COLUMNS]
        for inbox in inboxes.all():
            registrations = inbox.registrations.order_by("pk")
            rows += [_row(inbox, one) for one in registrations] or [(_owner(inbox), "none", *[""] * 6)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS) - 1)]
        for row in rows:
            cells = [text.ljust(width) for text, width in zip(row, widths, strict=False)]
            self.stdout.write("  ".join([*cells, row[-1]]).rstrip())


def _wait_for_workers(asked: Sequence[int]) -> None:
    """Until the providers agree; what goes wrong is tried again for as long as we wait."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while registration_upkeep.unfinished(asked) and time.monotonic() < deadline:
        time.sleep(0.1)


def _owner(inbox: Inbox) -> str:
    return str(inbox.instance_id) if inbox.instance_id is not None else f"gone (inbox {inbox.pk})"


def _row(inbox: Inbox, one: Registration) -> tuple[str, ...]:
    checked = f"{one.checked_at:%Y-%m-%d %H:%M:%S}Z" if one.checked_at else ""
    of = (one.type, one.level, one.object_id)
    return (_owner(inbox), *of, one.state, one.provider_id, checked, one.last_error)
