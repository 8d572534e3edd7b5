"""Drains as Celery sees them. The message carries nothing: it may be lost, doubled or late without harm."""

from __future__ import annotations

import logging
import mmap
from typing import Any

from celery import shared_task
from celery.signals import worker_init, worker_shutting_down
from django.db import close_old_connections
from kombu.exceptions import KombuError
from redis import RedisError

from events import (
    alerts,
    callback_upkeep,
    circuit_upkeep,
    decisions,
    doorbell,
    inboxes,
    ordering,
    registration_upkeep,
    replays,
    retention,
    tallies,
)
from events import deliver as delivery
from events import standardize as callbacks

logger = logging.getLogger(__name__)

# One byte that the worker shares with its pool processes: Celery tells only the parent that it is to stop, and a drain
# under steady load would never end by itself.
_stopping = mmap.mmap(-1, 1)


@worker_init.connect
def note_start(**_signal: Any) -> None:
    _stopping[0] = 0


@worker_shutting_down.connect
def note_stop(**_signal: Any) -> None:
    _stopping[0] = 1


@shared_task(ignore_result=True)
def deliver(**_from_newer_releases: Any) -> None:
    """Deliver what is due, until nothing is."""
    # A connection that broke (the database restarted) is replaced here: Celery keeps it for good otherwise.
    close_old_connections()
    delivery.drain(is_stopping=lambda: _stopping[0] != 0, waits_for_recovery=True)


@shared_task(ignore_result=True)
def standardize(**_from_newer_releases: Any) -> None:
    """Turn the callbacks that wait into events, until none is due."""
    close_old_connections()
    callbacks.drain(is_stopping=lambda: _stopping[0] != 0)


@shared_task(ignore_result=True)
def replay(**_from_newer_releases: Any) -> None:
    """Begin what replays have room for by now."""
    close_old_connections()
    replays.sweep(is_stopping=lambda: _stopping[0] != 0)


@shared_task(ignore_result=True)
def reconcile(*, inbox_id: int, **_from_newer_releases: Any) -> None:
    """Go on where a request had no time left, unless somebody has gone on already."""
    close_old_connections()
    registration_upkeep.go_on(inbox_id)


@shared_task(ignore_result=True)
def sweep_inboxes(**_from_newer_releases: Any) -> None:
    """Make the providers agree with every inbox that is due."""
    close_old_connections()
    registration_upkeep.sweep(is_stopping=lambda: _stopping[0] != 0)


@shared_task(ignore_result=True)
def alert(**_from_newer_releases: Any) -> None:
    """Tell people what happened to their receivers."""
    close_old_connections()
    # Whatever happens from here on rings again.
    doorbell.ALERTS.answer()
    alerts.tell()


@shared_task(ignore_result=True)
def tend_circuits(**_from_newer_releases: Any) -> None:
    """Warn of receivers that go on failing, and tell people what they have not been told."""
    close_old_connections()
    circuit_upkeep.tend()
    alerts.tell()


@shared_task(ignore_result=True)
def tend_lines(**_from_newer_releases: Any) -> None:
    """Let go what waits for an older delivery that was deleted."""
    close_old_connections()
    ordering.tend()


@shared_task(ignore_result=True)
def count_activity(**_from_newer_releases: Any) -> None:
    """Bring what charts are drawn from up to now."""
    close_old_connections()
    tallies.count()


@shared_task(ignore_result=True)
def prune(**_from_newer_releases: Any) -> None:
    """Forget events that are old enough; go on after others have had a turn where there are very many."""
    close_old_connections()
    retention.forget_unused_urls()
    retention.forget_histories()
    if not retention.prune(is_stopping=lambda: _stopping[0] != 0) and not _stopping[0]:
        try:
            prune.delay()
        except (KombuError, RedisError) as error:
            # The next hour goes on with it.
            logger.info("pruning broken off, the broker is away", extra={"error": type(error).__name__})


@shared_task(ignore_result=True)
def forget_old(**_from_newer_releases: Any) -> None:
    """Delete what nobody needs any more: once an hour is enough."""
    close_old_connections()
    inboxes.forget_parted()
    callback_upkeep.forget_old()
    decisions.forget_old()
