"""The records that a sandbox begins with, and the collections they lie in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial

from connectors.sandbox import registering, user_defined_fields
from connectors.sandbox.attachments import Attachments
from connectors.sandbox.clock import SandboxClock
from connectors.sandbox.collection import Collection
from connectors.sandbox.schema import CALLBACK, COMPANY, CONTACT, TICKET, TIME_ENTRY, Record, Schema
from connectors.sandbox.seeding import Inventor
from connectors.sandbox.setup_tables import set_up
from connectors.sandbox.subject import Surroundings
from connectors.sandbox.subjects import SUBJECTS

_BELONG_TO = {
    "notes": ("tickets",),
    "configurations": ("companies",),
    "opportunities": ("companies", "contacts"),
    "schedule_entries": ("tickets",),
}
"""Where one of these is empty, there are none."""


class Stock:
    def __init__(
        self, counts: Mapping[str, int], *, clock: SandboxClock, lock: threading.RLock, seed: int, keeps_fractions: bool
    ) -> None:
        """`counts`: how many there are, by the collections' names."""
        self.collections: dict[str, Collection] = {}
        """By name, in the order in which they refer to each other."""
        self._making = partial(Collection, clock=clock, lock=lock, keeps_fractions=keeps_fractions)
        inventor = Inventor(seed)
        for name, schema in (
            ("companies", COMPANY),
            ("contacts", CONTACT),
            ("tickets", TICKET),
            ("time_entries", TIME_ENTRY),
        ):
            self._make(name, schema, inventor.inventing(schema)).load(inventor.seeded(schema, counts[name]))
        self.surroundings = Surroundings(
            seed, **{name: self.collections[name] for name in ("companies", "contacts", "tickets")}
        )
        for name, subject in SUBJECTS.items():
            invent = partial(_invented, subject.invent, self.surroundings)
            ids = [] if self._lacks(name) else self._ids(name, counts)
            self._make(name, subject.schema, invent).load(subject.seeded(ids, self.surroundings))
        self._make("registrations", CALLBACK, registering.invented)
        self.tables = set_up(clock=clock, lock=lock)
        """By path."""
        self.attachments = Attachments(
            tickets=self.collections["tickets"], configurations=self.collections["configurations"]
        )
        self._attach()

    def _make(self, name: str, schema: Schema, invent: Callable[[int], Record]) -> Collection:
        self.collections[name] = self._making(schema, invent=invent)
        return self.collections[name]

    def _lacks(self, name: str) -> bool:
        return any(not len(self.collections[other]) for other in _BELONG_TO.get(name, ()))

    def _ids(self, name: str, counts: Mapping[str, int]) -> list[int]:
        if name == "user_defined_fields":
            return list(user_defined_fields.SEEDED_IDS)
        return [number + number // 20 * 3 for number in range(1, counts[name] + 1)]

    def _attach(self) -> None:
        """Every third configuration is what some ticket is about."""
        tickets = self.collections["tickets"].ids()
        for configuration in self.collections["configurations"].ids()[::3]:
            if tickets:
                self.attachments.attach(self.surroundings.pick(tickets), configuration)


def _invented(invent: Callable[[int, Surroundings], Record], surroundings: Surroundings, record_id: int) -> Record:
    return invent(record_id, surroundings)
