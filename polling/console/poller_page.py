"""The page of a poller: how it stands, how its last polls went, and by what it polls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from connectors.poller import DateField, ResourcePoller
from instances.console.lists import may_operate
from instances.console.page import instance_page
from instances.encryption import KeyMissing
from instances.errors import InvalidRequest
from polling import asking
from polling.console import poll_now, poller_cells
from polling.console.poller_state import obstacle_of
from polling.models import PollCursor, PollRun

RUNS_SHOWN: Final = 25


@dataclass(frozen=True, slots=True)
class Setting:
    label: str
    value: str
    is_code: bool = True


def show(request: HttpRequest, cursor: PollCursor) -> HttpResponse:
    now = timezone.now()
    live: dict[str, Any] = {
        "cursor": cursor,
        "cells": {
            name: poller_cells.live(cursor, name, now=now) for name in ("state", "read_up_to", "last_poll", "next_poll")
        },
        "obstacle": obstacle_of(cursor, now=now),
        "runs": PollRun.objects.filter(instance=cursor.instance_id, resource=cursor.resource).order_by("-pk")[
            :RUNS_SHOWN
        ],
        "may_operate": may_operate(request),
    }
    if getattr(request, "htmx", False):
        return render(request, "console/polling/poller_live.html", live)
    settings, unreadable = _settings(cursor)
    return instance_page(
        request,
        cursor.instance,
        "console/polling/poller.html",
        tab="pollers",
        **live,
        settings=settings,
        unreadable=unreadable,
        poll_now=poll_now.button(cursor, is_listed=False) if may_operate(request) else "",
    )


def _settings(cursor: PollCursor) -> tuple[list[Setting], str]:
    """What `event.poller.configuration` says of it, or why that cannot be read."""
    try:
        return _shown(asking.poller_of(cursor)), ""
    except (InvalidRequest, KeyMissing) as error:
        return [], str(error)


def _shown(poller: ResourcePoller) -> list[Setting]:
    shown = [
        Setting("Asks for", poller.url),
        Setting("ID field", poller.id_field),
        Setting("Date of update", _date(poller.updated)),
        Setting("Date of creation", _date(poller.created)),
        Setting(
            "Created or updated",
            "the two dates tell, within " + f"{poller.created_check_tolerance.total_seconds():g} s"
            if poller.dates_tell_created
            else "the date of entry tells where records have one, else the id",
            is_code=False,
        ),
    ]
    if not poller.filter_by_updated_date:
        shown.append(Setting("Reports", "new records only (filterByUpdatedDate is false)", is_code=False))
    if poller.filter_by_current_date:
        shown.append(Setting("Leaves out", "records saved after a poll began, for the next one", is_code=False))
    if poller.poll_delay:
        shown.append(Setting("Looks back further by", f"{poller.poll_delay.total_seconds():g} s", is_code=False))
    if poller.page_size is not None:
        shown.append(Setting("Page size", str(poller.page_size), is_code=False))
    return shown


def _date(date: DateField) -> str:
    return f"{date.path}, written {date.pattern} ({date.zone})"
