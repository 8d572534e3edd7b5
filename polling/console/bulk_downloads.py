"""Bulk downloads: how far each is, cancelling, and what they hold."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from instances.console.badges import badge
from instances.console.lists import OfOneOrganization
from instances.console.moments import ago
from polling.console import bulk_pages
from polling.console.instance_links import instance_link
from polling.models import BulkQuery


@admin.register(BulkQuery)
class BulkQueryAdmin(OfOneOrganization):
    organization_lookup = "instance__organization"
    instance_lookup = "instance"
    tab = "bulk"
    list_display = ("title", "of_instance", "shown_state", "far", "created", "finished")
    list_display_links = None
    list_filter = ("state",)
    list_select_related = ("instance",)
    search_fields = ("=id", "=instance__id", "instance__name", "collection")
    ordering = ("-id",)
    empty_title = "No bulk downloads"
    empty_text = "Clients begin one with POST /bulk/query; it shows here while its result is kept."

    class Media:
        css = {"all": ["console/polling.css"]}

    def get_urls(self) -> list[URLPattern]:
        def own(pattern: str, view: Any) -> URLPattern:
            name = f"polling_bulkquery_{pattern}"
            return path(f"<int:pk>/{pattern}/", self.admin_site.admin_view(view), name=name)

        return [own("cancel", bulk_pages.cancel), own("download", bulk_pages.download), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if request.method == "POST":
            raise PermissionDenied
        return bulk_pages.show(request, self.get_object(request, object_id))

    @admin.display(description="bulk download", ordering="id")
    def title(self, query: BulkQuery) -> SafeString:
        url = reverse("admin:polling_bulkquery_change", args=[query.pk])
        return format_html('<a class="console-link" href="{}" x-ignore>{} {}</a>', url, query.collection, query.pk)

    @admin.display(description="instance", ordering="instance__name")
    def of_instance(self, query: BulkQuery) -> SafeString:
        return instance_link(query.instance)

    @admin.display(description="state", ordering="state")
    def shown_state(self, query: BulkQuery) -> SafeString:
        return badge(query.state)

    @admin.display(description="records")
    def far(self, query: BulkQuery) -> str:
        return bulk_pages.progress_of(query).words

    @admin.display(description="began", ordering="created_at")
    def created(self, query: BulkQuery) -> SafeString:
        return ago(query.created_at)

    @admin.display(description="ended", ordering="finished_at")
    def finished(self, query: BulkQuery) -> SafeString:
        return ago(query.finished_at, never="not yet")
