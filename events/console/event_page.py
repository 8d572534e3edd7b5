"""The page of an event: the facts, the notification on request, and how each of its deliveries went."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_POST

from events.console import contents, stories
from events.console.crumbs import Crumb
from events.console.long_list import PART
from events.console.readable import readable
from events.models import Delivery, Event
from events.provenance import provenance_of
from instances import audit
from instances.console.lists import may_operate, may_see_bodies
from instances.console.page import page

FOUND_BY = {
    "poll": "A poll found it; no callback told of it",
    "webhook": "A callback of the provider told of it",
    "both": "A callback of the provider told of it, and a poll found it too",
    None: "",
}


def show(request: HttpRequest, event: Event) -> HttpResponse:
    if request.method not in ("GET", "HEAD"):
        raise PermissionDenied
    shows = may_see_bodies(request)
    is_posted = event.source == Event.POSTED
    deliveries = stories.related(Delivery.objects.filter(event=event)).order_by("-pk")
    told = stories.of_deliveries(list(deliveries[: stories.MOST_DELIVERIES]), shows_answers=shows)
    return page(
        request,
        "console/events/stories_part.html" if PART in request.headers else "console/events/event.html",
        title=f"Event {event.pk}",
        opts=Event._meta,
        original=Crumb(Event._meta, event.pk, f"Event {event.pk}"),
        event=event,
        changes=contents.of_events([event.pk]).get(event.pk, []) if shows else [],
        found_by="Somebody posted it through the API" if is_posted else FOUND_BY[provenance_of(event)],
        stories=told,
        is_live=any(one.delivery.state == Delivery.PENDING for one in told),
        most_deliveries=stories.MOST_DELIVERIES,
        may_see_bodies=shows,
        may_operate=may_operate(request),
    )


@require_POST
def body(request: HttpRequest, event: Event) -> HttpResponse:
    """The notification as text, whatever is in it. Looking at it is noted."""
    _note(request, event, action="looked at a notification")
    text, is_cut = readable(bytes(event.body))
    if request.headers.get("HX-Request"):
        return TemplateResponse(request, "console/events/body.html", {"body": text, "is_cut": is_cut})
    return page(
        request,
        "console/events/body_page.html",
        title=f"Notification of event {event.pk}",
        opts=Event._meta,
        original=Crumb(Event._meta, event.pk, f"Event {event.pk}"),
        event=event,
        body=text,
        is_cut=is_cut,
    )


@require_POST
def download(request: HttpRequest, event: Event) -> HttpResponse:
    """The bytes as they are sent."""
    _note(request, event, action="downloaded a notification")
    return HttpResponse(
        bytes(event.body),
        content_type="application/json",
        headers={
            "Content-Disposition": f'attachment; filename="event-{event.pk}.json"',
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
        },
    )


def _note(request: HttpRequest, event: Event, *, action: str) -> None:
    """Raises PermissionDenied for those who may not see it."""
    if not may_see_bodies(request):
        raise PermissionDenied
    instance = event.instance
    audit.note(
        who=request.user,
        action=action,
        through=audit.CONSOLE,
        organization_id=instance.organization_id if instance else event.organization_id,
        instance=instance,
        subject=f"event {event.pk}",
    )
