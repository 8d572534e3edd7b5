"""Which resource of which instance is polled when, and by whom.

A cursor's due time, lease and epoch are columns that are written in SQL, by the database's clock. A claim is a lease
that ends by itself plus an epoch; whatever was decided under an older epoch (an abandoned claim, a changed
configuration, a stop) finds no row to write to.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from instances import provisioning
from polling.models import PollCursor

logger = logging.getLogger(__name__)

# A poll renews its lease between pages; one page takes 30 s at the most.
LEASE = timedelta(seconds=settings.POLL_LEASE_SECONDS)
# A provider that asks for more than this is asked again after it.
LONGEST_PAUSE = timedelta(days=1)

OWN_FAULT_WAIT = timedelta(minutes=1)

# How far apart the polls of so many instances begin that are wanted at once.
_SPREADS = ((500, timedelta(seconds=30)), (20, timedelta(seconds=2)))

CREDENTIALS_REFUSED = "The provider refused the credentials. Polling goes on once the configuration is changed."


class LostLease(Exception):
    """Somebody else has this cursor by now, or it was stopped or deleted: nothing of this poll may be kept."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to poll one cursor, for as long as its epoch is this one."""

    cursor_id: int
    epoch: int
    began_at: datetime | None = field(default=None, compare=False)
    """By the database's clock; None until the poll begins."""


def claim(*, limit: int) -> list[Claim]:
    """Take up to `limit` due cursors, the longest due first; committed at once, so that no other sweep takes them."""
    return [Claim(*row) for row in _rows(_CLAIM, {"limit": limit, "lease": LEASE})]


def begin(claim: Claim) -> Claim:
    """Use up a claim and get the one to poll under: a doubled message finds its claim used.

    Raises LostLease, also when the cursor has been told to wait (by a 429 of its account) since it was claimed.
    """
    for epoch, is_due, now in _rows(_BEGIN, {"cursor": claim.cursor_id, "epoch": claim.epoch, "lease": LEASE}):
        if is_due:
            return Claim(claim.cursor_id, epoch, began_at=now)
    raise LostLease(claim)


def renew(claim: Claim) -> None:
    """Have another LEASE from now. Raises LostLease."""
    parameters = {"cursor": claim.cursor_id, "epoch": claim.epoch, "lease": LEASE}
    if not _rows(_RENEW, parameters):
        raise LostLease(claim)


def hold(claim: Claim) -> None:
    """Lock the cursor for the rest of this transaction: under this claim or not at all. Raises LostLease.

    The instance is locked before it, as `provisioning` does: the same order cannot deadlock.
    """
    if not _rows(_HOLD, {"cursor": claim.cursor_id, "epoch": claim.epoch}):
        raise LostLease(claim)


def release(claims: Collection[Claim]) -> None:
    """Give claims back unused: the cursors are due as before."""
    ids, epochs = [c.cursor_id for c in claims], [c.epoch for c in claims]
    _rows(_RELEASE, {"cursors": ids, "epochs": epochs})


def succeeded(
    claim: Claim,
    *,
    interval: timedelta,
    watermark: datetime,
    remembered_since: datetime,
    known_id: int | None,
    change_count: int,
) -> None:
    """Write a poll's progress, in the transaction that records its changes. Raises LostLease."""
    parameters = {
        "cursor": claim.cursor_id,
        "epoch": claim.epoch,
        "interval": interval,
        "floor": _floor(),
        "watermark": watermark,
        "remembered_since": remembered_since,
        "known_id": known_id,
        "began_at": claim.began_at,
        "changes": change_count,
    }
    if not _rows(_SUCCEEDED, parameters):
        raise LostLease(claim)


def failed(claim: Claim, *, interval: timedelta, error: str, not_before: timedelta | None = None) -> None:
    """The poll came to nothing: ask again later, and later still each time, up to the instance's own interval.

    After `POLL_FAILURES_BEFORE_DISABLING` in a row the whole instance is no longer polled, until its configuration
    changes or it is enabled. A lost claim counts no failure.
    """
    with transaction.atomic():
        failures = _count_failure(claim, interval=interval, error=error, not_before=not_before)
        if failures is None or failures < settings.POLL_FAILURES_BEFORE_DISABLING:
            return
        cursor = PollCursor.objects.get(pk=claim.cursor_id)
        reason = f"Stopped after {failures} polls of {cursor.resource} failed in a row, the last one with: {error}"
        _stop(instance_id=cursor.instance_id, reason=reason)
    logger.warning(
        "polling stopped after too many failures",
        extra={"instance": cursor.instance_id, "resource": cursor.resource, "failures": failures},
    )


