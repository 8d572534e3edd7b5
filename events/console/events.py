"""Events: what happened, what was told of it, and to whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString

from events.console import contents, event_page, newest
from events.console.filters import EventElement, EventSource, EventStatus, TimeFilter
from events.console.long_list import LongList
from events.console.newest import Asked, Found
from events.models import Delivery, Event, SeenChange
from instances.console import badges, moments
from instances.console.home import BAD, GOOD, PLAIN, WARNING
from instances.console.lists import may_see_bodies
from instances.console.scope import scope_of

SOURCES = {Event.POLL: "poll", Event.WEBHOOK: "callback", Event.POSTED: "posted"}
LONGEST_OBJECT_ID = 255


@admin.register(Event)
class EventAdmin(LongList):
    instance_lookup = "instance"
    tab = "events"
    list_display = ("when", "instance", "what", "delivered", "found_by", "number")
    list_filter = (EventStatus, EventSource, EventElement, TimeFilter)
    list_select_related = ("instance",)
    search_fields = ("id",)
    search_help_text = "Event id"
    empty_title = "No events yet"
    empty_text = (
        "An event appears here within seconds of a change at the provider, once an instance has its events switched on."
    )
    actions: ClassVar[Sequence[Any]] = ()

    def of_scope(self, rows: QuerySet[Event], request: HttpRequest) -> QuerySet[Event]:
        scope = scope_of(request)
        return scope.of(rows, "instance__organization") | scope.of(rows)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        rows: QuerySet[Event] = super().get_queryset(request)
        return rows.defer("body")

    def get_urls(self) -> list[URLPattern]:
        body = path("<int:event_id>/body/", self._page(event_page.body), name="events_event_body")
        download = path("<int:event_id>/download/", self._page(event_page.download), name="events_event_download")
        urls: list[URLPattern] = super().get_urls()
        return [body, download, *urls]

    def _page(self, view: Any) -> Any:
        def shown(request: HttpRequest, event_id: int) -> HttpResponse:
            response: HttpResponse = view(request, self.get_object(request, str(event_id)))
            return response

        return self.admin_site.admin_view(shown)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return event_page.show(request, self.get_object(request, object_id))

    def find(self, asked: Asked) -> Found:
        return newest.events(asked)

    def search_hint(self, request: HttpRequest) -> str | None:
        is_tab = self.instance_lookup in request.GET
        return "Event id, or an object's" if is_tab and may_see_bodies(request) else self.search_help_text

    def searched(self, request: HttpRequest, text: str) -> list[int]:
        """On an instance's tab, ids of objects are understood, too: its ledger has them."""
        found = super().searched(request, text)
        instance = self.instance_of(request)
        if instance is not None and len(text) <= LONGEST_OBJECT_ID and may_see_bodies(request) and "\x00" not in text:
            about = SeenChange.objects.filter(instance=instance, object_id=text, event_id__isnull=False)
            found += [one for one in about.order_by("-event_id").values_list("event_id", flat=True)[:500] if one]
        return found

    def shown(self, request: HttpRequest, rows: list[Event]) -> list[Event]:
        ids = [event.pk for event in rows]
        told = contents.of_events(ids) if may_see_bodies(request) else {}
        counts: dict[int, dict[str, int]] = {}
        states = Delivery.objects.filter(event__in=ids).values_list("event", "state")
        for event_id, state, count in states.annotate(count=Count("pk")).order_by():
            counts.setdefault(event_id, {})[state] = count
        for event in rows:
            vars(event)["told"] = told.get(event.pk, [])
            vars(event)["counts"] = counts.get(event.pk, {})
        return rows

    @admin.display(description="When")
    def when(self, event: Event) -> SafeString:
        return format_html('<span data-row="{}">{}</span>', event.pk, moments.ago(event.created_at))

    @admin.display(description="What happened")
    def what(self, event: Event) -> SafeString:
        if event.source == Event.POSTED:
            said = f"posted as {event.topic}" if event.topic else "posted to one URL"
        else:
            said = contents.in_words(vars(event)["told"], count=event.change_count)
        return format_html('<span x-ignore class="events-what">{}</span>', said)

    @admin.display(description="Delivered")
    def delivered(self, event: Event) -> SafeString:
        return delivered_badge(vars(event)["counts"])

    @admin.display(description="Source")
    def found_by(self, event: Event) -> str:
        return SOURCES[event.source]

    @admin.display(description="Event")
    def number(self, event: Event) -> SafeString:
        return format_html('<span class="console-mono">{}</span>', event.pk)


def delivered_badge(counts: dict[str, int]) -> SafeString:
    total, taken = sum(counts.values()), counts.get(Delivery.DELIVERED, 0)
    if not total:
        return badges.badge("nobody to tell", PLAIN)
    said = f"{taken} of {total}"
    if taken == total:
        return badges.badge(said, GOOD)
    if counts.get(Delivery.ABANDONED):
        return badges.badge(f"{said}, abandoned", BAD)
    return badges.badge(f"{said}, {'queued' if counts.get(Delivery.QUEUED) else 'pending'}", WARNING)
