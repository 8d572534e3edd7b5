"""Which changes that callbacks tell of are new: decided from what the ledger holds, without clock or database."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from connectors.change import CREATED, DELETED_VERSION, Change
from events import ledger
from events.ledger import Identity, SeenVersion
from events.models import SeenChange

REPEAT = "repeat"
"""What a callback came to that told nothing new."""


REPEATED_WITHIN = timedelta(minutes=2)
"""What comes again this soon, without stamp and message id, is the same change; within twice that it may be."""
_BUCKET = int(REPEATED_WITHIN.total_seconds())
_bucket_of = re.compile(r"(~[0-9a-f]{32}\.)([0-9]+)").fullmatch


def unstamped_version(*, message_id: str, body: bytes, received_on: datetime) -> str:
    """For a change of which nothing says when it was saved: by its message, else by what it says and about when."""
    if message_id:
        return f"~{message_id}"
    return f"~{hashlib.blake2b(body, digest_size=16).hexdigest()}.{int(received_on.timestamp()) // _BUCKET}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one callback tells of."""

    callback_id: int
    message_id: str
    changes: tuple[Change, ...]
    """Each with a version."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """A change that is known."""

    version: str
    """What it repeats, as the ledger has it."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """About several callbacks together."""

    changes: list[Change] = field(default_factory=list)
    """New ones, to record."""
    repeated: list[Identity] = field(default_factory=list)
    """What was told again: whatever of it a poll had found was found by both."""
    repeats: set[int] = field(default_factory=set)
    """The callbacks that told nothing new."""


Ledger = Mapping[tuple[str, str], Sequence[SeenVersion]]
"""What is known by (object type, object id), in the order it was seen."""


def decide_all(told: Iterable[Told], *, seen: Ledger, done: Collection[str]) -> Decisions:
    """Decide callbacks one after the other, each knowing those before it. `done` are messages that were told before."""
    decided, done = Decisions(), set(done)
    known: MutableMapping[tuple[str, str], list[SeenVersion]] = {key: list(versions) for key, versions in seen.items()}
    for one in told:
        if one.message_id in done:
            decided.repeats.add(one.callback_id)
            continue
        is_new = not one.changes
        for change in one.changes:
            versions = known.setdefault((change.object_type, change.object_id), [])
            decision = decide(change, versions=versions)
            if isinstance(decision, Change):
                is_new = True
                decided.changes.append(decision)
                versions.append(_as_seen(decision))
            else:
                decided.repeated.append(Identity(change.object_type, change.object_id, decision.version))
                _note_both(versions, decision.version)
        if one.message_id:
            done.add(one.message_id)
        if not is_new:
            decided.repeats.add(one.callback_id)
    return decided


def decide(change: Change, *, versions: Sequence[SeenVersion]) -> Change | Repeat:
    """The change as it is to be recorded, or that it is known. `versions` is what is known of its object.

    A stamp has whole seconds. One that a poll has met stands for whatever was saved in it, since a poll reads what
    the record says after all of that. Of one that only callbacks told of, other content is another save.
    """
    neighbours = _neighbours(change.version)
    for seen in versions:
        if seen.version in neighbours:
            return Repeat(seen.version)
    same = [seen for seen in versions if _is_of(seen, change.version)]
    for seen in same:
        if seen.version == DELETED_VERSION or (
            seen.found_by == SeenChange.WEBHOOK and seen.content_hash == change.content_hash
        ):
            return Repeat(seen.version)
    polled = [seen for seen in same if seen.found_by != SeenChange.WEBHOOK]
    if polled:
        # Several saves of one second that a poll told apart: this callback is of the first that none was of yet.
        return Repeat(next((seen for seen in polled if seen.found_by == SeenChange.POLL), polled[0]).version)
    if change.event_type == CREATED:
        # A poll may have noticed it by a later save only; an object is created once.
        for seen in versions:
            if seen.event_type == CREATED:
                return Repeat(seen.version)
    if not same:
        return change
    version = f"{change.version}#{change.content_hash.hex()[:16]}"
    return Repeat(version) if any(seen.version == version for seen in same) else replace(change, version=version)


def identities(changes: Iterable[Change]) -> list[Identity]:
    return [ledger.identity(change) for change in changes]


def _neighbours(version: str) -> Collection[str]:
    """What a version by the time says where the time is about the same. Callbacks need not be looked at in order."""
    if (match := _bucket_of(version)) is None:
        return ()
    name, bucket = match[1], int(match[2])
    return {f"{name}{number}" for number in (bucket - 1, bucket, bucket + 1)}


def _is_of(seen: SeenVersion, stamp: str) -> bool:
    return seen.version == stamp or seen.version.startswith(f"{stamp}#")


def _as_seen(change: Change) -> SeenVersion:
    return SeenVersion(
        change.version, change.content_hash, change.is_settled, change.event_type, found_by=SeenChange.WEBHOOK
    )


def _note_both(versions: list[SeenVersion], version: str) -> None:
    for index, seen in enumerate(versions):
        if seen.version == version and seen.found_by == SeenChange.POLL:
            versions[index] = replace(seen, found_by=SeenChange.BOTH)
