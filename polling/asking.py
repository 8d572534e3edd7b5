"""What a poll asks its provider for: the span of time, the path with its macros written out, the pages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.conf import settings

from connectors import dates, hub, hub_paths
from connectors.connection import Connection
from connectors.element import WEBHOOK
from connectors.poller import ResourcePoller
from connectors.records import LARGEST_PAGE_SIZE, Page
from instances.configuration import pollers_of
from instances.errors import InvalidRequest
from instances.models import Instance
from polling import window
from polling.decisions import Poll
from polling.models import PollCursor
from polling.window import Window


def window_of(cursor: PollCursor, poller: ResourcePoller) -> Window:
    return window.window_of(
        watermark=cursor.watermark,
        baseline_at=cursor.baseline_at,
        is_baseline_read=cursor.is_baseline_read,
        known_id=cursor.known_id,
        poller=poller,
        overlap=overlap(),
        remembered_since=cursor.remembered_since,
    )


def poller_of(cursor: PollCursor) -> ResourcePoller:
    """By what it polls. Raises InvalidRequest, KeyMissing."""
    found = pollers_of(cursor.instance).get(cursor.resource)
    if found is None:
        raise InvalidRequest(f"event.poller.configuration does not name {cursor.resource} any more.")
    return found


def path_of(poller: ResourcePoller, *, since: datetime) -> str:
    """The poller's url as it is asked for."""
    return dates.expand_macros(poller.url, since)


def pages(connection: Connection, poller: ResourcePoller, *, since: datetime) -> Iterator[Page]:
    resource, parameters = hub_paths.parse_path(path_of(poller, since=since))
    size = poller.page_size or LARGEST_PAGE_SIZE
    return hub.read_all(connection, resource, where=parameters.get("where"), page_size=size)


def poll_of(first: Page, *, connection: Connection, poller: ResourcePoller, asked: Window) -> Poll:
    """What holds for all records of a poll that began with this page."""
    return Poll(
        poller=poller,
        window=asked,
        started_at=first.answered_at,
        filters_nulls=connection.filters_nulls,
        overlap=overlap(),
    )


def ledger_horizon(poll: Poll, *, watermark: datetime, hears_callbacks: bool) -> datetime:
    """What the ledger may forget once this poll has moved the watermark."""
    return window.ledger_horizon(
        watermark=watermark,
        poller=poll.poller,
        overlap=overlap(),
        clock=poll.started_at,
        traced=traced(),
        hears_callbacks=hears_callbacks,
    )


def hears_callbacks(instance: Instance) -> bool:
    return instance.event_method == WEBHOOK


def overlap() -> timedelta:
    return timedelta(seconds=settings.POLL_OVERLAP_SECONDS)


def traced() -> timedelta:
    return timedelta(days=settings.TRACE_DAYS)
