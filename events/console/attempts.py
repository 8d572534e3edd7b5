"""Attempts: every try to bring a notification to a receiver, newest first."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from events.console import error_words, newest
from events.console.filters import ErrorFilter
from events.console.long_list import LongList
from events.console.newest import Asked, Found
from events.models import DeliveryAttempt
from instances.console import badges, moments


@admin.register(DeliveryAttempt)
class DeliveryAttemptAdmin(LongList):
    organization_lookup = "delivery__organization"
    list_display = ("when", "outcome", "duration", "of_delivery", "number", "reason")
    list_filter = (ErrorFilter,)
    empty_title = "No attempts yet"
    empty_text = "Every try to bring a notification to a receiver is listed here."

    def get_queryset(self, request: HttpRequest) -> QuerySet[DeliveryAttempt]:
        rows: QuerySet[DeliveryAttempt] = super().get_queryset(request)
        return rows.defer("response_excerpt")

    def find(self, asked: Asked) -> Found:
        return newest.attempts(asked)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup == "delivery" or super().lookup_allowed(lookup, value, request)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """An attempt is told of among the others of its delivery."""
        if request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        attempt = self.get_object(request, object_id)
        page = reverse("admin:events_delivery_change", args=[attempt.delivery_id])
        return redirect(f"{page}#attempt-{attempt.pk}")

    @admin.display(description="When")
    def when(self, attempt: DeliveryAttempt) -> SafeString:
        return format_html('<span data-row="{}">{}</span>', attempt.pk, moments.ago(attempt.started_at))

    @admin.display(description="Outcome")
    def outcome(self, attempt: DeliveryAttempt) -> SafeString:
        return badges.badge(error_words.said(attempt), error_words.tone_of(attempt))

    @admin.display(description="Took")
    def duration(self, attempt: DeliveryAttempt) -> str:
        return f"{attempt.duration_ms:,} ms"

    @admin.display(description="Delivery")
    def of_delivery(self, attempt: DeliveryAttempt) -> SafeString:
        url = reverse("admin:events_delivery_change", args=[attempt.delivery_id])
        return format_html('<a class="console-link" href="{}">{}</a>', url, attempt.delivery_id)

    @admin.display(description="What went wrong")
    def reason(self, attempt: DeliveryAttempt) -> SafeString:
        return format_html('<span x-ignore class="events-what">{}</span>', attempt.error)
