"""Writing down how attempts went: many at once, deliveries and attempts in one transaction."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db import DatabaseError, InterfaceError, InternalError, OperationalError, connection, transaction

from events import deactivation, ordering
from events.claims import Claim
from events.plain_cursor import follow_indexes, plain_cursor
from events.retries import ErrorClass, Verdict

logger = logging.getLogger(__name__)

# The last one is how it ends a connection whose transaction did nothing for too long.
DATABASE_AWAY = (OperationalError, InterfaceError, InternalError)
DATABASE_PATIENCE_SECONDS = 20.0
"""How long outcomes are kept while the database is away."""
DATABASE_RETRY_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """An attempt that has ended, and what was decided about its delivery."""

    claim: Claim
    verdict: Verdict
    started_at: datetime
    duration_ms: int
    status: int | None
    error_class: ErrorClass
    error: str = field(repr=False)
    excerpt: bytes = field(repr=False)
    retry_after: timedelta | None = None
    """What the receiver asked for."""


def store(ended: Sequence[Ended]) -> None:
    """Write outcomes, through a restart of the database if need be: without them everything would be sent again.

    What became of deliveries counts for more than the log of attempts: it is stored even if that cannot be.
    """
    give_up_at = time.monotonic() + DATABASE_PATIENCE_SECONDS
    while True:
        try:
            lost = write(ended)
        except DATABASE_AWAY:
            if connection.in_atomic_block or time.monotonic() > give_up_at:
                raise
            logger.warning("outcomes wait for the database", extra={"outcomes": len(ended)})
            connection.close_if_unusable_or_obsolete()
            time.sleep(DATABASE_RETRY_SECONDS)
            continue
        except DatabaseError:
            logger.exception("attempts could not be stored", extra={"attempts": len(ended)})
            lost = write(ended, with_attempts=False)
        for delivery_id in lost:
            logger.warning("outcome of a lost claim ignored", extra={"delivery": delivery_id})
        return


def write(ended: Sequence[Ended], *, with_attempts: bool = True) -> list[int]:
    """Store outcomes. Returns the deliveries that were no longer ours: for those nothing but the attempt is kept.

    Subscriptions are locked before deliveries, as everywhere.
    """
    with transaction.atomic(), plain_cursor() as cursor:
        ended = deactivation.carry_out(cursor, ended)
        ordering.lock(cursor, ended)
        rows = sorted(ended, key=lambda one: one.claim.delivery_id)
        follow_indexes(cursor, is_planned_once=True)
        cursor.execute(_UPDATE, [_json([_state(one) for one in rows])], binary=True, prepare=True)
        kept = {delivery_id for (delivery_id,) in cursor}
        ordering.advance(cursor, [one for one in rows if one.claim.delivery_id in kept])
        if with_attempts:
            cursor.execute(_INSERT_ATTEMPTS, [_json([_attempt(one) for one in rows])], prepare=True)
    return [one.claim.delivery_id for one in rows if one.claim.delivery_id not in kept]


def _json(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows for one statement. Arrays, one for each column, take the client longer than everything else it does."""
    return orjson.dumps(rows).decode()


def _state(one: Ended) -> Mapping[str, Any]:
    return {
        "id": one.claim.delivery_id,
        "epoch": one.claim.epoch,
        "state": one.verdict.state,
        "attempts_made": one.verdict.attempts_made,
        "wait": one.verdict.wait.total_seconds(),
        "first_failure": one.verdict.first_failure,
    }


def _attempt(one: Ended) -> Mapping[str, Any]:
    return {
        "delivery_id": one.claim.delivery_id,
        "number": min(one.claim.epoch, 32767),
        "started_at": one.started_at,
        "duration_ms": one.duration_ms,
        "status": one.status,
        "error_class": one.error_class.value,
        "error": _text(one.error),
        "response_excerpt": _text(one.excerpt.decode(errors="replace")),
    }


def _text(text: str) -> str:
    """What PostgreSQL can keep: any text without NUL."""
    return text.replace("\x00", "\ufffd")


# While an attempt was under way its delivery may have been queued: a success is still one, a failure leaves it there.
_UPDATE = """
UPDATE events_delivery AS delivery SET
    state = CASE WHEN ended.state = 'delivered' OR delivery.state = 'pending' THEN ended.state ELSE delivery.state END,
    attempts_made = ended.attempts_made,
    first_failed_at = CASE ended.first_failure
        WHEN 'note' THEN coalesce(delivery.first_failed_at, statement_timestamp())
        WHEN 'keep' THEN delivery.first_failed_at
    END,
    next_attempt_at = statement_timestamp() + ended.wait * interval '1 second',
    leased_until = NULL,
    updated_at = statement_timestamp()
FROM json_to_recordset(%s::json)
    AS ended (id bigint, epoch int, state text, attempts_made int, wait float8, first_failure text)
WHERE delivery.id = ended.id AND delivery.epoch = ended.epoch
RETURNING delivery.id
"""

# Joined, since the instance and all that hangs on it may have been deleted while an attempt was under way.
_INSERT_ATTEMPTS = """
INSERT INTO events_deliveryattempt
    (delivery_id, number, started_at, duration_ms, status, error_class, error, response_excerpt)
SELECT ended.* FROM json_to_recordset(%s::json) AS ended (
    delivery_id bigint, number int, started_at timestamptz, duration_ms int, status smallint,
    error_class text, error text, response_excerpt text
)
JOIN events_delivery AS delivery ON delivery.id = ended.delivery_id
"""
