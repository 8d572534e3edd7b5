"""One poll: ask one resource of one instance what changed, record it, and move the watermark, in one commit.

The provider is called outside transactions. What changed is gathered until the last page is read; only of a very
long read are parts recorded on the way. They cost nothing when the rest fails: the watermark stands, the next poll
reads them again, and the ledger knows them.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone

from connectors.errors import ConnectorError, CredentialsRefused, OwnFault, PermissionRefused, RateLimited, TryLater
from events import decisions, ledger
from events.decisions import Decided
from events.models import Event
from instances.configuration import connection_of, pollers_of
from instances.models import Instance
from polling import asking, covering, runs, schedule, window
from polling.budgets import budget_of
from polling.decisions import Ignored, Poll
from polling.models import PollCursor
from polling.reading import PART_SIZE, Reading
from polling.schedule import Claim, LostLease

logger = logging.getLogger(__name__)

# Where a 429 does not say how long.
RATE_LIMIT_PAUSE = timedelta(seconds=30)
LONGEST_ERROR = 1_000
OWN_FAULT = "A fault of ours; the log has it."


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
    except Exception as error:
        logger.exception("poll failed by a fault of ours", extra=_ids(cursor))
        runs.note_failure(claim, error=OWN_FAULT, budget=budget_of(error))
        schedule.set_back(claim, interval=_interval(cursor.instance), error=OWN_FAULT)


def _poll(claim: Claim, cursor: PollCursor, *, part_size: int) -> None:
    instance = cursor.instance
    poller, connection = pollers_of(instance)[cursor.resource], connection_of(instance)
    asked = asking.window_of(cursor, poller)
    reading = Reading(
        claim=claim,
        instance=instance,
        resource=cursor.resource,
        polled_at=timezone.now(),
        hears_callbacks=asking.hears_callbacks(instance),
    )
    poll: Poll | None = None
    clock: datetime | None = None
    for page in asking.pages(connection, poller, since=asked.since):
        if poll is None:
            poll = asking.poll_of(page, connection=connection, poller=poller, asked=asked)
        reading.take(page, poll=poll, clock=clock or page.answered_at)
        clock = page.answered_at
        if reading.has_gathered(part_size):
            reading.record_part()
        reading.keep_lease()
    assert poll is not None, "hub.read_all yields a first page, or raises"
    _finish(reading, cursor, poll)


def _finish(reading: Reading, cursor: PollCursor, poll: Poll) -> None:
    watermark = window.next_watermark(
        watermark=cursor.watermark, greatest_stamp=reading.greatest_stamp, first_page_at=poll.started_at
    )
    with transaction.atomic():
        forgotten = None
        remembered_since = cursor.remembered_since or poll.window.since
        # A poll that found nothing new, as most do, writes its cursor and nothing else.
        if reading.has_something() or watermark != cursor.watermark:
            reading.hold()
            reading.record()
            horizon = asking.ledger_horizon(poll, watermark=watermark, hears_callbacks=reading.hears_callbacks)
            remembered_since = max(remembered_since, horizon)
            forgotten = ledger.trim(
                instance_id=cursor.instance_id,
                object_type=cursor.resource,
                before=horizon,
                untouched_since=reading.polled_at
                - max(asking.traced(), window.CALLBACK_MEMORY if reading.hears_callbacks else window.UNSTAMPED_MEMORY),
            )
            _note_run(reading, poll, until=watermark)
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
    if reading.hears_callbacks:
        covering.cover(cursor, interval=_interval(cursor.instance))


def _note_run(reading: Reading, poll: Poll, *, until: datetime) -> None:
    """For whoever asks what this poll saw, in the transaction that records it."""
    runs.note_success(
        reading.claim,
        instance_id=reading.instance.pk,
        resource=reading.resource,
        since=poll.window.since,
        until=until,
        record_count=reading.record_count,
        change_count=reading.change_count,
    )
    if count := reading.ignored[Ignored.NO_ID]:
        reason = f"{count} of {reading.record_count} records had no id that can be used at {poll.poller.id_field}"
        nameless = Decided(
            object_type=reading.resource, object_id="", source=Event.POLL, decision=decisions.NO_ID, reason=reason
        )
        decisions.note(instance_id=reading.instance.pk, decided=[nameless])


def _write_trouble(claim: Claim, cursor: PollCursor, error: ConnectorError) -> None:
    """What went wrong at the provider is a row and a line, and changes nothing else."""
    instance, interval = cursor.instance, _interval(cursor.instance)
    said = f" ({error.provider_message})" if error.provider_message else ""
    text = f"{error}{said}"[:LONGEST_ERROR]
    logger.info("poll failed", extra={**_ids(cursor), "error": type(error).__name__, "status": error.status})
    runs.note_failure(claim, error=text, budget=budget_of(error))
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
        case OwnFault():
            schedule.set_back(claim, interval=interval, error=text)
        case TryLater():
            schedule.failed(claim, interval=interval, error=text, not_before=error.retry_after)
        case _:
            schedule.failed(claim, interval=interval, error=text)


def _ids(cursor: PollCursor) -> dict[str, object]:
    return {"cursor": cursor.pk, "instance": cursor.instance_id, "resource": cursor.resource}


def _interval(instance: Instance) -> timedelta:
    return timedelta(minutes=float(instance.poll_interval_minutes))
