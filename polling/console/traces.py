"""Why did I not get it? Everything that is known of one object, in the order it happened."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import render
from django.urls import reverse

from events import decisions
from events.models import Callback, Event
from events.traced_events import TracedDelivery
from instances.console.home import BAD, GOOD, PLAIN, WARNING
from instances.console.page import add_route, instance_or_404, instance_page
from instances.errors import InvalidRequest
from instances.models import Instance
from polling import standing, trace, trace_question
from polling.console.verdicts import verdict_of
from polling.models import PollCursor
from polling.trace import BASELINE, POLL_FAILED, REFUSED, WAITING
from polling.trace_words import Entry

_ISO = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z")
_LABELS: Final = {
    "created": ("Created", GOOD),
    "updated": ("Updated", GOOD),
    "deleted": ("Deleted", GOOD),
    "unknown": ("Reported", GOOD),
    BASELINE: ("Noted", PLAIN),
    WAITING: ("Waits", WARNING),
    REFUSED: ("Refused", BAD),
    POLL_FAILED: ("Poll failed", BAD),
    decisions.SEEN_BEFORE: ("Nothing new", PLAIN),
    decisions.NOT_WANTED: ("Not wanted", PLAIN),
    decisions.TOO_OLD: ("Too old", WARNING),
    decisions.PARKED: ("Parked", WARNING),
    decisions.EVENTS_OFF: ("Dropped", WARNING),
    decisions.NO_ID: ("No id", WARNING),
}


@dataclass(frozen=True, slots=True)
class Link:
    label: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownDelivery:
    detail: str
    url: str
    attempts: int
    """Those that are kept, up to ten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happened."""

    at: datetime
    label: str
    tone: str
    source: str
    detail: str
    links: Sequence[Link]
    deliveries: Sequence[ShownDelivery]


def view(request: HttpRequest, instance_id: int) -> HttpResponse:
    """`?objectType=&objectId=`, as the API has it; without them, the form."""
    if request.method != "GET":
        return HttpResponseNotAllowed(["GET"])
    instance = instance_or_404(request, instance_id)
    object_type, object_id = request.GET.get("objectType", ""), request.GET.get("objectId", "")
    watched = standing.watched_types(instance)
    context: dict[str, Any] = {
        "object_type": object_type,
        "object_id": object_id,
        "watched": watched,
        "others": [name for name in standing.object_types(instance) if name not in watched],
    }
    if object_type or object_id:
        context |= _asked(instance, object_type, object_id)
    if object_type and object_type not in watched and object_type not in context["others"]:
        context["others"] = [*context["others"], object_type]
    if _is_in_place(request):
        return render(request, "console/polling/trace_result.html", {"instance": instance, **context})
    return instance_page(request, instance, "console/polling/trace.html", tab="trace", **context)


def _is_in_place(request: HttpRequest) -> bool:
    """Whether htmx asks for the result alone: on the way back it asks for the page."""
    htmx: Any = getattr(request, "htmx", None)
    return bool(htmx) and not htmx.history_restore_request


def _asked(instance: Instance, typed_type: str, typed_id: str) -> dict[str, Any]:
    try:
        object_type = trace_question.object_type(typed_type, instance=instance)
        object_id = trace_question.object_id(typed_id)
    except InvalidRequest as error:
        return {"problem": str(error)}
    found = trace.trace(instance=instance, object_type=object_type, object_id=object_id)
    return {
        "kept_since": found.kept_since,
        "summary": readable(found.summary),
        "asked_about": f"{object_type} {object_id}",
        "verdict": verdict_of(found.entries),
        "steps": steps_of(found.entries, instance=instance, object_type=object_type),
    }


def steps_of(entries: Sequence[Entry], *, instance: Instance, object_type: str) -> list[Step]:
    """The newest first, with links to what is still there."""
    named = [entry.callback_id for entry in entries if entry.callback_id is not None]
    kept = (
        set(Callback.objects.filter(pk__in=named, instance=instance).values_list("pk", flat=True)) if named else set()
    )
    cursor_id = (
        PollCursor.objects.filter(instance=instance, resource=object_type).values_list("pk", flat=True).first()
        if any(entry.poll_id is not None for entry in entries)
        else None
    )
    return [_step(entry, cursor_id=cursor_id, kept_callbacks=kept) for entry in reversed(entries)]


def _step(entry: Entry, *, cursor_id: int | None, kept_callbacks: set[int]) -> Step:
    label, tone = _LABELS.get(entry.decision, (entry.decision.replace("_", " ").capitalize(), PLAIN))
    links = []
    if entry.event_id is not None:
        links.append(Link(f"Event {entry.event_id}", reverse("admin:events_event_change", args=[entry.event_id])))
    if entry.callback_id is not None and entry.callback_id in kept_callbacks:
        url = reverse("admin:events_callback_change", args=[entry.callback_id])
        links.append(Link(f"Callback {entry.callback_id}", url))
    if entry.poll_id is not None and cursor_id is not None:
        url = reverse("admin:polling_pollcursor_change", args=[cursor_id])
        links.append(Link("The poll", f"{url}#poll-{entry.poll_id}"))
    return Step(
        at=entry.at,
        label=label,
        tone=tone,
        source="poll" if entry.source == Event.POLL else "callback",
        detail=readable(entry.detail),
        links=links,
        deliveries=[_delivery(one) for one in entry.deliveries],
    )


def _delivery(delivery: TracedDelivery) -> ShownDelivery:
    return ShownDelivery(
        detail=readable(delivery.detail),
        url=reverse("admin:events_delivery_change", args=[delivery.delivery_id]),
        attempts=len(delivery.attempts),
    )


def readable(words: str) -> str:
    """Moments as all pages write them, not as the API does."""
    return _ISO.sub(r"\1 \2 UTC", words)


add_route("instances/instance/<int:instance_id>/trace/", view, name="instance_trace")
