"""The ledger that makes a change count once: which versions of which objects of an instance have been seen.

Its unique constraint decides between everyone who reports the same change at the same moment. Rows are entered in
one order, so two of them wait for each other in turn and never in a circle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from connectors.change import Change, EventType
from events.models import SeenChange
from events.plain_cursor import plain_cursor


class Identity(NamedTuple):
    """What makes two reports one change, within an instance."""

    object_type: str
    object_id: str
    version: str


@dataclass(frozen=True, slots=True)
class SeenVersion:
    """One version of an object that was seen. `event_type` is empty if it was only noted, at the baseline."""

    version: str
    content_hash: bytes
    is_settled: bool
    event_type: EventType | str
    found_by: str = SeenChange.POLL
    """While it is WEBHOOK, `content_hash` is over what a callback said, not over the record as it is read."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A version that a callback had told of, as a poll has read it now."""

    object_id: str
    version: str
    content_hash: bytes
    is_settled: bool


def identity(change: Change) -> Identity:
    return Identity(change.object_type, change.object_id, change.version)


def seen(*, instance_id: int, object_type: str, object_ids: Sequence[str]) -> dict[str, list[SeenVersion]]:
    """What the ledger holds of these objects, in the order it was seen. Objects it does not know are left out."""
    versions: dict[str, list[SeenVersion]] = {}
    with plain_cursor() as cursor:
        cursor.execute(_SEEN, [instance_id, object_type, list(object_ids)], binary=True)
        for object_id, *facts in cursor.fetchall():
            versions.setdefault(object_id, []).append(SeenVersion(*facts))
    return versions


def enter(
    *, instance_id: int, changes: Sequence[Change], event_ids: Mapping[Identity, int], found_by: str = SeenChange.POLL
) -> set[Identity]:
    """Enter changes that become events, in the caller's transaction. Returns those that were not there yet.

    Waits for a transaction that is entering the same change, and then knows whether it did.
    """
    return _insert(instance_id, changes, event_ids, found_by=found_by)


def note(*, instance_id: int, changes: Sequence[Change], found_by: str = SeenChange.POLL) -> None:
    """Enter what is no event: changes older than the baseline, and what a poll saw of a save that a callback told of.

    Known from now on.
    """
    _insert(instance_id, changes, None, found_by=found_by)


def point(*, instance_id: int, event_ids: Mapping[Identity, int]) -> None:
    """Correct which event holds these changes; they were entered in this transaction."""
    if event_ids:
        with plain_cursor() as cursor:
            columns = [list(column) for column in zip(*event_ids, strict=True)]
            cursor.execute(_POINT, [instance_id, *columns, list(event_ids.values())])


def touch(*, instance_id: int, object_type: str, object_ids: Sequence[str]) -> None:
    """Objects without a stamp were met again: `trim` goes by when they were last met."""
    with plain_cursor() as cursor:
        cursor.execute(_TOUCH, [instance_id, object_type, list(object_ids)])


def trim(*, instance_id: int, object_type: str, before: datetime, untouched_since: datetime) -> int | None:
    """Forget what no poll will meet again: stamped before `before`, or without a stamp and not met since.

    That an object was deleted is not forgotten: an old callback about it must not delete it again.

    Returns the greatest number among the object ids forgotten, None if there was none.
    """
    with plain_cursor() as cursor:
        cursor.execute(_TRIM, [instance_id, object_type, before, untouched_since])
        row = cursor.fetchone()
        assert row is not None
        greatest: int | None = row[0]
        return greatest


def settle(*, instance_id: int, object_type: str, versions: Sequence[tuple[str, str]]) -> None:
    """These (object id, version) were read again once their second was over: what differs from now on is no save."""
    with plain_cursor() as cursor:
        ids, names = [list(column) for column in zip(*versions, strict=True)]
        cursor.execute(_SETTLE, [ids, names, instance_id, object_type])


def confirm(*, instance_id: int, object_type: str, confirmations: Sequence[Confirmation]) -> None:
    """A poll has read records of which callbacks had told: their changes were found by both."""
    if confirmations:
        rows = sorted(confirmations, key=lambda one: (one.object_id, one.version))
        with plain_cursor() as cursor:
            cursor.execute(
                _CONFIRM,
                [
                    [one.object_id for one in rows],
                    [one.version for one in rows],
                    [one.content_hash for one in rows],
                    [one.is_settled for one in rows],
                    instance_id,
                    object_type,
                ],
            )


