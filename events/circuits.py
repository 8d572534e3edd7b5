"""A receiver that fails is left alone for a while, tried with one event, and then sent to slowly at first.

Everything is kept in `Circuit` rows, which all workers share; a receiver that never failed has none. Failures of our
own never count here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import Cursor

if TYPE_CHECKING:
    from events.outcomes import Ended

KINDS = ("opened", "closed", "recovering", "warned", "deactivated", "reactivated")


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to send a little to a subscription whose circuit is not closed, given once."""

    subscription_id: int
    most: int
    """How many deliveries, of both lanes together."""
    is_probe: bool
    """Whether this is the one that is to show if the receiver is back."""
    from_queue: bool
    """Whether the subscription is deactivated: the delivery is taken from those that are queued."""


def permits(cursor: Cursor[Any], *, most: int) -> list[Permit]:
    """What may be sent to whom now, noted as given in the caller's transaction.

    For one circuit two workers never get a permit for the same probe, nor together more than a slow start allows.
    """
    return []


def note(cursor: Cursor[Any], ended: Sequence[Ended]) -> None:
    """Count outcomes, and open, close or deactivate what they say. In the transaction that writes the outcomes.

    Called before the deliveries are written: subscriptions and circuits are locked first, by id.
    """
