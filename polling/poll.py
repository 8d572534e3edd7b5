"""One poll: ask one resource of one instance what changed, record it, and move the watermark, in one commit.

The provider is called outside transactions. What changed is gathered until the last page is read; only of a very
long read are parts recorded on the way. They cost nothing when the rest fails: the watermark stands, the next poll
reads them again, and the ledger knows them.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone

from connectors import dates, hub
from connectors.change import Change
from connectors.connection import Connection
from connectors.errors import ConnectorError, CredentialsRefused, PermissionRefused, RateLimited, TryLater
from connectors.poller import ResourcePoller
from connectors.records import LARGEST_PAGE_SIZE, Page
from events import ledger
from events.ledger import SeenVersion
from events.models import Event
from events.record import record
from instances.configuration import connection_of, pollers_of
from instances.models import Instance
from polling import schedule, window
from polling.changes import Ignored, Poll, decide_page
from polling.facts import RecordFacts, read_facts
from polling.models import PollCursor
from polling.schedule import Claim, LostLease

logger = logging.getLogger(__name__)

# A part is recorded when so many changes, or so many bytes of them, have gathered.
PART_SIZE = 10_000
PART_BYTES = 32 * 1024 * 1024
# Where a notification repeats all records that are recorded with it, their number must stay small.
RECORDED_AT_ONCE = 1_000
RENEW_AFTER_SECONDS = schedule.LEASE.total_seconds() / 4
# Where a 429 does not say how long.
RATE_LIMIT_PAUSE = timedelta(seconds=30)
LONGEST_ERROR = 1_000


def poll_resource(*, cursor_id: int, epoch: int, part_size: int = PART_SIZE) -> None:
    """Poll under a claim and write down how it went; a claim that is lost leaves no trace.

    Raises OperationalError or InterfaceError when the database is gone; the lease then ends by itself.
    """
    try:
        claim = schedule.begin(Claim(cursor_id, epoch))
        cursor = PollCursor.objects.select_related("instance").get(pk=cursor_id)
    except (LostLease, PollCursor.DoesNotExist):
        logger.info("poll not begun, its claim is lost", extra={"cursor": cursor_id})
        return
    try:
        _poll(claim, cursor, part_size=part_size)
    except LostLease:
        logger.info("poll dropped, its claim is lost", extra=_ids(cursor))
    except ConnectorError as error:
        _write_trouble(claim, cursor, error)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        logger.exception("poll failed by a fault of ours", extra=_ids(cursor))
        schedule.failed(claim, interval=_interval(cursor.instance), error="A fault of ours; the log has it.")


def _poll(claim: Claim, cursor: PollCursor, *, part_size: int) -> None:
    instance = cursor.instance
    poller, connection = pollers_of(instance)[cursor.resource], connection_of(instance)
    asked = window.window_of(
        watermark=cursor.watermark,
        baseline_at=cursor.baseline_at,
        is_baseline_read=cursor.is_baseline_read,
        known_id=cursor.known_id,
        poller=poller,
        overlap=_overlap(),
        remembered_since=cursor.remembered_since,
    )
    reading = _Reading(claim=claim, instance=instance, resource=cursor.resource, polled_at=timezone.now())
    poll: Poll | None = None
    clock: datetime | None = None
    for page in _pages(connection, poller, since=asked.since):
        if poll is None:
            poll = Poll(
                poller=poller,
                window=asked,
                started_at=page.answered_at,
                filters_nulls=connection.filters_nulls,
                overlap=_overlap(),
            )
        reading.take(page, poll=poll, clock=clock or page.answered_at)
        clock = page.answered_at
        if reading.has_gathered(part_size):
            reading.record_part()
        reading.keep_lease()
    assert poll is not None, "hub.read_all yields a first page, or raises"
    _finish(reading, cursor, poll)


def _pages(connection: Connection, poller: ResourcePoller, *, since: datetime) -> Iterator[Page]:
    resource, parameters = hub.parse_path(dates.expand_macros(poller.url, since))
    size = poller.page_size or LARGEST_PAGE_SIZE
    return hub.read_all(connection, resource, where=parameters.get("where"), page_size=size)


def _finish(reading: _Reading, cursor: PollCursor, poll: Poll) -> None:
    watermark = window.next_watermark(
        watermark=cursor.watermark, greatest_stamp=reading.greatest_stamp, first_page_at=poll.started_at
    )
    with transaction.atomic():
        forgotten = None
        remembered_since = cursor.remembered_since or poll.window.since
        # A poll that found nothing new, as most do, writes its cursor and nothing else.
        if reading.has_something() or watermark != cursor.watermark:
            schedule.hold(reading.claim)
            reading.record()
            horizon = window.ledger_horizon(watermark=watermark, poller=poll.poller, overlap=_overlap())
            remembered_since = max(remembered_since, horizon)
            forgotten = ledger.trim(
                instance_id=cursor.instance_id,
                object_type=cursor.resource,
                before=horizon,
                untouched_since=reading.polled_at - window.UNSTAMPED_MEMORY,
            )
        schedule.succeeded(
            reading.claim,
            interval=_interval(cursor.instance),
            watermark=watermark,
            remembered_since=remembered_since,
            known_id=window.next_known_id(known_id=cursor.known_id, greatest_forgotten=forgotten),
            change_count=reading.change_count,
        )
    logger.info(
        "polled",
        extra={
            **_ids(cursor),
            "records": reading.record_count,
            "changes": reading.change_count,
            "unreadable_stamps": reading.unreadable_stamps,
            "without_id": reading.ignored[Ignored.NO_ID],
            "watermark": watermark.isoformat(),
        },
    )


@dataclass(slots=True, kw_only=True)
class _Reading:
    """What one poll has read, and what of it is not yet recorded."""

    claim: Claim
    instance: Instance
    resource: str
    polled_at: datetime
    """Our clock, to show in notifications."""
    changes: list[Change] = field(default_factory=list)
    noted: list[Change] = field(default_factory=list)
    unstamped: list[str] = field(default_factory=list)
    """Ids of records without a stamp that were met again."""
    settled: list[tuple[str, str]] = field(default_factory=list)
    """Object ids and versions that were read again after their second was over."""
    size: int = 0
    """Bytes of the records gathered."""
    met: dict[str, list[SeenVersion]] = field(default_factory=dict)
    """What the ledger will hold once the gathered changes are recorded."""
    greatest_stamp: datetime | None = None
    record_count: int = 0
    change_count: int = 0
    unreadable_stamps: int = 0
    ignored: Counter[Ignored] = field(default_factory=Counter)
    leased_at: float = field(default_factory=time.monotonic)

    def take(self, page: Page, *, poll: Poll, clock: datetime) -> None:
        """Decide a page and gather what is a change."""
        facts = read_facts(page.slices(), poller=poll.poller)
        self.record_count += len(facts)
        seen = ledger.seen(
            instance_id=self.instance.pk,
            object_type=self.resource,
            object_ids=[one.object_id for one in facts],
        )
        for distinct in _without_repetition(facts):
            versions = {**seen, **{one: seen.get(one, []) + self.met[one] for one in self._met_again(distinct)}}
            decided = decide_page(distinct, poll=poll, seen=versions, clock=clock)
            self.changes += decided.changes
            self.noted += decided.noted
            self.unstamped += decided.unstamped
            self.settled += decided.settled
            self.unreadable_stamps += decided.unreadable_stamps
            self.ignored += decided.ignored
            self.greatest_stamp = max(filter(None, (self.greatest_stamp, decided.greatest_stamp)), default=None)
            for change in (*decided.changes, *decided.noted):
                self.size += len(change.raw)
                self.met.setdefault(change.object_id, []).append(
                    SeenVersion(change.version, change.content_hash, change.is_settled, change.event_type)
                )

    def _met_again(self, facts: Iterable[RecordFacts]) -> list[str]:
        return [one.object_id for one in facts if one.object_id in self.met] if self.met else []

    def has_gathered(self, part_size: int) -> bool:
        return len(self.changes) + len(self.noted) >= part_size or self.size >= PART_BYTES

    def has_something(self) -> bool:
        """To write into the ledger, with or without events."""
        return bool(self.changes or self.noted or self.unstamped or self.settled)

    def record_part(self) -> None:
        """Record what has gathered, with the watermark where it is."""
        with transaction.atomic():
            schedule.hold(self.claim)
            self.record()

    def record(self) -> None:
        """In the caller's transaction."""
        for start in range(0, len(self.changes), RECORDED_AT_ONCE):
            record(
                instance=self.instance,
                changes=self.changes[start : start + RECORDED_AT_ONCE],
                source=Event.POLL,
                polled_at=self.polled_at,
            )
        if self.noted:
            ledger.note(instance_id=self.instance.pk, changes=self.noted)
        if self.settled:
            ledger.settle(instance_id=self.instance.pk, object_type=self.resource, versions=self.settled)
        if self.unstamped:
            ledger.touch(instance_id=self.instance.pk, object_type=self.resource, object_ids=self.unstamped)
        self.change_count += len(self.changes)
        self.changes, self.noted, self.unstamped, self.settled, self.met, self.size = [], [], [], [], {}, 0

    def keep_lease(self) -> None:
        """Renew the lease before it gets short. Raises LostLease."""
        if time.monotonic() - self.leased_at > RENEW_AFTER_SECONDS:
            schedule.renew(self.claim)
            self.leased_at = time.monotonic()


