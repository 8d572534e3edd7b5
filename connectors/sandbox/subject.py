"""What makes up one kind of records: its fields, its defaults, what is invented, and the server's rules."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from connectors.sandbox import catalogue
from connectors.sandbox.clock import stamp
from connectors.sandbox.collection import HREF_BASE, Collection, hrefs
from connectors.sandbox.refusals import Problem, invalid_object
from connectors.sandbox.schema import Record, Schema

T = TypeVar("T")

ENTERED_FROM = datetime(2022, 2, 1, 8, tzinfo=UTC)
_MINUTES = 900_000  # of the two years that seeded records were entered in, roughly
_SAVED_BY = tuple(member["identifier"] for member in catalogue.MEMBERS.values())


class Surroundings:
    """The records that others refer to, and the dice that choose among them: not those that seeded them."""

    def __init__(self, seed: int, *, companies: Collection, contacts: Collection, tickets: Collection) -> None:
        self.companies, self.contacts, self.tickets = companies, contacts, tickets
        self.dice = random.Random(f"surroundings {seed}")

    def pick(self, choices: Sequence[T]) -> T:
        return choices[int(self.dice.random() * len(choices))]

    def entry_of(self, table: Mapping[int, Record], path: str) -> Record:
        """A reference to one entry of a set-up table."""
        entry = self.pick(list(table.values()))
        return catalogue.reference(entry, href=f"{HREF_BASE}{path}/{entry['id']}")

    def one_of(self, collection: Collection) -> Record | None:
        """A record, not to be changed; None where there is none."""
        ids = collection.ids()
        row = collection.row(self.pick(ids)) if ids else None
        return row.record if row else None

    def guid(self) -> str:
        return str(uuid.UUID(int=self.dice.getrandbits(128), version=4))


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    schema: Schema
    defaults: Record
    """What a POST, or a PUT, leaves to the server."""
    invent: Callable[[int, Surroundings], Record]
    """A whole record for an id, without `_info`."""
    finish: Callable[[Record, Surroundings], None] | None = None
    """Fills in what follows from the rest. Raises Refusal (400)."""

    def seeded(self, ids: Iterable[int], surroundings: Surroundings) -> Iterator[tuple[Record, datetime]]:
        """Whole records with the moments they were saved at. `ids` ascend."""
        for record_id in ids:
            record = self.invent(record_id, surroundings)
            entered = ENTERED_FROM + timedelta(minutes=surroundings.dice.randrange(_MINUTES))
            saved = entered + timedelta(seconds=surroundings.dice.randrange(500_000))
            info: Record = {"lastUpdated": stamp(saved), "updatedBy": surroundings.pick(_SAVED_BY)}
            if self.schema.entry_stamp != "none":
                entered_at, entered_by = self.schema.entry_names
                entry = {entered_at: stamp(entered), entered_by: surroundings.pick(_SAVED_BY)}
                (info if self.schema.entry_stamp == "info" else record).update(entry)
            record["_info"] = info | hrefs(self.schema, record_id, stamp=info["lastUpdated"])
            yield record, saved


def resource_of(schema: Schema) -> str:
    """As messages call it: `serviceNote`."""
    return schema.kind[0].lower() + schema.kind[1:]


def refuse(schema: Schema, *, code: str, message: str, field: str) -> Exception:
    """A 400 with one problem."""
    resource = resource_of(schema)
    return invalid_object(resource, [Problem(code=code, message=message, resource=resource, field=field)])
