"""Why something that was seen at the provider became no event: noted where it is decided, for whoever asks later.

What did become one is in the ledger. Nothing is decided by these rows.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings

from events.plain_cursor import in_batches, plain_cursor

logger = logging.getLogger(__name__)

SEEN_BEFORE = "seen_before"
NOT_WANTED = "not_wanted"
TOO_OLD = "too_old"
PARKED = "parked"
EVENTS_OFF = "events_off"
NO_ID = "no_id"
KINDS = (SEEN_BEFORE, NOT_WANTED, TOO_OLD, PARKED, EVENTS_OFF, NO_ID)

# What the columns have room for. What does not fit is no id that anybody asks about.
LONGEST_TYPE, LONGEST_ID, LONGEST_REASON = 64, 255, 1000
FORGOTTEN_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What was decided about one object."""

    object_type: str
    object_id: str
    """Empty where records came without one."""
    source: str
    """Event.POLL or Event.WEBHOOK."""
    decision: str
    """One of KINDS."""
    reason: str = ""
    callback_id: int | None = None


def note(*, instance_id: int, decided: Sequence[Decided]) -> None:
    """Keep these, in the caller's transaction. Nothing is asked of the database where there are none."""
    rows = [one for one in decided if _fits(one.object_type, LONGEST_TYPE) and _fits(one.object_id, LONGEST_ID)]
    if not rows:
        return
    with plain_cursor() as cursor:
        cursor.execute(
            _NOTE,
            [
                instance_id,
                [one.object_type for one in rows],
                [one.object_id for one in rows],
                [one.source for one in rows],
                [one.decision for one in rows],
                [one.reason.replace("\x00", "\ufffd")[:LONGEST_REASON] for one in rows],
                # 0 stands for none: a list of nothing but NULL has no type in binary.
                [one.callback_id or 0 for one in rows],
            ],
        )


def forget_old(*, at_once: int = FORGOTTEN_AT_ONCE) -> int:
    """Delete what is older than TRACE_DAYS, in small transactions. Returns how many rows."""
    count = in_batches(_FORGET, [timedelta(days=settings.TRACE_DAYS)], at_once=at_once)
    if count:
        logger.info("old decisions forgotten", extra={"rows": count})
    return count


def _fits(text: str, longest: int) -> bool:
    return len(text) <= longest and text.isprintable()


_NOTE = """
INSERT INTO events_decision (instance_id, object_type, object_id, source, decision, reason, callback_id)
SELECT %b, object_type, object_id, source, decision, reason, nullif(callback_id, 0)
FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::bigint[])
    AS decided (object_type, object_id, source, decision, reason, callback_id)
"""

# Ids grow with time: the oldest are found without reading the others.
_FORGET = """
WITH kept AS (SELECT statement_timestamp() - %b::interval AS since),
oldest AS (SELECT id FROM events_decision ORDER BY id LIMIT %b FOR UPDATE SKIP LOCKED)
DELETE FROM events_decision AS decision USING oldest, kept
WHERE decision.id = oldest.id AND decision.decided_at < kept.since
"""