def set_back(claim: Claim, *, interval: timedelta, error: str) -> None:
    """A fault of ours, not the provider's: it counts as no failure, however often it comes, and is tried again soon."""
    wait = max(min(interval, OWN_FAULT_WAIT), _floor())
    _rows(_SET_BACK, {"cursor": claim.cursor_id, "epoch": claim.epoch, "wait": wait, "error": error})


def permission_refused(claim: Claim, *, interval: timedelta, error: str) -> None:
    """One resource is closed to these credentials: it alone backs off, and in the end it alone is stopped."""
    with transaction.atomic():
        failures = _count_failure(claim, interval=interval, error=error)
        if failures is not None and failures >= settings.POLL_FAILURES_BEFORE_DISABLING:
            reason = f"Stopped after {failures} refusals in a row, the last one: {error}"
            PollCursor.objects.filter(pk=claim.cursor_id).update(
                is_active=False, stopped_reason=reason, epoch=F("epoch") + 1
            )


def rate_limited(claim: Claim, *, provider_account: str, retry_after: timedelta, error: str) -> None:
    """429: every cursor of every instance of this provider account waits. It counts as no failure."""
    pause = min(retry_after, LONGEST_PAUSE)
    _rows(_PAUSE_ACCOUNT, {"account": provider_account, "pause": pause})
    _rows(_END_UNCOUNTED, {"cursor": claim.cursor_id, "epoch": claim.epoch, "error": error})


def credentials_refused(claim: Claim, *, instance_id: int, error: str) -> None:
    """401: the same credentials will not do later either. Ask no more until the configuration changes."""
    with transaction.atomic():
        hold(claim)
        _rows(_END_UNCOUNTED, {"cursor": claim.cursor_id, "epoch": claim.epoch, "error": error})
        provisioning.mark_needs_attention(instance_id, error)
        _stop(instance_id=instance_id, reason=CREDENTIALS_REFUSED)
    logger.warning("polling stopped, credentials refused", extra={"instance": instance_id})


def poll_now(cursor_ids: Sequence[int]) -> int:
    """Make cursors due, stopped ones excepted. Returns how many."""
    return PollCursor.objects.filter(pk__in=cursor_ids, is_active=True).update(next_poll_at=Now())


def hasten(*, instance_ids: Collection[int]) -> int:
    """Make the cursors of these instances due: at once, or spread a little where they are many. Returns how many."""
    spread = next((span for least, span in _SPREADS if len(instance_ids) > least), timedelta(0))
    return len(_rows(_HASTEN, {"instances": list(instance_ids), "spread": spread}))


def _count_failure(claim: Claim, *, interval: timedelta, error: str, not_before: timedelta | None = None) -> int | None:
    """Returns the consecutive failures so far; None when the claim is lost."""
    parameters = {
        "cursor": claim.cursor_id,
        "epoch": claim.epoch,
        "interval": interval,
        "floor": _floor(),
        "not_before": min(not_before or timedelta(0), LONGEST_PAUSE),
        "error": error,
    }
    rows = _rows(_FAILED, parameters)
    return rows[0][0] if rows else None


def _stop(*, instance_id: int, reason: str) -> None:
    PollCursor.objects.filter(instance_id=instance_id, is_active=True).update(
        is_active=False, stopped_reason=reason, epoch=F("epoch") + 1, leased_until=None
    )


def _floor() -> timedelta:
    return timedelta(seconds=settings.POLL_INTERVAL_FLOOR)


