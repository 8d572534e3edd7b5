"""The list of instances, and the roads to what can be done with one."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin import ShowFacets
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from instances.console import (
    badges,
    bulk_actions,
    form_views,
    instance_page,
    moments,
    stopping,
    switch_box,
    switching,
    tokens,
)
from instances.console.instance_filters import ElementFilter, EventsFilter, StateFilter, TagFilter, chosen_in
from instances.console.instance_states import state_badge
from instances.console.lists import OfOneOrganization, may_operate
from instances.models import Instance

MOST_TAGS = 3
"""Of an instance that its row shows."""


@admin.register(Instance)
class InstanceAdmin(bulk_actions.BulkActions, OfOneOrganization):
    change_list_template = "admin/instances/instance/change_list.html"
    list_display = ("title", "element", "state", "switch", "labels", "organization", "created")
    list_filter = (StateFilter, ElementFilter, EventsFilter, TagFilter)
    search_fields = ("=id", "name", "tags")
    search_help_text = "Name, tag or id"
    ordering = ("-id",)
    show_facets = ShowFacets.NEVER

    def get_urls(self) -> list[URLPattern]:
        routes = (
            ("<int:instance_id>/events/", switching.switch_view, "events"),
            ("<int:instance_id>/disable/", stopping.disable_view, "disable"),
            ("<int:instance_id>/enable/", stopping.enable_view, "enable"),
            ("<int:instance_id>/token/", tokens.token_view, "token"),
            ("<int:instance_id>/signing-key/", tokens.signature_key_view, "signing_key"),
        )
        own = [
            path(route, self.admin_site.admin_view(view), name=f"instances_instance_{name}")
            for route, view, name in routes
        ]
        return [*form_views.urls(), *own, *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Instance]:
        rows: QuerySet[Instance] = super().get_queryset(request)
        return rows.select_related("organization") if request.user.is_superuser else rows

    def get_list_display(self, request: HttpRequest) -> Any:
        shown = list(super().get_list_display(request))
        if not request.user.is_superuser:
            shown.remove("organization")
        return shown if may_operate(request) else ["events_word" if one == "switch" else one for one in shown]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        answer = super().changelist_view(request, {"may_create": may_operate(request), **(extra_context or {})})
        if isinstance(answer, TemplateResponse) and answer.context_data and "cl" in answer.context_data:
            answer.context_data["chosen"] = chosen_in(answer.context_data["cl"])
        return answer

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The first tab of its page; it is edited elsewhere."""
        if request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        return instance_page.overview_page(request, self.get_object(request, object_id))

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return stopping.delete_view(request, self.get_object(request, object_id))

    @admin.display(description="Name", ordering="name")
    def title(self, instance: Instance) -> SafeString:
        return format_html(
            '<span class="instance-name">{}</span> <span class="instance-id">#{}</span>', instance.name, instance.pk
        )

    @admin.display(description="Element", ordering="element_key")
    def element(self, instance: Instance) -> SafeString:
        return format_html('<span class="instance-element">{}</span>', instance.element.name)

    @admin.display(description="State")
    def state(self, instance: Instance) -> SafeString:
        return format_html('<span id="instance-state-{}">{}</span>', instance.pk, state_badge(instance))

    @admin.display(description="Events", ordering="is_events_enabled")
    def switch(self, instance: Instance) -> SafeString:
        # Not "events": Django would sort by the events themselves, and list an instance once for each.
        return switch_box.box(instance)

    @admin.display(description="Events", ordering="is_events_enabled")
    def events_word(self, instance: Instance) -> SafeString:
        """For those who may not switch."""
        return badges.badge("on" if instance.is_events_enabled else "off")

    @admin.display(description="Tags")
    def labels(self, instance: Instance) -> SafeString:
        """Each leads to the others that have it. Those that say the name again say nothing."""
        tags = [tag for tag in instance.tags if tag != instance.name]
        links = format_html_join(
            " ",
            '<a class="instance-tag" href="?{}">{}</a>',
            ((urlencode({"tag": tag}), tag) for tag in tags[:MOST_TAGS]),
        )
        more = len(tags) - MOST_TAGS
        left = (
            format_html(' <span class="console-subtle" title="{}">+{}</span>', ", ".join(tags), more)
            if more > 0
            else ""
        )
        return format_html('<span class="instance-tags">{}{}</span>', links, left)

    @admin.display(description="Created", ordering="id")
    def created(self, instance: Instance) -> SafeString:
        return moments.ago(instance.created_at)