def told_too(*, instance_id: int, identities: Sequence[Identity]) -> None:
    """Callbacks told of changes that a poll had found first: they were found by both."""
    if identities:
        with plain_cursor() as cursor:
            columns = [list(column) for column in zip(*sorted(identities), strict=True)]
            cursor.execute(_TOLD_TOO, [*columns, instance_id])


def _insert(
    instance_id: int,
    changes: Sequence[Change],
    event_ids: Mapping[Identity, int] | None,
    *,
    found_by: str = SeenChange.POLL,
) -> set[Identity]:
    if not changes:
        return set()
    rows = sorted(changes, key=identity)
    parameters = [
        instance_id,
        found_by,
        [change.object_type for change in rows],
        [change.object_id for change in rows],
        [change.version for change in rows],
        _unless_empty([change.changed_at for change in rows]),
        [change.content_hash for change in rows],
        [change.is_settled for change in rows],
        ["" if event_ids is None else change.event_type for change in rows],
        None if event_ids is None else [event_ids[identity(change)] for change in rows],
    ]
    with plain_cursor() as cursor:
        cursor.execute(_INSERT, parameters)
        return {Identity(*row) for row in cursor}


def _unless_empty(column: list[datetime | None]) -> list[datetime | None] | None:
    """A list of nothing but None has no type in binary. NULL instead of it is padded with NULL by `unnest`."""
    return column if any(column) else None


_SEEN = """
SELECT object_id, version, content_hash, is_settled, event_type, found_by FROM events_seenchange
WHERE instance_id = %b AND object_type = %b AND object_id = ANY(%b::text[])
ORDER BY id
"""

_INSERT = """
INSERT INTO events_seenchange
    (instance_id, found_by, object_type, object_id, version, changed_at, content_hash, is_settled, event_type, event_id)
SELECT %b, %b, new.* FROM unnest(
    %b::text[], %b::text[], %b::text[], %b::timestamptz[], %b::bytea[], %b::bool[], %b::text[], %b::bigint[]
) AS new (object_type, object_id, version, changed_at, content_hash, is_settled, event_type, event_id)
ON CONFLICT DO NOTHING
RETURNING object_type, object_id, version
"""

_POINT = """
UPDATE events_seenchange AS seen SET event_id = moved.event_id
FROM (
    SELECT %b::bigint AS instance_id, *
    FROM unnest(%b::text[], %b::text[], %b::text[], %b::bigint[]) AS change (object_type, object_id, version, event_id)
) AS moved
WHERE seen.instance_id = moved.instance_id AND seen.object_type = moved.object_type
    AND seen.object_id = moved.object_id AND seen.version = moved.version
"""

_SETTLE = """
UPDATE events_seenchange AS known SET is_settled = TRUE
FROM unnest(%b::text[], %b::text[]) AS read_again (object_id, version)
WHERE known.instance_id = %b AND known.object_type = %b
    AND known.object_id = read_again.object_id AND known.version = read_again.version
"""

_CONFIRM = """
UPDATE events_seenchange AS known
SET found_by = 'both', content_hash = met.content_hash, is_settled = met.is_settled
FROM unnest(%b::text[], %b::text[], %b::bytea[], %b::bool[]) AS met (object_id, version, content_hash, is_settled)
WHERE known.instance_id = %b AND known.object_type = %b
    AND known.object_id = met.object_id AND known.version = met.version AND known.found_by = 'webhook'
"""

# It waits for nobody: a poll may be at these rows in another order. What is passed over so stays with the poll.
_TOLD_TOO = """
WITH found AS (
    SELECT known.id FROM events_seenchange AS known
    JOIN unnest(%b::text[], %b::text[], %b::text[]) AS told (object_type, object_id, version)
        ON known.object_type = told.object_type AND known.object_id = told.object_id AND known.version = told.version
    WHERE known.instance_id = %b AND known.found_by = 'poll' FOR NO KEY UPDATE OF known SKIP LOCKED
)
UPDATE events_seenchange AS known SET found_by = 'both' FROM found WHERE known.id = found.id
"""

_TOUCH = """
UPDATE events_seenchange SET seen_at = statement_timestamp()
WHERE instance_id = %b AND object_type = %b AND changed_at IS NULL AND object_id = ANY(%b::text[])
"""

_TRIM = """
WITH forgotten AS (
    DELETE FROM events_seenchange
    WHERE instance_id = %b AND object_type = %b AND version <> 'deleted'
        AND (changed_at < %b OR (changed_at IS NULL AND seen_at < %b))
    RETURNING object_id
)
SELECT max(CASE WHEN object_id ~ '^[0-9]{1,18}$' THEN object_id::bigint END) FROM forgotten
"""
