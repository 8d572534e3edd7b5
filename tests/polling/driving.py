"""Polls as a worker runs them, and what came of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import orjson
from django.db.backends.utils import CursorWrapper
from django.db.models.functions import Now

from connectors.sandbox import LoggedRequest, Sandbox
from events.models import Event
from instances.models import Instance
from polling import schedule
from polling.models import PollCursor
from polling.poll import poll_resource
from polling.reading import PART_SIZE

PAGED = {
    "contacts": {
        "url": "/hubs/crm/contacts?where=lastUpdated>'${gmtDate:yyyy-MM-dd'T'HH:mm:ss'Z'}'",
        "idField": "id",
        "pageSize": 3,
        "datesConfiguration": {
            f"{which}Date{part}": value
            for which in ("updated", "created")
            for part, value in (("Field", "_info.lastUpdated"), ("Format", "yyyy-MM-dd'T'HH:mm:ss'Z'"))
        },
    }
}
"""Contacts, three on a page."""


@dataclass(frozen=True)
class Reported:
    """One change as the callback URL is told of it."""

    object_id: str
    event_type: str
    object_type: str
    record: dict[str, object]


def cursor_of(instance: Instance, resource: str = "contacts") -> PollCursor:
    return PollCursor.objects.get(instance=instance, resource=resource)


def poll(instance: Instance, *resources: str, part_size: int = PART_SIZE) -> None:
    """Poll now, whatever the schedule says; all resources unless some are named."""
    cursors = PollCursor.objects.filter(instance=instance, is_active=True)
    if resources:
        cursors = cursors.filter(resource__in=resources)
    for cursor in cursors.order_by("resource"):
        PollCursor.objects.update(next_poll_at=Now(), leased_until=None)
        [claimed] = [one for one in schedule.claim(limit=1_000) if one.cursor_id == cursor.pk]
        poll_resource(cursor_id=claimed.cursor_id, epoch=claimed.epoch, part_size=part_size)


def reports(instance: Instance) -> list[Reported]:
    """Everything in the bodies of the instance's events, in the order it was recorded."""
    found = []
    for event in Event.objects.filter(instance=instance).order_by("id"):
        message = orjson.loads(event.body)["message"]
        records = message["raw"][message["raw"]["objectType"]]
        assert len(message["events"]) == len(records) == event.change_count <= 10
        for entry, record in zip(message["events"], records, strict=True):
            found.append(Reported(entry["objectId"], entry["eventType"], entry["objectType"], record))
    return found


def told(instance: Instance) -> list[tuple[int, str]]:
    """(object id, event type) of every change, sorted: to be compared with what was done at the provider."""
    return sorted((int(one.object_id), one.event_type) for one in reports(instance))


def on_list(sandbox: Sandbox, number: int, act: Callable[[], object]) -> None:
    """Do something once, right before the `number`th page from now on is answered."""
    pages = 0

    def hook(request: LoggedRequest) -> None:
        nonlocal pages
        if request.endpoint == "/company/contacts":
            pages += 1
            if pages == number:
                act()

    sandbox.on_request = hook


def wait_for_waiting(cursor: CursorWrapper, count: int) -> None:
    """Until so many sessions wait for a lock."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        cursor.execute("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")
        if cursor.fetchone() == (count,):
            return
        cursor.execute("SELECT pg_sleep(0.02)")  # the others need the processor
    raise AssertionError("nobody came to wait")
