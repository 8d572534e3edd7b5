"""One turn of a bulk download: a few pages, each kept in a commit of its own.

Pages follow the ids, so a process that dies loses the page it was reading and nothing else, and edits between two
turns neither hide nor repeat a record.
"""

from __future__ import annotations

import logging
from datetime import timedelta

import msgspec
from django.conf import settings
from django.db import InterfaceError, OperationalError

from connectors import hub
from connectors.connection import Connection
from connectors.errors import ConnectorError, TryLater
from connectors.records import LARGEST_PAGE_SIZE, Page
from instances.configuration import connection_of
from polling import bulk_queries, csv_table
from polling.bulk_queries import BulkClaim, KeptPage
from polling.models import BulkQuery
from polling.schedule import LONGEST_PAUSE, LostLease

logger = logging.getLogger(__name__)

PAGES_PER_TURN = 10
"""Others wait for the thread, polls among them."""
FIRST_PAUSE, LONGEST_OWN_PAUSE = timedelta(seconds=2), timedelta(minutes=5)
LONGEST_MESSAGE = 1_000


def go_on(claim: BulkClaim, *, pages: int = PAGES_PER_TURN, page_size: int = LARGEST_PAGE_SIZE) -> None:
    """Read up to `pages` pages under a claim and write down how it went; a claim that is lost leaves no trace.

    Raises OperationalError or InterfaceError when the database is gone; the lease then ends by itself.
    """
    try:
        claim = bulk_queries.begin(claim)
        query = BulkQuery.objects.select_related("instance").get(pk=claim.query_id)
    except (LostLease, BulkQuery.DoesNotExist):
        logger.info("bulk query not begun, its claim is lost", extra={"bulk_query": claim.query_id})
        return
    try:
        _read(claim, query, pages=pages, page_size=page_size)
    except LostLease:
        logger.info("bulk page dropped, its claim is lost", extra=_ids(query))
    except (OperationalError, InterfaceError):
        raise
    except ConnectorError as error:
        _write_trouble(claim, query, error)
    except Exception:
        logger.exception("bulk query failed by a fault of ours", extra=_ids(query))
        _fail(claim, query, "A fault of ours; the log has it.")


def _read(claim: BulkClaim, query: BulkQuery, *, pages: int, page_size: int) -> None:
    connection = connection_of(query.instance)
    for _ in range(pages):
        found = hub.find(
            connection,
            query.collection,
            where=query.where or None,
            fields=query.selected,
            page_size=page_size,
            page_token=query.page_token or None,
        )
        if found.next_page_token and found.next_page_token == query.page_token:
            raise ConnectorError("The provider's pages do not go on: the same page token came twice")
        is_first = not query.page_token
        query = bulk_queries.keep_page(claim, _kept(query, found))
        if query.state != BulkQuery.RUNNING:
            return
        if is_first:
            bulk_queries.note_total(claim, _total(connection, query))
    bulk_queries.release(claim)


def _kept(query: BulkQuery, found: Page) -> KeptPage:
    try:
        records = found.records()
        columns = None if query.columns is None else csv_table.columns_with(query.columns, records)
    except csv_table.TooManyColumns:
        columns = None
    except (msgspec.DecodeError, RecursionError):
        raise ConnectorError("A record is nested too deeply, or holds what is no JSON") from None
    return KeptPage(
        body=found.body.strip()[1:-1].strip(),
        record_count=len(records),
        columns=columns,
        next_page_token=found.next_page_token,
    )


def _total(connection: Connection, query: BulkQuery) -> int | None:
    """For the progress only: what cannot be counted is read all the same."""
    try:
        return hub.count(connection, query.collection, where=query.where or None)
    except ConnectorError as error:
        logger.info("bulk query not counted", extra={**_ids(query), "error": type(error).__name__})
        return None


def _write_trouble(claim: BulkClaim, query: BulkQuery, error: ConnectorError) -> None:
    said = f" ({error.provider_message})" if error.provider_message else ""
    text = f"{error}{said}"[:LONGEST_MESSAGE].replace("\x00", "")
    extra = {**_ids(query), "error": type(error).__name__, "status": error.status}
    logger.info("bulk page failed", extra=extra)
    failures = BulkQuery.objects.values_list("failures", flat=True).filter(pk=query.pk).first() or 0
    if isinstance(error, TryLater) and failures + 1 < settings.POLL_FAILURES_BEFORE_DISABLING:
        bulk_queries.wait(claim, pause=pause_after(failures, retry_after=error.retry_after), message=text)
    else:
        _fail(claim, query, text)


def pause_after(failures: int, *, retry_after: timedelta | None) -> timedelta:
    """How long to wait after so many failures in a row: longer each time, and as long as the provider asks for."""
    own: timedelta = min(FIRST_PAUSE * 2 ** min(failures, 20), LONGEST_OWN_PAUSE)
    return max(own, min(retry_after or timedelta(0), LONGEST_PAUSE))


def _fail(claim: BulkClaim, query: BulkQuery, message: str) -> None:
    try:
        bulk_queries.fail(claim, message)
    except LostLease:
        logger.info("failure passed over, the bulk query has ended", extra=_ids(query))


def _ids(query: BulkQuery) -> dict[str, object]:
    return {"bulk_query": query.pk, "instance": query.instance_id}
