"""The Celery application. Tasks live in `<app>/tasks.py`; the beat schedule is a setting."""

from __future__ import annotations

import gc
import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_before_create_process, worker_process_init, worker_ready

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
