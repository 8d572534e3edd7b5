"""Who makes the provider agree with an inbox: one at a time, by a lease that ends by itself and an epoch.

Times are the database's. Whatever was decided under an older epoch finds no row to write to.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection

LEASE = timedelta(seconds=60)
"""Renewed before each call to the provider, which takes CALL_SECONDS (`registrations`) at most."""


class LostLease(Exception):
    """Somebody else has this inbox by now, or it is gone."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to act for one inbox, for as long as its epoch is this one."""

    inbox_id: int
    epoch: int


def claim(inbox_id: int) -> Claim | None:
    """Take this inbox. None: another has it, or it is not due."""
    return _claimed(_CLAIM, inbox_id)


def claim_next() -> Claim | None:
    """Take the inbox that has been due the longest, if one is."""
    return _claimed(_CLAIM_NEXT, None)


def renew(claim: Claim) -> None:
    """Have another LEASE from now. Raises LostLease."""
    _one(_RENEW, claim)


def hold(claim: Claim) -> int:
    """Lock the inbox for the rest of this transaction; its wanted version. Raises LostLease.

    Who also writes to the instance locks that first, as `provisioning` does: the same order cannot deadlock.
    """
    return _one(_HOLD, claim)


def _claimed(statement: str, inbox_id: int | None) -> Claim | None:
    parameters: dict[str, Any] = {"inbox": inbox_id, "lease": LEASE}
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        row = cursor.fetchone()
    return Claim(*row) if row else None


def _one(statement: str, claim: Claim) -> int:
    parameters: dict[str, Any] = {"inbox": claim.inbox_id, "epoch": claim.epoch, "lease": LEASE}
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        row = cursor.fetchone()
    if row is None:
        raise LostLease(claim)
    return int(row[0])


_CLAIM = """
    UPDATE events_inbox SET leased_until = statement_timestamp() + %(lease)s, epoch = epoch + 1
    WHERE id = %(inbox)s AND next_check_at <= statement_timestamp()
        AND (leased_until IS NULL OR leased_until <= statement_timestamp())
    RETURNING id, epoch"""

# MATERIALIZED: a plan that ran the inner SELECT twice would take more than one.
_CLAIM_NEXT = """
    WITH due AS MATERIALIZED (
        SELECT id FROM events_inbox
        WHERE next_check_at <= statement_timestamp()
            AND (leased_until IS NULL OR leased_until <= statement_timestamp())
        ORDER BY next_check_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    UPDATE events_inbox inbox SET leased_until = statement_timestamp() + %(lease)s, epoch = epoch + 1
    FROM due WHERE inbox.id = due.id
    RETURNING inbox.id, inbox.epoch"""

_RENEW = """
    UPDATE events_inbox SET leased_until = statement_timestamp() + %(lease)s
    WHERE id = %(inbox)s AND epoch = %(epoch)s
    RETURNING id"""

_HOLD = """
    SELECT wanted_version FROM events_inbox WHERE id = %(inbox)s AND epoch = %(epoch)s FOR UPDATE"""