def _rows(statement: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


# MATERIALIZED: a plan that ran the inner SELECT twice would take more than `limit`.
_CLAIM = """
    WITH due AS MATERIALIZED (
        SELECT id FROM polling_pollcursor
        WHERE is_active AND next_poll_at <= statement_timestamp()
            AND (leased_until IS NULL OR leased_until <= statement_timestamp())
        ORDER BY next_poll_at, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    )
    UPDATE polling_pollcursor cursor SET leased_until = statement_timestamp() + %(lease)s, epoch = epoch + 1
    FROM due WHERE cursor.id = due.id
    RETURNING cursor.id, cursor.epoch"""

_BEGIN = """
    UPDATE polling_pollcursor
    SET epoch = epoch + 1,
        leased_until = CASE WHEN next_poll_at <= statement_timestamp() THEN statement_timestamp() + %(lease)s END
    WHERE id = %(cursor)s AND epoch = %(epoch)s AND is_active
    RETURNING epoch, next_poll_at <= statement_timestamp(), statement_timestamp()"""

_RENEW = """
    UPDATE polling_pollcursor SET leased_until = statement_timestamp() + %(lease)s
    WHERE id = %(cursor)s AND epoch = %(epoch)s AND is_active
    RETURNING id"""

_HOLD = """
    WITH instance AS MATERIALIZED (
        SELECT instance.id FROM instances_instance instance
        JOIN polling_pollcursor cursor ON cursor.instance_id = instance.id
        WHERE cursor.id = %(cursor)s FOR KEY SHARE OF instance
    )
    SELECT cursor.id FROM polling_pollcursor cursor JOIN instance ON cursor.instance_id = instance.id
    WHERE cursor.id = %(cursor)s AND cursor.epoch = %(epoch)s AND cursor.is_active FOR UPDATE OF cursor"""

_RELEASE = """
    UPDATE polling_pollcursor cursor SET leased_until = NULL, epoch = cursor.epoch + 1
    FROM unnest(%(cursors)s::bigint[], %(epochs)s::int[]) AS claim (id, epoch)
    WHERE cursor.id = claim.id AND cursor.epoch = claim.epoch
    RETURNING cursor.id"""

# A pause of the account that came in meanwhile outlasts the interval: hence greatest().
_SUCCEEDED = """
    UPDATE polling_pollcursor SET
        watermark = %(watermark)s, remembered_since = %(remembered_since)s, known_id = %(known_id)s,
        is_baseline_read = TRUE,
        next_poll_at = greatest(next_poll_at, statement_timestamp() + greatest(%(interval)s, %(floor)s)),
        epoch = epoch + 1, leased_until = NULL, failures = 0, last_error = '',
        last_polled_at = statement_timestamp(), covered_at = %(began_at)s, last_change_count = %(changes)s
    WHERE id = %(cursor)s AND epoch = %(epoch)s AND is_active
    RETURNING id"""

_FAILED = """
    UPDATE polling_pollcursor SET
        next_poll_at = greatest(
            next_poll_at,
            statement_timestamp() + %(not_before)s,
            statement_timestamp() + least(%(floor)s * power(2, least(failures, 20)), greatest(%(interval)s, %(floor)s))
                * (1 + random() / 10)
        ),
        epoch = epoch + 1, leased_until = NULL, failures = failures + 1,
        last_error = %(error)s, last_polled_at = statement_timestamp()
    WHERE id = %(cursor)s AND epoch = %(epoch)s AND is_active
    RETURNING failures"""

_END_UNCOUNTED = """
    UPDATE polling_pollcursor SET
        epoch = epoch + 1, leased_until = NULL, last_error = %(error)s, last_polled_at = statement_timestamp()
    WHERE id = %(cursor)s AND epoch = %(epoch)s AND is_active
    RETURNING id"""

_SET_BACK = """
    UPDATE polling_pollcursor SET
        next_poll_at = greatest(next_poll_at, statement_timestamp() + %(wait)s * (1 + random() / 10)),
        epoch = epoch + 1, leased_until = NULL, last_error = %(error)s, last_polled_at = statement_timestamp()
    WHERE id = %(cursor)s AND epoch = %(epoch)s AND is_active
    RETURNING id"""

# Up to a second apart, so that the account is not asked for everything at once when the pause ends. The rows are
# locked in one order: two workers of one account may be told to wait at the same time.
_PAUSE_ACCOUNT = """
    UPDATE polling_pollcursor
    SET next_poll_at = greatest(next_poll_at, statement_timestamp() + %(pause)s + random() * interval '1 s')
    WHERE id IN (
        SELECT cursor.id FROM polling_pollcursor cursor
        JOIN instances_instance instance ON instance.id = cursor.instance_id
        WHERE instance.provider_account = %(account)s ORDER BY cursor.id FOR UPDATE OF cursor
    )
    RETURNING id"""

# In the same order.
_HASTEN = """
    UPDATE polling_pollcursor
    SET next_poll_at = least(next_poll_at, statement_timestamp() + random() * %(spread)s)
    WHERE id IN (
        SELECT id FROM polling_pollcursor WHERE instance_id = ANY(%(instances)s) AND is_active ORDER BY id FOR UPDATE
    )
    RETURNING id"""
