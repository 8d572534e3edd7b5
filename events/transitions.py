"""What happened to circuits and their subscriptions, each written down once, by whoever made it happen."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from psycopg import Cursor

from events import doorbell

logger = logging.getLogger(__name__)

OPENED, CLOSED, RECOVERING = "opened", "closed", "recovering"
WARNED, DEACTIVATED, REACTIVATED = "warned", "deactivated", "reactivated"
KINDS = (OPENED, CLOSED, RECOVERING, WARNED, DEACTIVATED, REACTIVATED)
TOLD = (WARNED, DEACTIVATED, REACTIVATED)
"""Kinds that people are alerted to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One thing that happened."""

    subscription_id: int
    kind: str
    reason: str = ""
    is_known: bool = False
    """Whether somebody of the organization did it: nobody has to be told."""


def record(cursor: Cursor[Any], transitions: Sequence[Transition]) -> None:
    """In the transaction in which they happen. Their subscriptions are locked before, by whatever kind of lock."""
    if not transitions:
        return
    cursor.execute(
        _INSERT,
        [
            [one.subscription_id for one in transitions],
            [one.kind for one in transitions],
            [one.reason for one in transitions],
            [one.is_known for one in transitions],
        ],
    )
    for one in transitions:
        logger.log(
            logging.WARNING if one.kind in (WARNED, DEACTIVATED) else logging.INFO,
            "subscription %s" if one.kind in TOLD else "circuit %s",
            one.kind,
            extra={"subscription": one.subscription_id, "reason": one.reason},
        )
    if any(one.kind in TOLD and not one.is_known for one in transitions):
        transaction.on_commit(doorbell.ALERTS.ring, robust=True)


_INSERT = """
INSERT INTO events_circuittransition (subscription_id, kind, reason, happened_at, alerted_at)
SELECT id, kind, reason, statement_timestamp(), CASE WHEN is_known THEN statement_timestamp() END
FROM unnest(%b::bigint[], %b::text[], %b::text[], %b::bool[]) WITH ORDINALITY AS new (id, kind, reason, is_known, place)
ORDER BY place
"""
