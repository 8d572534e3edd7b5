"""The records that a sandbox begins with, and the collections they lie in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from typing import Any

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

_SCHEMAS = {"companies": COMPANY, "contacts": CONTACT, "tickets": TICKET, "time_entries": TIME_ENTRY}


class Stock:
    def __init__(
        self, counts: Mapping[str, int], *, clock: SandboxClock, lock: threading.RLock, seed: int, keeps_fractions: bool
    ) -> None:
        """`counts`: how many there are, by the collections' names."""
        self.collections: dict[str, Collection] = {}
        """By name, in the order in which they refer to each other."""
        self._making = partial(Collection, clock=clock, lock=lock, keeps_fractions=keeps_fractions)
        began = beginning(seed, tuple(counts.items()))
        inventor = began.inventor.again()
        for name, schema in _SCHEMAS.items():
            self._make(name, schema, inventor.inventing(schema)).load(began.records[name])
        self.surroundings = _surroundings(seed, self.collections)
        for name, subject in SUBJECTS.items():
            invent = partial(_invented, subject.invent, self.surroundings)
            self._make(name, subject.schema, invent).load(began.records[name])
        self.surroundings.dice.setstate(began.dice)
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

    def _attach(self) -> None:
        """Every third configuration is what some ticket is about."""
        tickets = self.collections["tickets"].ids()
        for configuration in self.collections["configurations"].ids()[::3]:
            if tickets:
                self.attachments.attach(self.surroundings.pick(tickets), configuration)


def _invented(invent: Callable[[int, Surroundings], Record], surroundings: Surroundings, record_id: int) -> Record:
    return invent(record_id, surroundings)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Beginning:
    """What a seed and counts make: records with their moments, and what goes on inventing from there."""

    records: Mapping[str, list[tuple[Record, datetime]]]
    inventor: Inventor
    dice: tuple[Any, ...]


@lru_cache(maxsize=32)
def beginning(seed: int, counts: tuple[tuple[str, int], ...]) -> _Beginning:
    """Made once: a sandbox is started many times in one process, and rows are never changed in place."""
    wanted = dict(counts)
    inventor = Inventor(seed)
    records = {name: list(inventor.seeded(schema, wanted[name])) for name, schema in _SCHEMAS.items()}
    collections: dict[str, Collection] = {}
    for name, schema in _SCHEMAS.items():
        invent = inventor.inventing(schema)
        collections[name] = Collection(schema, clock=SandboxClock(), lock=threading.RLock(), invent=invent)
        collections[name].load(records[name])
    surroundings = _surroundings(seed, collections)
    for name, subject in SUBJECTS.items():
        is_lacking = any(not wanted[other] for other in _BELONG_TO.get(name, ()))
        ids = [] if is_lacking else _ids(name, wanted)
        records[name] = list(subject.seeded(ids, surroundings))
    return _Beginning(records=records, inventor=inventor, dice=surroundings.dice.getstate())


def _ids(name: str, counts: Mapping[str, int]) -> list[int]:
    if name == "user_defined_fields":
        return list(user_defined_fields.SEEDED_IDS)
    return [number + number // 20 * 3 for number in range(1, counts[name] + 1)]


def _surroundings(seed: int, collections: Mapping[str, Collection]) -> Surroundings:
    return Surroundings(seed, **{name: collections[name] for name in ("companies", "contacts", "tickets")})
