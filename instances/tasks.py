"""What Celery does for instances: forgetting old calls of the API and sessions; and the heartbeats of every worker."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from celery import Task, shared_task
from celery.signals import task_prerun, worker_init
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.db import close_old_connections
from django.utils import timezone

from instances import heartbeats, usage


@shared_task(ignore_result=True)
def forget_old_calls(**_from_newer_releases: Any) -> None:
    close_old_connections()
    usage.forget_old(now=timezone.now(), kept=timedelta(days=settings.USAGE_DAYS))
    SessionStore.clear_expired()


@worker_init.connect
def begin_heartbeats(**_signal: Any) -> None:
    """Before there are pool processes; they inherit it."""
    heartbeats.begin()


@task_prerun.connect
def note_heartbeat(task: Task[Any, Any], **_signal: Any) -> None:
    """Whatever the task is: somebody takes work from its queue."""
    heartbeats.note(str((task.request.delivery_info or {}).get("routing_key", "")))
