"""Delivery as Celery sees it. The message carries nothing: it may be lost, doubled or late without harm."""

from __future__ import annotations

import mmap
from typing import Any

from celery import shared_task
from celery.signals import worker_init, worker_shutting_down
from django.db import close_old_connections

from events import deliver as delivery

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
    delivery.drain(is_stopping=lambda: _stopping[0] != 0)
