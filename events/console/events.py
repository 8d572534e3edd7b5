"""Events: what happened, and the notification that says so."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from events.models import Delivery, Event
from instances.console.lists import OfOneOrganization, may_see_bodies
from instances.console.scope import scope_of

LONGEST_BODY = 200_000
"""Characters of a notification that a page shows."""


@admin.register(Event)
class EventAdmin(OfOneOrganization):
    instance_lookup = "instance"
    tab = "events"
    list_display = ("id", "instance", "topic", "source", "change_count", "delivered", "created_at")
    list_filter = ("source", "instance__element_key", "created_at")
    list_select_related = ("instance",)
    search_fields = ("=id", "=instance__id", "instance__name", "=topic")
    ordering = ("-id",)
    show_full_result_count = False

    def of_scope(self, rows: QuerySet[Event], request: HttpRequest) -> QuerySet[Event]:
        scope = scope_of(request)
        return scope.of(rows, "instance__organization") | scope.of(rows)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        delivered = Count("deliveries", filter=Q(deliveries__state=Delivery.DELIVERED))
        rows: QuerySet[Event] = super().get_queryset(request)
        rows = rows.annotate(delivered_count=delivered, delivery_count=Count("deliveries"))
        return rows if request.resolver_match and "object_id" in request.resolver_match.kwargs else rows.defer("body")

    def get_fields(self, request: HttpRequest, obj: Event | None = None) -> tuple[str, ...]:
        fields = ("id", "instance", "topic", "source", "change_count", "delivered", "acknowledged_at", "created_at")
        return (*fields, "notification") if may_see_bodies(request) else fields

    @admin.display(description="Delivered")
    def delivered(self, event: Event) -> str:
        counts = vars(event)
        return f"{counts['delivered_count']} of {counts['delivery_count']}"

    @admin.display(description="Notification")
    def notification(self, event: Event) -> SafeString:
        """As text, whatever is in it: format_html escapes."""
        text = bytes(event.body).decode(errors="replace")
        return format_html('<pre style="white-space: pre-wrap">{}</pre>', text[:LONGEST_BODY])