def _without_repetition(facts: list[RecordFacts]) -> Iterator[list[RecordFacts]]:
    """Cut up so that no part holds an object twice: a provider that repeats one is decided knowing the first time."""
    while facts:
        ids: set[str] = set()
        first: list[RecordFacts] = []
        again: list[RecordFacts] = []
        for one in facts:
            (again if one.object_id and one.object_id in ids else first).append(one)
            ids.add(one.object_id)
        yield first
        facts = again


def _write_trouble(claim: Claim, cursor: PollCursor, error: ConnectorError) -> None:
    """What went wrong at the provider is a row and a line, and changes nothing else."""
    instance, interval = cursor.instance, _interval(cursor.instance)
    said = f" ({error.provider_message})" if error.provider_message else ""
    text = f"{error}{said}"[:LONGEST_ERROR]
    logger.info("poll failed", extra={**_ids(cursor), "error": type(error).__name__, "status": error.status})
    match error:
        case CredentialsRefused():
            try:
                schedule.credentials_refused(claim, instance_id=instance.pk, error=text)
            except LostLease:
                logger.info("refusal passed over, the configuration has changed", extra=_ids(cursor))
        case PermissionRefused():
            schedule.permission_refused(claim, interval=interval, error=text)
        case RateLimited():
            schedule.rate_limited(
                claim,
                provider_account=instance.provider_account,
                retry_after=error.retry_after or RATE_LIMIT_PAUSE,
                error=text,
            )
        case TryLater():
            schedule.failed(claim, interval=interval, error=text, not_before=error.retry_after)
        case _:
            schedule.failed(claim, interval=interval, error=text)


def _ids(cursor: PollCursor) -> dict[str, object]:
    return {"cursor": cursor.pk, "instance": cursor.instance_id, "resource": cursor.resource}


def _interval(instance: Instance) -> timedelta:
    return timedelta(minutes=float(instance.poll_interval_minutes))


def _overlap() -> timedelta:
    return timedelta(seconds=settings.POLL_OVERLAP_SECONDS)
