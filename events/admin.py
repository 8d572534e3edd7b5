"""The console's pages about events and their delivery. They read; deliveries can be begun again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from events import ordering, subscriptions
from events.models import Callback, Delivery, DeliveryAttempt, Event, Inbox, Registration, Subscription
from instances.admin import OfOneOrganization, is_staff, may_operate
from instances.models import User

if TYPE_CHECKING:
    Inline = admin.TabularInline[Any, Any]
else:
    Inline = admin.TabularInline

LONGEST_BODY = 200_000
"""Characters of a notification that a page shows."""


def may_see_bodies(request: HttpRequest) -> bool:
    """A viewer sees that a notification went and how that ended, not what was in it."""
    return request.user.is_superuser or getattr(request.user, "role", "") in (User.OWNER, User.OPERATOR)


@admin.register(Event)
class EventAdmin(OfOneOrganization):
    list_display = ("id", "instance", "topic", "source", "change_count", "delivered", "created_at")
    list_filter = ("source", "instance__element_key", "created_at")
    list_select_related = ("instance",)
    search_fields = ("=id", "=instance__id", "instance__name", "=topic")
    ordering = ("-id",)
    show_full_result_count = False

    def of_organization(self, rows: QuerySet[Event], organization_id: int) -> QuerySet[Event]:
        return rows.filter(Q(instance__organization=organization_id) | Q(organization=organization_id))

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


class AttemptsOfDelivery(Inline):
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


@admin.register(Subscription)
class SubscriptionAdmin(OfOneOrganization):
    list_display = ("id", "instance", "channel", "destination", "state", "deactivated_reason", "updated_at")
    list_filter = ("state", "channel")
    list_select_related = ("instance",)
    search_fields = ("=id", "url", "instance__name")
    ordering = ("-id",)
    fields = ("instance", "channel", "topics", "destination", "state", "deactivated_reason", "created_at", "updated_at")

    @admin.display(description="URL")
    def destination(self, subscription: Subscription) -> str:
        """Without its query string, where receivers keep secrets."""
        return subscription.url.partition("?")[0] or "none"


@admin.register(Inbox)
class InboxAdmin(OfOneOrganization):
    """Without its address, which is a secret. Inboxes whose instance is gone are nobody's but the operator's."""

    organization_lookup = "instance__organization"
    list_display = (
        *("id", "instance", "element_key", "is_open", "last_checked_at", "last_error"),
        *("refused_count", "last_refused_reason"),
    )
    list_filter = ("is_open", "element_key")
    list_select_related = ("instance",)
    search_fields = ("=id", "=instance__id", "instance__name")
    ordering = ("-id",)
    fields = (
        *("instance", "element_key", "is_open", "accepts_unsigned", "last_checked_at", "next_check_at", "failures"),
        *("last_error", "refused_count", "last_refused_at", "last_refused_reason", "suspect_at", "suspect_reason"),
        *("parted_at", "created_at"),
    )


@admin.register(Registration)
class RegistrationAdmin(OfOneOrganization):
    organization_lookup = "inbox__instance__organization"
    list_display = ("id", "instance", "type", "level", "object_id", "state", "provider_id", "checked_at", "last_error")
    list_filter = ("state", "type", "inbox__element_key")
    list_select_related = ("inbox__instance",)
    search_fields = ("=inbox__instance__id", "inbox__instance__name", "=provider_id")
    ordering = ("-id",)
    fields = (
        *("instance", "type", "level", "object_id", "state", "provider_id"),
        *("last_error", "registered_at", "checked_at"),
    )

    @admin.display(description="Instance")
    def instance(self, registration: Registration) -> str:
        return str(registration.inbox.instance or "gone")


@admin.register(Callback)
class CallbackAdmin(OfOneOrganization):
    organization_lookup = "instance__organization"
    list_display = ("id", "instance", "state", "reason", "attempts_made", "received_at")
    list_filter = ("state", "instance__element_key", "received_at")
    list_select_related = ("instance",)
    search_fields = ("=id", "=instance__id", "instance__name", "=message_id")
    ordering = ("-id",)
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Callback]:
        rows: QuerySet[Callback] = super().get_queryset(request)
        return rows if request.resolver_match and "object_id" in request.resolver_match.kwargs else rows.defer("body")

    def get_fields(self, request: HttpRequest, obj: Callback | None = None) -> tuple[str, ...]:
        fields = ("id", "instance", "state", "reason", "message_id", "attempts_made", "received_at", "next_attempt_at")
        return (*fields, "posted") if may_see_bodies(request) else fields

    @admin.display(description="Body")
    def posted(self, callback: Callback) -> SafeString:
        """As text, whatever is in it: format_html escapes."""
        text = bytes(callback.body).decode(errors="replace")
        return format_html('<pre style="white-space: pre-wrap">{}</pre>', text[:LONGEST_BODY])
