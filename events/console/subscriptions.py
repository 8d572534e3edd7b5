"""Subscriptions: who is told of what, and how their receivers are doing."""

from __future__ import annotations

from django.contrib import admin

from events.models import Subscription
from instances.console.lists import OfOneOrganization


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
