"""The Celery application. Tasks live in `<app>/tasks.py`; the beat schedule is a setting."""

from __future__ import annotations

import gc
import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_before_create_process, worker_init, worker_process_init, worker_ready
from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from config.processes import end_with_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# They read every view and all that describes it, which workers never need again; `make check` and migrations run them.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

app = Celery("switchyard")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_django_logging(**_signal: Any) -> None:
    """A receiver here tells Celery to leave logging as Django's settings made it."""


@worker_init.connect
def leave_no_locks_behind(**_signal: Any) -> None:
    """Before there is a connection; pool processes inherit it."""
    connection_created.connect(limit_idle_transactions)


def limit_idle_transactions(connection: BaseDatabaseWrapper, **_signal: Any) -> None:
    """A worker that is frozen in the middle of a transaction must not hold its locks for ever.

    Nothing here waits for anything else in a transaction. Over before its leases are, so that whoever takes over gets
    the rows, too.
    """
    milliseconds = int(settings.DELIVERY_LEASE_SECONDS * 1000 / 2)
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('idle_in_transaction_session_timeout', %s, false)", [str(milliseconds)])


@worker_process_init.connect
def end_with_the_worker(**_signal: Any) -> None:
    """A pool process must not outlive the worker that a kill -9 took: it would hold leases nobody renews."""
    end_with_parent()


@worker_before_create_process.connect
@worker_ready.connect
def leave_the_start_to_itself(**_signal: Any) -> None:
    """What start-up made stays for good: without this, parsing a large page looks through all of it again and again.

    Before the fork, so that a pool process does not look through it either: whatever it touches it has to copy.
    """
    gc.collect()
    gc.freeze()
