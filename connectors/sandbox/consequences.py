"""What one change entails: who is called back, and which other records change with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from connectors.sandbox import schedule
from connectors.sandbox.attachments import Attachments
from connectors.sandbox.collection import Action, Collection
from connectors.sandbox.schema import Record

Effect = Callable[[Action, Record, str], None]
CALLBACK_TYPES: Mapping[str, str] = {
    "companies": "company",
    "contacts": "contact",
    "tickets": "ticket",
    "time_entries": "time",
    "configurations": "configuration",
    "opportunities": "opportunity",
    "schedule_entries": "schedule",
}
"""Of collections, by their names. Nobody is called back about the others."""


class Consequences:
    """All of it happens under the lock of the collections: nobody sees one change without the other."""

    def __init__(
        self,
        collections: Mapping[str, Collection],
        *,
        attachments: Attachments,
        announce: Callable[[str, Action, Record, str], None],
    ) -> None:
        self._tickets, self._notes, self._attachments = collections["tickets"], collections["notes"], attachments
        effects: Mapping[str, Effect] = {
            "tickets": self._ticket_changed,
            "notes": self._note_changed,
            "schedule_entries": self._schedule_changed,
            "configurations": self._configuration_changed,
        }
        for name, collection in collections.items():
            type_ = CALLBACK_TYPES.get(name)
            told: list[Effect] = [partial(announce, type_)] if type_ else []
            told += [effects[name]] if name in effects else []
            if told:
                collection.on_change = partial(_tell, told)

    def _ticket_changed(self, action: Action, ticket: Record, by: str) -> None:
        if action == "deleted":
            self._attachments.forget_ticket(ticket["id"])
            for row in self._notes.rows():
                if row.record.get("ticketId") == ticket["id"]:
                    self._notes.delete(row.record["id"], by=by)

    def _note_changed(self, _action: Action, note: Record, by: str) -> None:
        """A note saves its ticket again: notes have no callbacks of their own."""
        self._save_ticket(note.get("ticketId"), by=by)

    def _schedule_changed(self, action: Action, entry: Record, by: str) -> None:
        """Whoever is scheduled for a ticket is one of its resources."""
        if action == "added" and entry["type"].get("identifier") == schedule.SERVICE:
            row = self._tickets.row(entry["objectId"])
            names = schedule.resources_of(row.record, entry["member"]) if row else ""
            self._save_ticket(entry["objectId"], by=by, resources=names)

    def _configuration_changed(self, action: Action, configuration: Record, _by: str) -> None:
        if action == "deleted":
            self._attachments.forget_configuration(configuration["id"])

    def _save_ticket(self, ticket_id: object, *, by: str, **fields: object) -> None:
        if isinstance(ticket_id, int) and self._tickets.row(ticket_id) is not None:
            self._tickets.save({**self._tickets.get(ticket_id), **fields}, by=by)


def _tell(told: list[Effect], action: Action, record: Record, by: str) -> None:
    for effect in told:
        effect(action, record, by)
