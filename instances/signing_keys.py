"""The keys that sign an instance's notifications: the current one, and for a while those that it replaced.

Receivers change their copy when it suits them. Until a replaced key ends, every notification is signed with it too.
Moments are the database's, so that all workers agree on when that is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from instances.encryption import decrypt_json, encrypt_json

MOST_KEYS = 3
"""That sign at once. A fourth drives out the oldest: headers have an end."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    text: str = field(repr=False)
    ends_at: datetime | None = None
    """From then on it signs nothing; None: as long as it is there."""


def read(encrypted: str) -> tuple[SigningKey, ...]:
    """What a column holds, newest first. Raises KeyMissing."""
    return tuple(_key(item) for item in decrypt_json(encrypted) or ())


def stored(keys: Sequence[SigningKey]) -> str:
    """For the column."""
    items = [[key.text, key.ends_at.isoformat()] if key.ends_at else key.text for key in keys]
    return encrypt_json(items) if items else ""


def alive(keys: Iterable[SigningKey], *, at: datetime) -> list[str]:
    """Those that sign at this moment, newest first."""
    return [key.text for key in keys if key.ends_at is None or at < key.ends_at]


def succeeded(before: str, *, by: str, now: datetime, overlap: timedelta) -> str:
    """The column when its keys are to make way for the one in `by`; untouched if nothing changes. Raises KeyMissing."""
    if not before or not by:
        return by
    keys = read(before)
    after = rotated(keys, to=read(by)[0].text, now=now, overlap=overlap)
    return before if after == keys else stored(after)


def rotated(keys: Sequence[SigningKey], *, to: str, now: datetime, overlap: timedelta) -> tuple[SigningKey, ...]:
    """`to` becomes the current key; each other ends after the overlap, or when it was to end if that is sooner.

    So the current key sent again replaces nothing, one that was replaced becomes current again with no end, and a
    shorter overlap also cuts short what goes on.
    """
    ends = {key.text: min(key.ends_at or now + overlap, now + overlap) for key in keys if key.text != to}
    return (SigningKey(to), *(SigningKey(text, end) for text, end in ends.items() if now < end))[:MOST_KEYS]


def _key(item: Any) -> SigningKey:
    """Keys without an end are plain texts."""
    if isinstance(item, str):
        return SigningKey(item)
    text, ends_at = item
    return SigningKey(text, datetime.fromisoformat(ends_at))
