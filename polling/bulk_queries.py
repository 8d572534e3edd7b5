"""The rows of bulk downloads: who may go on with one, what is kept of it, how it ends, when it is forgotten.

As with polls, a claim is a lease that ends by itself plus an epoch; under an older epoch nothing is written.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Sum
from django.db.models.functions import Now

from connectors.errors import DestinationRefused
from connectors.selection import Selection
from events import posting
from instances.errors import Conflict, InvalidRequest, NotFound
from instances.models import Instance
from polling.models import BulkPage, BulkQuery
from polling.schedule import LEASE, LostLease

logger = logging.getLogger(__name__)

RUNNING_AT_ONCE = 4
"""On all machines together: the threads that read pages are those that poll."""
WAITING_LIMIT = 20
"""Unfinished bulk queries of one instance."""
FORGOTTEN_AT_ONCE = 20
"""Pages of one step: each may be some megabytes."""

_ADVICE = "ask for fewer records with where, or select fewer fields"
_PROGRESS = ("page_count", "record_count", "byte_count", "columns", "page_token", "failures", "message")


@dataclass(frozen=True, slots=True)
class BulkClaim:
    """The right to go on with one bulk query, for as long as its epoch is this one."""

    query_id: int
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPage:
    """What one page adds to a result."""

    body: bytes
    record_count: int
    columns: Sequence[str] | None
    """Of the whole result so far."""
    next_page_token: str | None


def create(*, instance: Instance, selection: Selection, callback_url: str) -> BulkQuery:
    """Raises Conflict where too many wait, NotFound where the instance has gone meanwhile."""
    with transaction.atomic():
        if not Instance.objects.select_for_update(no_key=True, of=("self",)).filter(pk=instance.pk).exists():
            raise NotFound(f"There is no instance {instance.pk}")
        waiting = BulkQuery.objects.filter(instance=instance, state__in=BulkQuery.UNFINISHED).count()
        if waiting >= WAITING_LIMIT:
            raise Conflict(f"{waiting} bulk queries of this instance are not finished; wait for one, or cancel one")
        query = BulkQuery.objects.create(
            instance=instance,
            collection=selection.collection,
            selected=list(selection.fields),
            where=selection.where,
            callback_url=callback_url,
        )
    logger.info("bulk query created", extra={"bulk_query": query.pk, "instance": instance.pk})
    return query


def claim(*, limit: int = RUNNING_AT_ONCE) -> list[BulkClaim]:
    """Take what is due, the longest due first, so that no more than `limit` are under way."""
    return [BulkClaim(*row) for row in _rows(_CLAIM, {"limit": limit, "lease": LEASE})]


def begin(claim: BulkClaim) -> BulkClaim:
    """Use up a claim and get the one to read under: a doubled message finds its claim used. Raises LostLease."""
    parameters = {"query": claim.query_id, "epoch": claim.epoch, "lease": LEASE}
    for (epoch,) in _rows(_BEGIN, parameters):
        return BulkClaim(claim.query_id, epoch)
    raise LostLease(claim)


def keep_page(claim: BulkClaim, page: KeptPage) -> BulkQuery:
    """Store a page and where the next one begins, in one commit; behind the last one the query is complete.

    Raises LostLease.
    """
    with transaction.atomic():
        query = _held(claim)
        if page.record_count:
            query.page_count += 1
            BulkPage.objects.create(query=query, number=query.page_count, body=page.body)
        query.record_count += page.record_count
        query.byte_count += len(page.body)
        query.columns = None if page.columns is None else list(page.columns)
        query.page_token = page.next_page_token or ""
        query.failures, query.message = 0, ""
        query.save(update_fields=_PROGRESS)
        BulkQuery.objects.filter(pk=query.pk).update(leased_until=Now() + LEASE)
        if query.byte_count > settings.BULK_BYTES_LIMIT:
            limit = f"The result is longer than {settings.BULK_BYTES_LIMIT} bytes"
            _end(query, BulkQuery.FAILED, f"{limit}; {_ADVICE}")
        elif _bytes_of(query.instance) > settings.BULK_BYTES_PER_INSTANCE_LIMIT:
            limit = f"All results of this instance are longer than {settings.BULK_BYTES_PER_INSTANCE_LIMIT} bytes"
            kept = f"each is kept for {settings.BULK_RESULT_DAYS} days after its end"
            _end(query, BulkQuery.FAILED, f"{limit} together, and {kept}; {_ADVICE}, or ask again later")
        elif page.next_page_token is None:
            _end(query, BulkQuery.COMPLETED, "")
    return query


def note_total(claim: BulkClaim, total_count: int | None) -> None:
    """How many records there are in all. Raises LostLease."""
    rows = BulkQuery.objects.filter(pk=claim.query_id, epoch=claim.epoch, state=BulkQuery.RUNNING)
    if not rows.update(total_count=total_count, leased_until=Now() + LEASE):
        raise LostLease(claim)


def release(claim: BulkClaim) -> None:
    """Let others have a turn: due again at once, behind those that wait longer."""
    BulkQuery.objects.filter(pk=claim.query_id, epoch=claim.epoch).update(
        leased_until=None, next_step_at=Now(), epoch=F("epoch") + 1
    )


def wait(claim: BulkClaim, *, pause: timedelta, message: str) -> None:
    """The provider was in the way: go on with the same page later."""
    BulkQuery.objects.filter(pk=claim.query_id, epoch=claim.epoch, state=BulkQuery.RUNNING).update(
        leased_until=None,
        next_step_at=Now() + pause,
        epoch=F("epoch") + 1,
        failures=F("failures") + 1,
        message=message,
    )


def fail(claim: BulkClaim, message: str) -> None:
    """Asking again will not help. Raises LostLease."""
    with transaction.atomic():
        _end(_held(claim), BulkQuery.FAILED, message)


def cancel(*, query_id: int) -> BulkQuery:
    """Stop reading; what was read is dropped. Raises Conflict for a query that has ended otherwise."""
    with transaction.atomic():
        query = BulkQuery.objects.select_for_update().filter(pk=query_id).first()
        if query is None:
            raise NotFound(f"There is no bulk query {query_id}")
        if query.state in BulkQuery.UNFINISHED:
            _end(query, BulkQuery.CANCELLED, "Cancelled by a request.")
        elif query.state != BulkQuery.CANCELLED:
            raise Conflict(f"Bulk query {query_id} is {query.state}: it cannot be cancelled any more")
    return query


def report(query: BulkQuery) -> dict[str, Any]:
    """What the status says, and what the callback URL is told at the end."""
    return {
        "id": query.pk,
        "status": query.state.upper(),
        "objectName": query.collection,
        "recordsCount": query.record_count,
        "recordsFailedCount": 0,
        "recordsTotal": query.record_count if query.state == BulkQuery.COMPLETED else query.total_count,
        "message": query.message,
    }


def forget_old(*, at_once: int = FORGOTTEN_AT_ONCE) -> int:
    """Delete results of long ago, a few pages at a time, then their queries. Returns how many.

    What is still read keeps its pages, however long the provider makes it wait.
    """
    old = BulkQuery.objects.filter(finished_at__lte=Now() - timedelta(days=settings.BULK_RESULT_DAYS))
    useless = BulkQuery.objects.filter(state__in=(BulkQuery.CANCELLED, BulkQuery.FAILED))
    for queries in (old, useless):
        while pages := list(BulkPage.objects.filter(query__in=queries).values_list("pk", flat=True)[:at_once]):
            BulkPage.objects.filter(pk__in=pages).delete()
    count, _ = old.delete()
    if count:
        logger.info("old bulk queries forgotten", extra={"rows": count})
    return count


def _bytes_of(instance: Instance) -> int:
    """What its results take; those that failed or were cancelled are dropped soon."""
    kept = BulkQuery.objects.filter(instance=instance, state__in=(*BulkQuery.UNFINISHED, BulkQuery.COMPLETED))
    total: int = kept.aggregate(total=Sum("byte_count"))["total"] or 0
    return total


def _end(query: BulkQuery, state: str, message: str) -> None:
    """On a row that this transaction has locked; the report goes out in the same commit."""
    BulkQuery.objects.filter(pk=query.pk).update(
        state=state, message=message, finished_at=Now(), leased_until=None, epoch=F("epoch") + 1
    )
    query.refresh_from_db(fields=["state", "message", "finished_at", "epoch"])
    logger.info("bulk query ended", extra={"bulk_query": query.pk, "state": state, "records": query.record_count})
    if query.callback_url and state != BulkQuery.CANCELLED:
        _tell(query, report(query))


def _tell(query: BulkQuery, message: Mapping[str, Any]) -> None:
    try:
        posting.post_to(instance=query.instance, url=query.callback_url, message=message)
    except (DestinationRefused, InvalidRequest) as error:
        # It was allowed when the query began: what may be reached is the operator's to change.
        logger.info("bulk query not reported", extra={"bulk_query": query.pk, "error": type(error).__name__})


def _held(claim: BulkClaim) -> BulkQuery:
    """The row, locked for the rest of this transaction under this claim or not at all. Raises LostLease.

    The instance is locked before it, as `provisioning` does: the same order cannot deadlock.
    """
    if not _rows(_HOLD, {"query": claim.query_id, "epoch": claim.epoch}):
        raise LostLease(claim)
    return BulkQuery.objects.select_related("instance").get(pk=claim.query_id)


def _rows(statement: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


# MATERIALIZED: a plan that ran the inner SELECT twice would take more than `limit`.
_CLAIM = """
    WITH due AS MATERIALIZED (
        SELECT query.id FROM polling_bulkquery query
        JOIN instances_instance instance ON instance.id = query.instance_id AND NOT instance.is_disabled
        WHERE query.state IN ('created', 'running') AND query.next_step_at <= statement_timestamp()
            AND (query.leased_until IS NULL OR query.leased_until <= statement_timestamp())
        ORDER BY query.next_step_at, query.id
        LIMIT greatest(0, %(limit)s - (
            SELECT count(*) FROM polling_bulkquery
            WHERE state IN ('created', 'running') AND leased_until > statement_timestamp()
        ))
        FOR UPDATE OF query SKIP LOCKED
    )
    UPDATE polling_bulkquery query SET leased_until = statement_timestamp() + %(lease)s, epoch = epoch + 1
    FROM due WHERE query.id = due.id
    RETURNING query.id, query.epoch"""

_BEGIN = """
    UPDATE polling_bulkquery query
    SET epoch = epoch + 1, state = 'running', leased_until = statement_timestamp() + %(lease)s
    FROM instances_instance instance
    WHERE query.id = %(query)s AND query.epoch = %(epoch)s AND query.state IN ('created', 'running')
        AND instance.id = query.instance_id AND NOT instance.is_disabled
    RETURNING query.epoch"""

_HOLD = """
    WITH instance AS MATERIALIZED (
        SELECT instance.id FROM instances_instance instance
        JOIN polling_bulkquery query ON query.instance_id = instance.id
        WHERE query.id = %(query)s AND NOT instance.is_disabled FOR KEY SHARE OF instance
    )
    SELECT query.id FROM polling_bulkquery query JOIN instance ON query.instance_id = instance.id
    WHERE query.id = %(query)s AND query.epoch = %(epoch)s AND query.state = 'running' FOR UPDATE OF query"""
