"""What happens to one object is told in order, where an instance asks for it: `event.notification.ordering = object`.

Of the deliveries of a subscription that hold changes of the same object, the oldest is sent, and the others wait until
it has been delivered. Objects do not wait for each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from psycopg import Cursor

if TYPE_CHECKING:
    from events.outcomes import Ended

WAITS = datetime(9998, 12, 31, tzinfo=UTC)
"""`next_attempt_at` of a pending delivery that waits for an older one of the same object. No claim finds it."""


def lock(cursor: Cursor[Any], ended: Sequence[Ended]) -> None:
    """Before outcomes are written: hold the ordered subscriptions among them, so that nobody adds to their lines."""


def advance(cursor: Cursor[Any], ended: Sequence[Ended]) -> None:
    """After outcomes are written: let go what waited for those that have been delivered."""
