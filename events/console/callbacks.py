"""What providers tell us: inboxes, our registrations at the provider, and callbacks as they came."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from events.models import Callback, Inbox, Registration
from instances.console.lists import OfOneOrganization, may_see_bodies

LONGEST_BODY = 200_000
"""Characters of a notification that a page shows."""


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
    instance_lookup = "inbox__instance"
    tab = "registrations"
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
    instance_lookup = "instance"
    tab = "callbacks"
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
