"""Where the records lie: collections that tests and people change while clients read."""

from __future__ import annotations

import copy
import threading
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal

from connectors.sandbox import clock as clocks
from connectors.sandbox.clock import SandboxClock
from connectors.sandbox.refusals import encode
from connectors.sandbox.schema import Record, Schema

HREF_BASE = "https://na.myconnectwise.net/v2025_1//apis/3.0"
"""Links inside records name another host than the one that was called, with a double slash, as the real ones do."""
API_MEMBER = "SandboxApi"
"""Who saves through the API."""
MEMBER = "jsmith"
"""Who saves by hand."""


class _Clock:
    """The default of `at`: what the sandbox's clock says."""


CLOCK: Final = _Clock()
At = datetime | str | None | _Clock
Action = Literal["added", "updated", "deleted"]


@dataclass(slots=True)
class Row:
    """One version of one record. The record is never changed: an edit puts a new row in its place."""

    record: Record
    moment: datetime
    """When it was saved, as conditions and sorting see it: what `lastUpdated` shows may be anything."""
    _encoded: bytes | None = field(default=None, repr=False)

    @property
    def encoded(self) -> bytes:
        if self._encoded is None:
            self._encoded = encode(self.record)
        return self._encoded


class Collection:
    """The records of one resource, by id.

    `at` sets `lastUpdated`: a moment or any text, shown as it is; None leaves it out; not given, it is the sandbox's
    clock. Text that is no date is shown, while conditions still find the record under the clock's moment. With
    `is_hidden` a change is made, and stamped, but stays invisible until `reveal`, like a transaction that commits late.
    """

    def __init__(
        self,
        schema: Schema,
        *,
        clock: SandboxClock,
        lock: threading.RLock,
        invent: Callable[[int], Record],
        keeps_fractions: bool = False,
    ) -> None:
        """`invent` makes up a whole record for an id; `keeps_fractions`: rows remember what stamps do not show."""
        self.schema = schema
        self.version = 0
        """Grows with every visible change."""
        self.on_change: Callable[[Action, Record, str], None] | None = None
        """Told, under the lock, of every visible change, `load` excepted: what was done, the record, and who did it.

        The record must not be changed.
        """
        self._clock, self._lock, self._invent = clock, lock, invent
        self._keeps_fractions = keeps_fractions
        self._rows: dict[int, Row] = {}
        self._ids: list[int] = []
        self._by_moment: list[tuple[datetime, int]] = []
        self._hidden: dict[int, Row] = {}
        self._highest_id = 0

    # What tests and people do

    def add(self, *, at: At = CLOCK, is_hidden: bool = False, **fields: Any) -> Record:
        """A new record: invented, with `fields` laid over it. None leaves a field out; `_info` is taken as given.

        Returns a copy. Raises ValueError for an id that there is.
        """
        with self._lock:
            record_id = fields.pop("id", None) or self._highest_id + 1
            if record_id in self._rows or record_id in self._hidden:
                raise ValueError(f"{self.schema.kind} {record_id} exists already")
            record = self._invent(record_id)
            record.pop("_info", None)
            return self._save_by_hand(record, fields, at=at, is_hidden=is_hidden)

    def edit(self, record_id: int, /, *, at: At = CLOCK, is_hidden: bool = False, **fields: Any) -> Record:
        """Save a record again with `fields` laid over it; with none, it is a save that changed nothing.

        Returns a copy. Raises KeyError.
        """
        with self._lock:
            return self._save_by_hand(self.get(record_id), fields, at=at, is_hidden=is_hidden)

    def _save_by_hand(self, record: Record, fields: Record, *, at: At, is_hidden: bool) -> Record:
        for name, value in fields.items():
            if value is None:
                record.pop(name, None)
            else:
                record[name] = copy.deepcopy(value)
        return self.save(record, by=MEMBER, at=at, is_hidden=is_hidden, completes_info="_info" not in fields)

    def delete(self, record_id: int, /, *, by: str = MEMBER) -> None:
        """Gone without a trace. Raises KeyError."""
        with self._lock:
            record = self._take_out(record_id)
            self._hidden.pop(record_id, None)
            self._tell("deleted", record, by)

    def reveal(self, record_id: int, /) -> None:
        """Let a hidden change be seen. Raises KeyError."""
        with self._lock:
            row = self._hidden.pop(record_id)
            by = row.record.get("_info", {}).get("updatedBy", MEMBER)
            self._show(record_id, row, by=by)

    def get(self, record_id: int, /) -> Record:
        """A copy. Raises KeyError."""
        return copy.deepcopy(self._rows[record_id].record)

    def ids(self) -> list[int]:
        """Of every visible record, ascending."""
        with self._lock:
            return list(self._ids)

    def __len__(self) -> int:
        return len(self._rows)

    # What the API does

    def row(self, record_id: int) -> Row | None:
        return self._rows.get(record_id)

    def next_id(self) -> int:
        with self._lock:
            self._highest_id += 1
            return self._highest_id

    def save(
        self, record: Record, *, by: str, at: At = CLOCK, is_hidden: bool = False, completes_info: bool = True
    ) -> Record:
        """Stamp a whole record and store it; what its `_info` says about its entry is kept. Returns a copy."""
        with self._lock:
            record_id = record["id"]
            shown, moment = self._stamp(at)
            if completes_info:
                record["_info"] = self._info(record, shown=shown, moment=moment, by=by)
            if self.schema.entry_stamp == "record":
                entered_at, entered_by = self.schema.entry_names
                record.setdefault(entered_by, by)
                record.setdefault(entered_at, clocks.stamp(moment))
            row = Row(record, moment)
            self._highest_id = max(self._highest_id, record_id)
            if is_hidden:
                self._hidden[record_id] = row
            else:
                self._show(record_id, row, by=by)
            return copy.deepcopy(record)

    def load(self, records: Iterable[tuple[Record, datetime]]) -> None:
        """Fill an empty collection: records whole, `_info` included, ids ascending."""
        with self._lock:
            self._rows = {record["id"]: Row(record, moment) for record, moment in records}
            self._ids = list(self._rows)
            self._by_moment = sorted((row.moment, record_id) for record_id, row in self._rows.items())
            self._highest_id = self._ids[-1] if self._ids else 0

    def rows(self, *, since: datetime | None = None, after_id: int = 0) -> list[Row]:
        """Visible rows in the order of their ids: saved at `since` or later, with an id above `after_id`."""
        with self._lock:
            if since is None:
                ids = self._ids[bisect_right(self._ids, after_id) :]
            else:
                start = bisect_left(self._by_moment, (since, 0))
                ids = sorted(record_id for _, record_id in self._by_moment[start:] if record_id > after_id)
            return [self._rows[record_id] for record_id in ids]

    def _stamp(self, at: At) -> tuple[str | None, datetime]:
        """What `lastUpdated` shows, and the moment behind it."""
        now = self._clock.now()
        shown: str | None
        if isinstance(at, _Clock):
            shown, moment = clocks.stamp(now), now
        elif isinstance(at, datetime):
            moment = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
            shown = clocks.stamp(moment)
        else:
            shown, moment = at, (clocks.parse_stamp(at) if at else None) or now
        return shown, moment if self._keeps_fractions else moment.replace(microsecond=0)

    def _info(self, record: Record, *, shown: str | None, moment: datetime, by: str) -> Record:
        info: Record = {} if shown is None else {"lastUpdated": shown}
        info["updatedBy"] = by
        if self.schema.entry_stamp == "info":
            before = record.get("_info", {})
            info["dateEntered"] = before.get("dateEntered", clocks.stamp(moment))
            info["enteredBy"] = before.get("enteredBy", by)
        return {**info, **hrefs(self.schema, record["id"], stamp=clocks.stamp(moment))}

    def _show(self, record_id: int, row: Row, *, by: str) -> None:
        action: Action = "updated" if record_id in self._rows else "added"
        self._put(record_id, row)
        self._tell(action, row.record, by)

    def _tell(self, action: Action, record: Record, by: str) -> None:
        if self.on_change is not None:
            self.on_change(action, record, by)

    def _put(self, record_id: int, row: Row) -> None:
        self.version += 1
        if record_id in self._rows:
            self._take_out(record_id)
        self._rows[record_id] = row
        insort(self._ids, record_id)
        insort(self._by_moment, (row.moment, record_id))

    def _take_out(self, record_id: int) -> Record:
        self.version += 1
        row = self._rows.pop(record_id)
        del self._ids[bisect_left(self._ids, record_id)]
        del self._by_moment[bisect_left(self._by_moment, (row.moment, record_id))]
        return row.record


def hrefs(schema: Schema, record_id: int, *, stamp: str) -> Record:
    return {name: HREF_BASE + path.format(id=record_id, stamp=stamp) for name, path in schema.hrefs}
