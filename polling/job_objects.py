"""Jobs and polled resources as they go over the wire."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from instances.models import Instance
from instances.serializers import short_instance_object, timestamp
from polling.models import Job, PollCursor

POLL, CALL = "poll", "job"


def poll_job_object(cursors: Sequence[PollCursor]) -> dict[str, Any]:
    """The polling of one instance; `cursors` are all of its resources, with the instance."""
    instance = cursors[0].instance
    running = [cursor for cursor in cursors if cursor.is_active]
    stopped = [cursor.stopped_reason for cursor in cursors if not cursor.is_active]
    return {
        "id": f"{POLL}-{instance.pk}",
        "type": POLL,
        "name": f"Polling of {instance.name}",
        "description": f"Asks {instance.element.name} for changes of {', '.join(one.resource for one in cursors)}",
        "elementInstanceId": instance.pk,
        "disabled": not running,
        "disabledReason": stopped[0] if stopped and not running else "",
        "trigger": {"intervalMinutes": float(instance.poll_interval_minutes)},
        "nextRunDate": _moment(min((one.next_poll_at for one in running), default=None)),
        "lastRunDate": _moment(max((one.last_polled_at for one in cursors if one.last_polled_at), default=None)),
        "createdDate": timestamp(min(one.created_at for one in cursors)),
        "resources": [cursor_object(cursor) for cursor in cursors],
    }


def cursor_object(cursor: PollCursor) -> dict[str, Any]:
    """One polled resource of an instance."""
    return {
        "id": cursor.pk,
        "elementInstanceId": cursor.instance_id,
        "objectName": cursor.resource,
        "disabled": not cursor.is_active,
        "disabledReason": cursor.stopped_reason,
        "nextRunDate": _moment(cursor.next_poll_at) if cursor.is_active else None,
        "lastRunDate": _moment(cursor.last_polled_at),
        "readUpToDate": timestamp(cursor.watermark),
        "failures": cursor.failures,
        "lastError": cursor.last_error,
    }


def job_object(job: Job, *, shows_bodies: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": f"{CALL}-{job.pk}",
        "type": CALL,
        "name": job.name,
        "description": job.description,
        "elementInstanceId": job.instance_id,
        "method": job.method,
        "uri": job.uri,
        "trigger": {"cron": job.cron},
        "disabled": not job.is_active,
        "disabledReason": job.stopped_reason,
        "nextRunDate": _moment(job.next_run_at) if job.is_active else None,
        "lastRunDate": _moment(job.last_run_at),
        "lastRunStatus": job.last_status,
        "lastError": job.last_error,
        "failures": job.failures,
        "createdDate": timestamp(job.created_at),
    }
    if shows_bodies:
        shown |= {"query": job.query, "body": job.body}
    return shown


def stopped_instance_object(
    instance: Instance, cursors: Sequence[PollCursor], *, shows_secrets: bool
) -> dict[str, Any]:
    """An instance that is no longer polled, or not all of it, and what stopped it."""
    shown = short_instance_object(instance, shows_secrets=shows_secrets)
    shown["pollingDisabled"] = [cursor_object(cursor) for cursor in cursors if not cursor.is_active]
    return shown


def _moment(at: datetime | None) -> str | None:
    return None if at is None else timestamp(at)
