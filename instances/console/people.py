"""Settings of the organization, its people, and who did what."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from instances.console.lists import OfOneOrganization, is_staff, may_administer
from instances.forms import OrganizationForm
from instances.models import AuditEntry, Organization, User


@admin.register(Organization)
class OrganizationAdmin(OfOneOrganization):
    organization_lookup = "pk"
    list_display = ("name", "failure_policy", "created_at")
    search_fields = ("name",)
    fields = ("name", "failure_policy", "retry_schedule", "retention_days", "created_at")
    readonly_fields = ("name", "created_at")
    form = OrganizationForm

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """As over the API: owners, and superusers."""
        return may_administer(request)


@admin.register(User)
class UserAdmin(OfOneOrganization):
    list_display = ("email", "first_name", "last_name", "organization", "role", "is_active")
    list_filter = ("role", "is_active")
    list_select_related = ("organization",)
    search_fields = ("email", "first_name", "last_name")
    ordering = ("email",)
    fields = (
        "email",
        "first_name",
        "last_name",
        "organization",
        "role",
        "is_active",
        "is_staff",
        "is_superuser",
        "last_login",
        "date_joined",
    )
    readonly_fields = ("email", "organization", "last_login", "date_joined")

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return is_staff(request) and request.user.is_superuser


@admin.register(AuditEntry)
class AuditEntryAdmin(OfOneOrganization):
    """Owners read it; nobody changes it."""

    instance_lookup = "instance_id"
    tab = "audit"
    list_display = ("happened_at", "who", "action", "instance_name", "subject", "detail", "through")
    list_filter = ("through", "happened_at")
    search_fields = ("who", "action", "=instance_id", "subject")
    ordering = ("-id",)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return may_administer(request)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return may_administer(request)
