"""Who did what: the audit log of an organization, for its owners."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.paginator import InfinitePaginator

from instances import audit
from instances.console import moments, tabs
from instances.console.lists import OfOneOrganization, may_administer
from instances.console.tabs import Tab
from instances.models import AuditEntry, Instance

KINDS = {
    "looked": ("Looked at secrets or bodies", ("looked at", "downloaded")),
    "switched": ("Switched, enabled, disabled", ("switched", "enabled", "disabled", "stopped", "started")),
    "created": ("Created and added", ("created", "added", "invited", "began", "let a person in")),
    "changed": ("Changed", ("changed", "set", "made", "rotated", "reset", "re-authenticated")),
    "deleted": ("Deleted", ("deleted", "removed", "dropped", "cancelled", "shut")),
    "sent": (
        "Redelivered, replayed, tried again",
        ("redelivered", "released", "tried parked", "began a replay", "reactivated"),
    ),
    "asked": (
        "Polled, ran dry, checked",
        ("asked for", "ran a poller", "had registrations", "had a receiver", "tested"),
    ),
    "in": ("Signed in", ("signed in",)),
}
"""What can be asked for: how it is called, and how such actions begin."""
THROUGH = {audit.CONSOLE: "Console", audit.API: "API", audit.COMMAND: "Command line"}


class KindFilter(admin.SimpleListFilter):
    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, label) for name, (label, _) in KINDS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        if (asked := KINDS.get(self.value() or "")) is None:
            return queryset
        wanted = Q()
        for beginning in asked[1]:
            wanted |= Q(action__startswith=beginning)
        return queryset.filter(wanted)


class ThroughFilter(admin.SimpleListFilter):
    title = "through"
    parameter_name = "through"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(THROUGH.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        return queryset.filter(through=self.value()) if self.value() in THROUGH else queryset


@admin.register(AuditEntry)
class AuditEntryAdmin(OfOneOrganization):
    """Owners read it; nobody changes it."""

    instance_lookup = "instance_id"
    tab = "audit"
    list_display = ("happened", "who_it_was", "action", "instance", "subject", "more", "way")
    list_display_links = None
    list_filter = (KindFilter, ThroughFilter, "happened_at")
    search_fields = ("who", "action", "=instance_id", "instance_name", "subject")
    search_help_text = "Person, action, instance or what it was done to"
    ordering = ("-id",)
    paginator = InfinitePaginator

    class Media:
        css: ClassVar = {"all": ("console/people.css",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return (
            super().get_queryset(request).annotate(has_page=Exists(Instance.objects.filter(pk=OuterRef("instance_id"))))
        )

    def has_module_permission(self, request: HttpRequest) -> bool:
        return may_administer(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_administer(request)

    @admin.display(description="when")
    def happened(self, entry: AuditEntry) -> SafeString:
        return moments.moment(entry.happened_at)

    @admin.display(description="who")
    def who_it_was(self, entry: AuditEntry) -> str:
        return entry.who or "the platform"

    @admin.display(description="instance")
    def instance(self, entry: Any) -> str:
        if not entry.has_page:
            return str(entry.instance_name)
        url = reverse("admin:instances_instance_change", args=[entry.instance_id])
        return format_html('<a class="console-link" href="{}">{}</a>', url, entry.instance_name)

    @admin.display(description="detail")
    def more(self, entry: AuditEntry) -> str:
        return entry.detail

    @admin.display(description="through")
    def way(self, entry: AuditEntry) -> str:
        return THROUGH.get(entry.through, entry.through)


tabs.add(
    Tab(
        name="audit",
        label="Audit",
        order=200,
        url=tabs.list_of(page="instances_auditentry_changelist", lookup="instance_id"),
        is_shown=lambda request, _instance: may_administer(request),
    )
)
