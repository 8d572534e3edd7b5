"""Poll now, in place: the button asks for a poll, and says how it went once a worker has polled."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib import messages
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.safestring import SafeString

from polling import doorbell, schedule
from polling.console import asked_poller, poller_cells
from polling.models import PollCursor

TEMPLATE: Final = "console/polling/poll_now.html"
PATIENCE: Final = timedelta(seconds=45)
"""After this nobody waits any longer: something is wrong with the workers."""

WAITING, POLLED, FAILED, STOPPED, UNHEARD = "waiting", "polled", "failed", "stopped", "unheard"


def button(cursor: PollCursor, *, is_listed: bool) -> SafeString:
    return render_to_string(TEMPLATE, {"cursor": cursor, "is_box": True, "is_listed": is_listed})


def view(request: HttpRequest, pk: int) -> HttpResponse:
    """POST asks for the poll, GET `?asked_at=` how it went."""
    cursor = asked_poller.poller_to_operate(request, pk)
    is_in_place = bool(getattr(request, "htmx", False))
    if request.method == "POST":
        asked_at = _database_now()  # before it is asked for: a worker may be quicker than we are
        said = _ask(request, cursor)
        if not is_in_place:
            level, words = _WORDS[said]
            messages.add_message(request, level, words)
            return redirect(reverse("admin:polling_pollcursor_change", args=[cursor.pk]))
    elif request.method == "GET":
        asked_at = _moment(request.GET.get("asked_at", ""))
        said = _how_it_went(cursor, asked_at=asked_at)
    else:
        return HttpResponseNotAllowed(["GET", "POST"])
    return render(request, TEMPLATE, _context(cursor, said, asked_at=asked_at))


def _ask(request: HttpRequest, cursor: PollCursor) -> str:
    if not schedule.poll_now([cursor.pk]):
        return STOPPED
    asked_poller.note(request, cursor, "asked for a poll")
    doorbell.ring()
    return WAITING


def _how_it_went(cursor: PollCursor, *, asked_at: datetime) -> str:
    if cursor.last_polled_at is not None and cursor.last_polled_at >= asked_at:
        return FAILED if cursor.last_error else POLLED
    if not cursor.is_active:
        return STOPPED
    return WAITING if _database_now() - asked_at < PATIENCE else UNHEARD


def _context(cursor: PollCursor, said: str, *, asked_at: datetime) -> dict[str, Any]:
    url = reverse("admin:polling_pollcursor_poll", args=[cursor.pk])
    return {
        "cursor": cursor,
        "said": said,
        "again": f"{url}?{urlencode({'asked_at': asked_at.isoformat()})}" if said == WAITING else "",
        "updates": poller_cells.updates(cursor, now=timezone.now()),
    }


def _moment(text: str) -> datetime:
    """What a page sends back of ours; anything else is as if nobody had asked."""
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    return found if found is not None and found.tzinfo is not None else _database_now()


def _database_now() -> datetime:
    """The clock by which polls are dated."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        now: datetime = cursor.fetchone()[0]
        return now


_WORDS: Final = {
    WAITING: (messages.SUCCESS, "It will be polled now."),
    STOPPED: (messages.WARNING, "It is stopped and stays so; this page says why."),
}
