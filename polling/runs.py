"""How polls went, for whoever asks what happened to a change: those that found something new, and those that failed.

Most polls find nothing new. They leave no row: their cursor says when the last one was, and up to where it read.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.conf import settings

from events.plain_cursor import in_batches, plain_cursor
from polling.schedule import Claim

logger = logging.getLogger(__name__)

FORGOTTEN_AT_ONCE = 5_000


def note_success(
    claim: Claim,
    *,
    instance_id: int,
    resource: str,
    since: datetime,
    until: datetime,
    record_count: int,
    change_count: int,
) -> None:
    """A poll found something new; in the transaction that records it. `since` and `until` are the provider's time."""
    with plain_cursor() as cursor:
        cursor.execute(_NOTE_SUCCESS, [instance_id, resource, claim.began_at, since, until, record_count, change_count])


def note_failure(claim: Claim, *, error: str, budget: str) -> None:
    """A poll failed. A claim that is lost leaves no trace, so this comes before the failure uses it up."""
    with plain_cursor() as cursor:
        cursor.execute(_NOTE_FAILURE, [claim.began_at, error, budget, claim.cursor_id, claim.epoch])


def forget_old(*, at_once: int = FORGOTTEN_AT_ONCE) -> int:
    """Delete what is older than TRACE_DAYS, in small transactions. Returns how many rows."""
    count = in_batches(_FORGET, [timedelta(days=settings.TRACE_DAYS)], at_once=at_once)
    if count:
        logger.info("old polls forgotten", extra={"rows": count})
    return count


_NOTE_SUCCESS = """
INSERT INTO polling_pollrun
    (instance_id, resource, began_at, since, until, record_count, change_count, error, budget)
VALUES (%b, %b, coalesce(%b, statement_timestamp()), %b, %b, %b, %b, '', '')
"""

_NOTE_FAILURE = """
INSERT INTO polling_pollrun (instance_id, resource, began_at, since, record_count, change_count, error, budget)
SELECT instance_id, resource, coalesce(%b, statement_timestamp()), watermark, 0, 0, %b, %b
FROM polling_pollcursor WHERE id = %b AND epoch = %b AND is_active
"""

# Ids grow with time: the oldest are found without reading the others.
_FORGET = """
WITH kept AS (SELECT statement_timestamp() - %b::interval AS since),
oldest AS (SELECT id FROM polling_pollrun ORDER BY id LIMIT %b FOR UPDATE SKIP LOCKED)
DELETE FROM polling_pollrun AS run USING oldest, kept
WHERE run.id = oldest.id AND run.began_at < kept.since
"""
