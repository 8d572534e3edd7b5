"""Pollers: how far each resource is read, when it is read next, and what is in the way."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from instances.console.lists import OfOneOrganization
from polling import doorbell, schedule
from polling.console import asked_poller, dry_runs, poll_now, poller_cells, poller_page, polling_live, starting
from polling.console.instance_links import instance_link
from polling.console.poller_state import STATES, in_state
from polling.models import PollCursor

_COLUMNS = (
    *("resource", "watermark", "next_poll_at", "leased_until", "is_active", "stopped_reason"),
    *("failures", "last_error", "last_polled_at", "last_change_count"),
    *("instance__name", "instance__organization_id", "instance__poll_interval_minutes"),
)


class StateFilter(admin.SimpleListFilter):
    title, parameter_name = "state", "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(state, state.capitalize()) for state in STATES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        state = self.value()
        return queryset.filter(in_state(state, now=timezone.now())) if state in STATES else queryset


@admin.register(PollCursor)
class PollCursorAdmin(OfOneOrganization):
    instance_lookup = "instance"
    tab = "pollers"
    organization_lookup = "instance__organization"
    list_display = ("poller", "of_instance", "state", "read_up_to", "last_poll", "next_poll", "obstacle", "now")
    list_display_links = None
    list_filter = (StateFilter, "resource")
    list_select_related = ("instance",)
    search_fields = ("=instance__id", "instance__name", "resource", "last_error", "stopped_reason")
    ordering = ("instance_id", "resource")
    list_per_page = 25
    list_max_show_all = polling_live.MOST
    actions = ("poll_now",)

    def get_urls(self) -> list[URLPattern]:
        def own(pattern: str, view: Any, name: str) -> URLPattern:
            return path(f"<int:pk>/{pattern}/", self.admin_site.admin_view(view), name=f"polling_pollcursor_{name}")

        live = path("live/", self.admin_site.admin_view(polling_live.view), name="polling_pollcursor_live")
        return [
            live,
            own("poll", poll_now.view, "poll"),
            own("dry-run", dry_runs.view, "dry_run"),
            own("start", starting.view, "start"),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Without the instance's configuration: thousands of rows are sorted for a page."""
        return super().get_queryset(request).only(*_COLUMNS)

    def get_list_display(self, request: HttpRequest) -> Any:
        shown = super().get_list_display(request)
        return shown if self.has_operate_permission(request) else [name for name in shown if name != "now"]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if request.method == "POST":
            raise PermissionDenied
        if not object_id.isdecimal():
            raise Http404("There is no such poller")
        return poller_page.show(request, asked_poller.poller_or_404(request, int(object_id)))

    @admin.display(description="poller", ordering="resource")
    def poller(self, cursor: PollCursor) -> SafeString:
        url = reverse("admin:polling_pollcursor_change", args=[cursor.pk])
        return format_html('<a class="console-link" href="{}">{}</a>', url, cursor.resource)

    @admin.display(description="instance", ordering="instance__name")
    def of_instance(self, cursor: PollCursor) -> SafeString:
        return instance_link(cursor.instance)

    @admin.display(description="state")
    def state(self, cursor: PollCursor) -> SafeString:
        return poller_cells.live(cursor, "state", now=timezone.now())

    @admin.display(description="read up to", ordering="watermark")
    def read_up_to(self, cursor: PollCursor) -> SafeString:
        return poller_cells.live(cursor, "read_up_to", now=timezone.now())

    @admin.display(description="last poll", ordering="last_polled_at")
    def last_poll(self, cursor: PollCursor) -> SafeString:
        return poller_cells.live(cursor, "last_poll", now=timezone.now())

    @admin.display(description="next poll", ordering="next_poll_at")
    def next_poll(self, cursor: PollCursor) -> SafeString:
        return poller_cells.live(cursor, "next_poll", now=timezone.now())

    @admin.display(description="in the way")
    def obstacle(self, cursor: PollCursor) -> SafeString:
        return poller_cells.live(cursor, "obstacle", now=timezone.now())

    @admin.display(description="poll now")
    def now(self, cursor: PollCursor) -> SafeString:
        return poll_now.button(cursor, is_listed=True)

    @admin.action(description="Poll now", permissions=["operate"])
    def poll_now(self, request: HttpRequest, queryset: QuerySet[PollCursor]) -> None:
        chosen = list(queryset.select_related("instance"))
        with transaction.atomic():  # one commit for all of them
            for cursor in chosen:
                if cursor.is_active:
                    asked_poller.note(request, cursor, "asked for a poll")
        due = schedule.poll_now([cursor.pk for cursor in chosen])
        doorbell.ring()
        if due:
            self.message_user(request, f"{due} resource(s) will be polled now.", messages.SUCCESS)
        if due < len(chosen):
            said = f"{len(chosen) - due} resource(s) are stopped and stay so; their page says why."
            self.message_user(request, said, messages.WARNING)
