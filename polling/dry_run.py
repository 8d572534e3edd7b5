"""A poll that changes nothing: what would be asked, what comes back, and what would become of it.

It goes the way of `polling.poll`: the same window, the same request, the same decisions over the same ledger. Only
nothing is claimed, recorded or written down, and only the beginning is read of what is long.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.utils import timezone

from connectors.connection import Connection
from connectors.egress import deadline, watched
from connectors.errors import ConnectorError, CredentialsRefused, OwnFault, PermissionRefused, RateLimited, TryLater
from connectors.poller import ResourcePoller
from events import record
from events.ledger import SeenVersion
from events.models import Subscription
from instances.configuration import connection_of
from instances.encryption import KeyMissing
from instances.errors import InvalidRequest
from instances.models import Instance
from polling import asking, window
from polling.decisions import Decision, Ignored, Poll
from polling.dry_run_requests import AskedRequest, shown, without_secrets
from polling.dry_run_rows import MET_TWICE, Row, row_of
from polling.facts import RecordFacts
from polling.models import PollCursor
from polling.reading import Reading
from polling.schedule import Claim
from polling.window import Window

MOST_PAGES: Final = 3
MOST_ROWS: Final = 1_000
MOST_BYTES: Final = 8 * 1024 * 1024
"""Of pages: after them no other one is asked for. It runs in a process that others use meanwhile."""
SECONDS: Final = 20.0
"""For all of its requests together: somebody waits for it."""
_NEARLY = 0.1  # what is left of them is rounded where it is used
NOTIFICATIONS_SHOWN: Final = 5
BYTES_SHOWN: Final = 1024 * 1024
"""Of notifications: behind these there is no other one. Each may hold all records."""
_TRIED_AGAIN = "A poll that fails leaves the cursor where it is and is tried again: nothing is missed"


@dataclass(frozen=True, slots=True, kw_only=True)
class CursorState:
    """How far a resource is read."""

    watermark: datetime
    asks_since: datetime
    """What a poll would ask for, the overlap before the watermark."""
    remembered_since: datetime | None
    is_baseline_read: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    subscription_id: int
    host: str
    is_active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    resource: str
    path: str = field(repr=False)
    """The poller's url with its macros written out."""
    window: Window | None
    requests: Sequence[AskedRequest]
    page_count: int
    rows: Sequence[Row] = field(repr=False)
    is_cut: bool
    """A poll would go on reading: there are more pages."""
    notification_count: int
    notifications: Sequence[bytes] = field(repr=False)
    """The first ones, with 0 for the id that each would get."""
    receivers: Sequence[Receiver]
    before: CursorState | None
    after: CursorState | None
    """None where a poll would leave the cursor where it is, because it failed."""
    trouble: str
    """Why a poll would fail; empty where it would not."""
    consequence: str
    """What such a failure leads to."""
    is_given_up: bool = False
    """Its time was up before everything was read, which says nothing about a poll."""


def dry_run(cursor: PollCursor) -> DryRun:
    """`cursor` with its instance. What goes wrong at the provider is part of the answer."""
    instance = cursor.instance
    try:
        poller, connection = asking.poller_of(cursor), connection_of(instance)
    except (InvalidRequest, KeyMissing) as error:
        return _answer(cursor, _Seen(), trouble=str(error), consequence="Nothing is asked until that is mended.")
    seen = _Seen(asked=asking.window_of(cursor, poller))
    reading = Reading(
        # Nothing is written under it: neither `record` nor `hold` nor `keep_lease` is called here.
        claim=Claim(cursor.pk, cursor.epoch),
        instance=instance,
        resource=cursor.resource,
        polled_at=timezone.now(),
        hears_callbacks=asking.hears_callbacks(instance),
        witness=seen.witness,
    )
    trouble = consequence = ""
    ends_at = time.monotonic() + SECONDS
    with deadline(SECONDS), watched() as requests:
        try:
            seen.path = asking.path_of(poller, since=seen.asked_since)
            _read(reading, seen, connection=connection, poller=poller)
        except ConnectorError as error:
            seen.is_given_up = isinstance(error, TryLater) and time.monotonic() > ends_at - _NEARLY
            if not seen.is_given_up:
                said = f" ({error.provider_message})" if error.provider_message else ""
                trouble, consequence = without_secrets(f"{error}{said}", connection), _consequence(error)
    seen.path = without_secrets(seen.path, connection)
    seen.requests = [shown(one, connection) for one in requests]
    return _answer(cursor, seen, reading=reading, trouble=trouble, consequence=consequence)


