"""Deliveries and their attempts: how it went, and beginning again."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import TabularInline

from events import ordering, subscriptions
from events.models import Delivery, DeliveryAttempt, Subscription
from instances.console.lists import OfOneOrganization, is_staff, may_operate, may_see_bodies


class AttemptsOfDelivery(TabularInline):
    model = DeliveryAttempt
    fields = ("number", "started_at", "duration_ms", "status", "error_class", "error")
    readonly_fields = fields
    ordering = ("-id",)
    extra = 0
    can_delete = False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_staff(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Delivery)
class DeliveryAdmin(OfOneOrganization):
    instance_lookup = "subscription__instance"
    tab = "deliveries"
    list_display = ("id", "event", "subscription", "state", "attempts_made", "next_attempt", "updated_at")
    list_filter = ("state", "subscription__channel", "updated_at")
    list_select_related = ("subscription",)
    search_fields = ("=id", "=event__id", "subscription__url")
    ordering = ("-id",)
    show_full_result_count = False
    actions = ("redeliver",)
    inlines = (AttemptsOfDelivery,)
    fields = ("id", "event", "subscription", "state", "attempts_made", "first_failed_at", "next_attempt", "updated_at")

    def has_redeliver_permission(self, request: HttpRequest) -> bool:
        return may_operate(request)

    @admin.display(description="Next attempt")
    def next_attempt(self, delivery: Delivery) -> str:
        if delivery.state != Delivery.PENDING:
            return ""
        if delivery.next_attempt_at == subscriptions.HELD_BACK:
            return "when events are on again"
        if delivery.next_attempt_at == ordering.WAITS:
            return "when an older one of the same object was delivered"
        return delivery.next_attempt_at.strftime("%Y-%m-%d %H:%M:%S UTC")

    @admin.action(description="Redeliver", permissions=["redeliver"])
    def redeliver(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        chosen = Delivery.objects.filter(pk__in=list(queryset.values_list("pk", flat=True)))
        theirs = Subscription.objects.filter(pk__in=chosen.values("subscription"))
        count = subscriptions.redeliver(chosen, reactivate=theirs.exclude(url=""))
        messages.success(request, f"{count} deliveries begin again")


@admin.register(DeliveryAttempt)
class DeliveryAttemptAdmin(OfOneOrganization):
    organization_lookup = "delivery__organization"
    list_display = ("id", "delivery", "number", "started_at", "duration_ms", "status", "error_class")
    list_filter = ("error_class", "status", "started_at")
    search_fields = ("=delivery__id", "=delivery__event__id")
    ordering = ("-id",)
    show_full_result_count = False

    def get_fields(self, request: HttpRequest, obj: DeliveryAttempt | None = None) -> tuple[str, ...]:
        fields = ("delivery", "number", "started_at", "duration_ms", "status", "error_class", "error")
        return (*fields, "answer") if may_see_bodies(request) else fields

    @admin.display(description="Answer")
    def answer(self, attempt: DeliveryAttempt) -> SafeString:
        return format_html('<pre style="white-space: pre-wrap">{}</pre>', attempt.response_excerpt)
