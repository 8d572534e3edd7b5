"""A change: the standardized event as a value, before it is stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

EventType = Literal["CREATED", "UPDATED", "DELETED", "UNKNOWN"]
CREATED: EventType = "CREATED"
UPDATED: EventType = "UPDATED"
DELETED: EventType = "DELETED"
UNKNOWN: EventType = "UNKNOWN"

DELETED_VERSION = "deleted"
"""The version of a deletion: ids are not used again, so an object is deleted once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One object changed once.

    Together with the instance, `object_type`, `object_id` and `version` are its identity: the same change found
    twice, by whatever road, carries the same four and is one event.
    """

    event_type: EventType
    object_type: str
    object_id: str
    version: str
    """The provider's stamp of this change as it came, with `#<hash>` behind it for a further save within one second."""
    changed_at: datetime | None
    """The provider's stamp as a moment; None where the record has none that can be read."""
    raw: bytes
    """The record (polled) as JSON, in the hub's field names; the provider's whole body (callback)."""
    content_hash: bytes = b""
    """16 bytes over the record as read: tells a second save within the same second from a repeat."""
    is_settled: bool = True
    """False while the provider's clock stood at the stamp's own second: the record may change again under it."""
