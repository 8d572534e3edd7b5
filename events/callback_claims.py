"""Taking callbacks that wait, for a while, and writing down what became of them: the SQL of `standardize`.

A lease ends by itself, and an epoch tells claims apart: what was found out under an older one finds no row to write
to. Due times are compared by `statement_timestamp()`, the database's clock.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction

from connectors.callbacks import InboundCallback
from events.models import Callback
from events.plain_cursor import follow_indexes, plain_cursor

LEASE = timedelta(seconds=60)
BYTES_AT_ONCE = 16 * 1024 * 1024
"""Of bodies; the last callback that begins within them is taken whole."""
REFUSED_KEPT = 20
"""Of each instance, for people to look at."""
REFUSED_BODY = 4096
"""Bytes of a refused body that are kept."""
LONGEST_REASON = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A callback that is ours under this epoch."""

    callback_id: int
    epoch: int
    instance_id: int
    attempts_made: int
    inbound: InboundCallback = field(repr=False)
    accepts_unsigned: bool
    received_at: float
    """When it was received, as `time.monotonic()` of this process counts; never too early."""
    received_on: datetime
    age: timedelta
    """Since then. This and the moment are by the database's clock."""
    reason: str
    """Why it waits: what came of the attempt before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What became of a claim."""

    claim: Claim
    state: str
    """One of Callback.STATES."""
    reason: str = ""
    message_id: str = ""
    attempts_made: int = 0
    wait: timedelta = timedelta(0)
    """Until the next attempt, where it goes on waiting."""


def claim(*, limit: int) -> list[Claim]:
    """Take up to `limit` callbacks that are due and whose inbox is open, the longest due first."""
    with transaction.atomic(), plain_cursor() as cursor:
        follow_indexes(cursor)
        cursor.execute(_CLAIM, [limit, LEASE, BYTES_AT_ONCE], binary=True)
        rows = cursor.fetchall()
    now = time.monotonic()
    return [
        Claim(
            callback_id=callback_id,
            epoch=epoch,
            instance_id=instance_id,
            attempts_made=attempts_made,
            inbound=InboundCallback(body=bytes(body), signature=signature, query=query),
            accepts_unsigned=accepts_unsigned,
            received_at=now - age.total_seconds(),
            received_on=received_on,
            age=age,
            reason=reason,
        )
        for (
            callback_id,
            epoch,
            instance_id,
            attempts_made,
            body,
            signature,
            query,
            reason,
            accepts_unsigned,
            received_on,
            age,
        ) in rows
    ]


def release(claims: Iterable[Claim]) -> None:
    """Give callbacks back untouched: they are due as before."""
    ids, epochs = _keys(claims)
    if ids:
        with plain_cursor() as cursor:
            cursor.execute(_RELEASE, [ids, epochs])


def take_turn(*, instance_id: int) -> None:
    """For the rest of this transaction, be the only one that decides about callbacks of this instance.

    The instance's row is locked so that it can be neither switched off nor deleted meanwhile. What one decides the
    next one finds in the ledger: two callbacks of one moment would otherwise be decided without each other.
    """
    with plain_cursor() as cursor:
        cursor.execute(_SHARE_INSTANCE, [instance_id])
        cursor.execute(_TAKE_TURN, [_TURNS, instance_id])


def hold(claims: Collection[Claim]) -> set[int]:
    """Lock these callbacks for the rest of this transaction. Returns the ids of those that are still ours."""
    with plain_cursor() as cursor:
        follow_indexes(cursor)
        cursor.execute(_HOLD, [*_keys(claims)])
        return {callback_id for (callback_id,) in cursor}


def done_messages(*, instance_id: int, message_ids: Collection[str]) -> set[str]:
    """Which of these messages were standardized before."""
    if not message_ids:
        return set()
    with plain_cursor() as cursor:
        cursor.execute(_DONE_MESSAGES, [instance_id, sorted(message_ids)])
        return {message_id for (message_id,) in cursor}


def parked_unsigned(*, instance_id: int, limit: int) -> int:
    """How many callbacks without a signature are parked, counted up to `limit`."""
    with plain_cursor() as cursor:
        cursor.execute(_PARKED_UNSIGNED, [instance_id, limit])
        row = cursor.fetchone()
        assert row is not None
        count: int = row[0]
        return count


def write(ended: Sequence[Ended]) -> None:
    """Store what became of callbacks that are held, in the caller's transaction."""
    if not ended:
        return
    rows = sorted(ended, key=lambda one: one.claim.callback_id)
    with plain_cursor() as cursor:
        follow_indexes(cursor)
        cursor.execute(
            _WRITE,
            [
                REFUSED_BODY,
                [one.claim.callback_id for one in rows],
                [one.claim.epoch for one in rows],
                [one.state for one in rows],
                [_text(one.reason)[:LONGEST_REASON] for one in rows],
                [one.message_id for one in rows],
                [min(one.attempts_made, 32767) for one in rows],
                [one.wait.total_seconds() for one in rows],
            ],
        )


