"""Pollers: how far each resource is read, when it is read next, and what is in the way."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from instances.console.lists import OfOneOrganization
from polling import doorbell, schedule
from polling.models import PollCursor


@admin.register(PollCursor)
class PollCursorAdmin(OfOneOrganization):
    instance_lookup = "instance"
    tab = "pollers"
    organization_lookup = "instance__organization"
    list_display = (
        "instance",
        "resource",
        "state",
        "watermark",
        "last_polled_at",
        "last_change_count",
        "next_poll_at",
        "failures",
        "last_error",
    )
    list_filter = ("is_active", "resource")
    list_select_related = ("instance",)
    search_fields = ("=instance__id", "instance__name", "resource", "last_error")
    ordering = ("instance_id", "resource")
    actions = ("poll_now",)
    fields = (
        "instance",
        "resource",
        "state",
        "stopped_reason",
        "watermark",
        "baseline_at",
        "known_id",
        "next_poll_at",
        "leased_until",
        "last_polled_at",
        "last_change_count",
        "failures",
        "last_error",
        "created_at",
    )

    @admin.display(description="state")
    def state(self, cursor: PollCursor) -> str:
        if not cursor.is_active:
            return "stopped"
        return "failing" if cursor.failures else "polling"

    @admin.action(description="Poll now", permissions=["operate"])
    def poll_now(self, request: HttpRequest, queryset: QuerySet[PollCursor]) -> None:
        chosen = list(queryset.values_list("pk", flat=True))
        due = schedule.poll_now(chosen)
        doorbell.ring()
        if due:
            self.message_user(request, f"{due} resource(s) will be polled now.", messages.SUCCESS)
        if due < len(chosen):
            said = f"{len(chosen) - due} resource(s) are stopped and stay so; their page says why."
            self.message_user(request, said, messages.WARNING)
