"""`manage.py registrations`: what is registered at the providers, and what is missing."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from events import reconciling
from events.models import Inbox, Registration
from events.registering import name_of

COLUMNS = ("instance", "callback", "state", "provider id", "checked", "last error")


class Command(BaseCommand):
    help = "Show the callbacks that are registered at providers; with --reconcile, make the providers agree first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--instance", type=int, help="of this instance only")
        parser.add_argument("--reconcile", action="store_true", help="compare with the provider now")

    def handle(self, *args: Any, **options: Any) -> None:
        inboxes = Inbox.objects.select_related("instance").order_by("instance_id", "pk")
        if options["instance"] is not None:
            inboxes = inboxes.filter(instance=options["instance"])
            if not inboxes:
                raise CommandError(f"instance {options['instance']} has no callbacks, or there is no such instance")
        if options["reconcile"]:
            for inbox in inboxes:
                if not reconciling.check_now(inbox, patience_seconds=reconciling.WORKER_SECONDS):
                    self.stderr.write(f"{_owner(inbox)}: the provider does not agree yet")
        rows = [COLUMNS]
        for inbox in inboxes.all():
            registrations = inbox.registrations.order_by("pk")
            rows += [_row(inbox, one) for one in registrations] or [(_owner(inbox), "none", "", "", "", "")]
        widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS) - 1)]
        for row in rows:
            cells = [text.ljust(width) for text, width in zip(row, widths, strict=False)]
            self.stdout.write("  ".join([*cells, row[-1]]).rstrip())
        for inbox in inboxes.all():
            problem = inbox.last_error if inbox.instance is None else inbox.instance.registration_problem
            if problem:
                self.stdout.write(f"\n{_owner(inbox)}: {problem}")


def _owner(inbox: Inbox) -> str:
    return str(inbox.instance_id) if inbox.instance_id is not None else f"gone (inbox {inbox.pk})"


def _row(inbox: Inbox, one: Registration) -> tuple[str, str, str, str, str, str]:
    checked = f"{one.checked_at:%Y-%m-%d %H:%M:%S}Z" if one.checked_at else ""
    return (_owner(inbox), name_of(one), one.state, one.provider_id, checked, one.last_error)