def count_refused(ended: Sequence[Ended], *, instance_id: int) -> None:
    """Count refused callbacks on their inbox and drop all but the newest of the rows, in the caller's transaction."""
    with plain_cursor() as cursor:
        cursor.execute(_COUNT_REFUSED, [len(ended), _text(ended[-1].reason)[:LONGEST_REASON], instance_id])
        cursor.execute(_DROP_REFUSED, [instance_id, instance_id, REFUSED_KEPT - 1])


def drop(claims: Collection[Claim]) -> None:
    """Forget callbacks of an instance that does not listen any more, in the caller's transaction."""
    Callback.objects.filter(pk__in=[claim.callback_id for claim in claims]).delete()


def _keys(claims: Iterable[Claim]) -> tuple[list[int], list[int]]:
    pairs = sorted((claim.callback_id, claim.epoch) for claim in claims)
    return [callback_id for callback_id, _ in pairs], [epoch for _, epoch in pairs]


def _text(text: str) -> str:
    """What PostgreSQL can keep: any text without NUL."""
    return text.replace("\x00", "\ufffd")


# A common table expression that locks rows runs once, so its LIMIT holds. What is locked and does not fit is let go
# with the commit.
_CLAIM = """
WITH due AS (
    SELECT callback.id, callback.next_attempt_at, octet_length(callback.body) AS size, inbox.accepts_unsigned
    FROM events_callback AS callback
    JOIN events_inbox AS inbox ON inbox.instance_id = callback.instance_id
    WHERE callback.state = 'waiting' AND callback.next_attempt_at <= statement_timestamp()
        AND (callback.leased_until IS NULL OR callback.leased_until < statement_timestamp())
        AND inbox.is_open
    ORDER BY callback.next_attempt_at, callback.id LIMIT %b FOR UPDATE OF callback SKIP LOCKED
), fitting AS (
    SELECT id, accepts_unsigned, sum(size) OVER (ORDER BY next_attempt_at, id) - size AS size_before FROM due
)
UPDATE events_callback AS callback
SET leased_until = statement_timestamp() + %b, epoch = callback.epoch + 1
FROM fitting WHERE callback.id = fitting.id AND fitting.size_before < %b
RETURNING callback.id, callback.epoch, callback.instance_id, callback.attempts_made, callback.body, callback.signature,
    callback.query, callback.reason, fitting.accepts_unsigned, callback.received_at,
    statement_timestamp() - callback.received_at
"""

_RELEASE = """
UPDATE events_callback AS callback SET leased_until = NULL
FROM unnest(%b::bigint[], %b::int[]) AS claimed (id, epoch)
WHERE callback.id = claimed.id AND callback.epoch = claimed.epoch AND callback.state = 'waiting'
"""

_SHARE_INSTANCE = "SELECT FROM instances_instance WHERE id = %b FOR KEY SHARE"

# Any number will do, as long as no other use of advisory locks takes the same.
_TURNS = 0x5CA11
_TAKE_TURN = "SELECT pg_advisory_xact_lock(%b::int4, (%b::bigint %% 2147483648)::int4)"

_HOLD = """
SELECT callback.id FROM events_callback AS callback
JOIN unnest(%b::bigint[], %b::int[]) AS claimed (id, epoch)
    ON callback.id = claimed.id AND callback.epoch = claimed.epoch
WHERE callback.state = 'waiting' ORDER BY callback.id FOR UPDATE OF callback
"""

_DONE_MESSAGES = """
SELECT DISTINCT message_id FROM events_callback
WHERE instance_id = %b AND message_id = ANY(%b::text[]) AND message_id <> '' AND state = 'done'
"""

_PARKED_UNSIGNED = """
SELECT count(*) FROM (
    SELECT FROM events_callback WHERE instance_id = %b AND state = 'parked' AND signature = '' LIMIT %b
) AS parked
"""

_WRITE = """
UPDATE events_callback AS callback SET
    state = ended.state,
    reason = ended.reason,
    message_id = ended.message_id,
    attempts_made = ended.attempts_made,
    next_attempt_at = statement_timestamp() + ended.wait * interval '1 second',
    leased_until = NULL,
    body = CASE ended.state
        WHEN 'done' THEN ''::bytea WHEN 'refused' THEN substring(callback.body FOR %b::int) ELSE callback.body
    END
FROM unnest(%b::bigint[], %b::int[], %b::text[], %b::text[], %b::text[], %b::int[], %b::float8[])
    AS ended (id, epoch, state, reason, message_id, attempts_made, wait)
WHERE callback.id = ended.id AND callback.epoch = ended.epoch AND callback.state = 'waiting'
"""

_COUNT_REFUSED = """
UPDATE events_inbox
SET refused_count = refused_count + %b::bigint, last_refused_at = statement_timestamp(), last_refused_reason = %b
WHERE instance_id = %b
"""

_DROP_REFUSED = """
DELETE FROM events_callback WHERE instance_id = %b AND state = 'refused' AND id < (
    SELECT id FROM events_callback WHERE instance_id = %b AND state = 'refused'
    ORDER BY id DESC OFFSET %b::bigint LIMIT 1
)
"""