@dataclass(slots=True)
class _Seen:
    """What a dry run has met so far."""

    asked: Window | None = None
    path: str = ""
    poll: Poll | None = None
    page_count: int = 0
    is_cut: bool = False
    is_given_up: bool = False
    rows: list[Row] = field(default_factory=list)
    met: set[str] = field(default_factory=set)
    """Ids of the rows."""
    requests: list[AskedRequest] = field(default_factory=list)

    @property
    def asked_since(self) -> datetime:
        assert self.asked is not None
        return self.asked.since

    def witness(self, facts: RecordFacts, versions: Sequence[SeenVersion], decision: Decision) -> None:
        assert self.poll is not None
        row = row_of(facts, versions, decision, poll=self.poll)
        if decision is Ignored.REPEAT and facts.object_id in self.met:
            row = replace(row, reason=MET_TWICE)
        self.rows.append(row)
        self.met.add(facts.object_id)


def _read(reading: Reading, seen: _Seen, *, connection: Connection, poller: ResourcePoller) -> None:
    assert seen.asked is not None
    clock: datetime | None = None
    size = 0
    for page in asking.pages(connection, poller, since=seen.asked.since):
        if seen.poll is None:
            seen.poll = asking.poll_of(page, connection=connection, poller=poller, asked=seen.asked)
        reading.take(page, poll=seen.poll, clock=clock or page.answered_at)
        clock = page.answered_at
        seen.page_count += 1
        size += len(page.body)
        if seen.page_count == MOST_PAGES or reading.record_count >= MOST_ROWS or size >= MOST_BYTES:
            seen.is_cut = page.next_page_token is not None
            return


def _answer(
    cursor: PollCursor, seen: _Seen, *, trouble: str, consequence: str, reading: Reading | None = None
) -> DryRun:
    # A poll that fails on a later page reports nothing of the earlier ones.
    changes = [] if trouble else [row.change for row in seen.rows if row.change is not None]
    bodies = record.preview(instance=cursor.instance, changes=changes, polled_at=timezone.now())
    return DryRun(
        resource=cursor.resource,
        path=seen.path,
        window=seen.asked,
        requests=seen.requests,
        page_count=seen.page_count,
        rows=seen.rows,
        is_cut=seen.is_cut,
        notification_count=record.count_notifications(changes),
        notifications=list(_beginning(bodies)),
        receivers=_receivers(cursor.instance),
        before=None if seen.asked is None else _state(cursor, asks_since=seen.asked.since),
        after=None if trouble or reading is None or seen.poll is None else _after(cursor, reading, seen.poll),
        trouble=trouble,
        consequence=consequence,
        is_given_up=seen.is_given_up,
    )


def _beginning(bodies: Iterable[bytes]) -> Iterator[bytes]:
    size = 0
    for body in islice(bodies, NOTIFICATIONS_SHOWN):
        yield body
        size += len(body)
        if size >= BYTES_SHOWN:
            return


def _state(cursor: PollCursor, *, asks_since: datetime) -> CursorState:
    return CursorState(
        watermark=cursor.watermark,
        asks_since=asks_since,
        remembered_since=cursor.remembered_since,
        is_baseline_read=cursor.is_baseline_read,
    )


def _after(cursor: PollCursor, reading: Reading, poll: Poll) -> CursorState:
    """The cursor as this poll would leave it: on a copy that nobody saves."""
    watermark = window.next_watermark(
        watermark=cursor.watermark, greatest_stamp=reading.greatest_stamp, first_page_at=poll.started_at
    )
    remembered_since = cursor.remembered_since or poll.window.since
    if reading.has_something() or watermark != cursor.watermark:
        horizon = asking.ledger_horizon(poll, watermark=watermark, hears_callbacks=reading.hears_callbacks)
        remembered_since = max(remembered_since, horizon)
    moved = PollCursor(
        watermark=watermark,
        baseline_at=cursor.baseline_at,
        is_baseline_read=True,
        known_id=cursor.known_id,
        remembered_since=remembered_since,
    )
    return _state(moved, asks_since=asking.window_of(moved, poll.poller).since)


def _receivers(instance: Instance) -> list[Receiver]:
    rows = Subscription.objects.filter(organization=instance.organization_id, topics__contains=[instance.topic])
    return [
        Receiver(
            subscription_id=row.pk,
            host=urlsplit(row.url).hostname or "nowhere",
            is_active=row.state == Subscription.ACTIVE,
        )
        for row in rows.order_by("pk")[:20]
    ]


def _consequence(error: ConnectorError) -> str:
    match error:
        case CredentialsRefused():
            return "A poll that is answered so stops the polling of this instance until its configuration is changed."
        case PermissionRefused():
            return "A poll that is answered so is tried again ever more rarely, and this poller is stopped in the end."
        case RateLimited():
            return "A poll that is answered so makes every poller of this provider account wait."
        case OwnFault():
            return f"{_TRIED_AGAIN}."
    most = settings.POLL_FAILURES_BEFORE_DISABLING
    return f"{_TRIED_AGAIN}. After {most} failures in a row this instance is not polled until somebody starts it again."
