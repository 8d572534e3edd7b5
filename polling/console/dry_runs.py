"""The dry run of a poller, for people who may see what customers' records hold."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import render

from connectors.change import CREATED, DELETED, UPDATED
from instances.console.home import GOOD, PLAIN
from instances.console.page import instance_page
from polling import dry_run as dry_runs
from polling.console import asked_poller
from polling.dry_run import DryRun
from polling.dry_run_requests import AskedRequest
from polling.dry_run_rows import CONFIRMED, IGNORED, NOTED, Row
from polling.models import PollCursor

AT_ONCE: Final = 2
"""In one process: each keeps a thread of the web server busy for as long as the provider takes."""
ROWS_SHOWN: Final = 200
"""Of those that would be reported, and as many of the others."""
LONGEST_BODY: Final = 64 * 1024
_REPORTED: Final = (CREATED, UPDATED, DELETED)
_room: Final = threading.BoundedSemaphore(AT_ONCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownRequest:
    request: AskedRequest
    address: str
    """Without its query."""
    parameters: Sequence[tuple[str, str]]
    """The query in clear."""


@dataclass(frozen=True, slots=True)
class Count:
    label: str
    count: int
    tone: str


def view(request: HttpRequest, pk: int) -> HttpResponse:
    """GET explains, POST runs."""
    cursor = asked_poller.poller_to_operate(request, pk)
    if request.method not in ("GET", "POST"):
        return HttpResponseNotAllowed(["GET", "POST"])
    context: dict[str, Any] = {"cursor": cursor, "pages": dry_runs.MOST_PAGES, "rows": dry_runs.MOST_ROWS}
    if request.method == "POST":
        context |= _run(request, cursor)
        if getattr(request, "htmx", False):
            return render(request, "console/polling/dry_run_result.html", context)
    return instance_page(request, cursor.instance, "console/polling/dry_run.html", tab="pollers", **context)


def _run(request: HttpRequest, cursor: PollCursor) -> dict[str, Any]:
    if cursor.instance.is_disabled:
        return {"refusal": "The instance is disabled: nothing is asked of its provider. Enable it first."}
    if not _room.acquire(blocking=False):
        return {"refusal": "Other dry runs are under way; try again in a moment."}
    try:
        asked_poller.note(request, cursor, "ran a poller dry")
        found = dry_runs.dry_run(cursor)
    finally:
        _room.release()
    return context_of(found)


def context_of(found: DryRun) -> dict[str, Any]:
    """What the page of a result shows."""
    reported = [row for row in found.rows if row.change is not None]
    others = [row for row in found.rows if row.change is None]
    return {
        "found": found,
        "seconds": f"{dry_runs.SECONDS:g}",
        "counts": _counts(found.rows),
        "reported_count": len(reported),
        "requests": [_shown(one) for one in found.requests],
        "shown_rows": [*reported[:ROWS_SHOWN], *others[:ROWS_SHOWN]],
        "left_out": max(0, len(reported) - ROWS_SHOWN) + max(0, len(others) - ROWS_SHOWN),
        "bodies": [pretty(body) for body in found.notifications],
        "is_moved": found.before != found.after,
    }


def _counts(rows: Sequence[Row]) -> list[Count]:
    labels: dict[str, str] = {CREATED: "created", UPDATED: "updated", DELETED: "deleted"}
    labels |= {NOTED: "noted", CONFIRMED: "told by callbacks", IGNORED: "passed over"}
    found = [(outcome, sum(row.outcome == outcome for row in rows)) for outcome in labels]
    return [Count(labels[name], count, GOOD if name in _REPORTED else PLAIN) for name, count in found if count]


def _shown(asked: AskedRequest) -> ShownRequest:
    parts = urlsplit(asked.url)
    return ShownRequest(
        request=asked,
        address=parts._replace(query="", fragment="").geturl(),
        parameters=parse_qsl(parts.query, keep_blank_values=True),
    )


def pretty(body: bytes) -> str:
    """JSON as people read it; as it is where it is too long."""
    if len(body) > LONGEST_BODY:
        return f"{body[:LONGEST_BODY].decode(errors='replace')}\n… ({len(body):,} bytes in all)"
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return body.decode(errors="replace")
