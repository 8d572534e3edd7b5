"""The console's pages about accounts and instances. They read; what they write goes through `provisioning`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from connectors.configuration_entries import EVENTS_ENABLED
from connectors.errors import ConnectorError
from instances import provisioning
from instances.errors import PlatformError
from instances.forms import OrganizationForm
from instances.models import Instance, Organization, User

if TYPE_CHECKING:
    Admin = admin.ModelAdmin[Any]
else:
    Admin = admin.ModelAdmin


class OfOneOrganization(Admin):
    """Shows people what belongs to their organization, and everything to superusers. Read-only."""

    organization_lookup = "organization"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        if request.user.is_superuser:
            return rows
        organization_id = getattr(request.user, "organization_id", None)
        return self.of_organization(rows, organization_id) if organization_id else rows.none()

    def of_organization(self, rows: QuerySet[Any], organization_id: int) -> QuerySet[Any]:
        return rows.filter(**{self.organization_lookup: organization_id})

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Only what the page offers. Otherwise a filter in the URL would answer guesses at columns it does not show."""
        offered = {str(one[0] if isinstance(one, tuple) else one) for one in self.list_filter}
        return lookup in offered or lookup.rpartition("__")[0] in offered

    def has_module_permission(self, request: HttpRequest) -> bool:
        return is_staff(request)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return is_staff(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def is_staff(request: HttpRequest) -> bool:
    return request.user.is_active and request.user.is_staff


def may_operate(request: HttpRequest) -> bool:
    """Whether this person may change instances: superusers, owners and operators."""
    user = request.user
    return is_staff(request) and (user.is_superuser or getattr(user, "role", "") in (User.OWNER, User.OPERATOR))


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
        return is_staff(request) and (request.user.is_superuser or getattr(request.user, "role", "") == User.OWNER)


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


@admin.register(Instance)
class InstanceAdmin(OfOneOrganization):
    list_display = ("name", "id", "element_key", "state", "is_events_enabled", "organization", "user", "created_at")
    list_filter = ("element_key", "is_events_enabled", "is_disabled", "is_valid")
    list_select_related = ("organization", "user")
    search_fields = ("=id", "name", "element_key", "tags")
    ordering = ("-id",)
    actions = ("switch_events_on", "switch_events_off")
    fields = (
        "name",
        "tags",
        "element_key",
        "organization",
        "user",
        "state",
        "invalid_reason",
        "is_events_enabled",
        "event_method",
        "registration_problem",
        "callback",
        "is_signed",
        "poll_interval_minutes",
        "raw_in_notifications",
        "created_at",
        "updated_at",
    )

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return may_operate(request)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """For the actions below."""
        return may_operate(request)

    def delete_model(self, request: HttpRequest, obj: Instance) -> None:
        provisioning.delete(instance_id=obj.pk)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Instance]) -> None:
        for instance_id in queryset.values_list("pk", flat=True):
            provisioning.delete(instance_id=instance_id)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[Any]]:
        """All that hangs on an instance goes with it; the permission on the instance decides."""
        return [str(one) for one in objs], {"instances": len(objs)}, set(), []

    @admin.display(description="state")
    def state(self, instance: Instance) -> str:
        if not instance.is_valid:
            return "needs attention"
        if instance.is_disabled:
            return "disabled"
        return "registrations incomplete" if instance.registration_problem else "ready"

    @admin.display(description="callback URL")
    def callback(self, instance: Instance) -> str:
        """Without the query string: people keep secrets in it."""
        parts = urlsplit(instance.callback_url)
        return parts._replace(query="…" if parts.query else "", fragment="").geturl() or "none"

    @admin.display(description="signed", boolean=True)
    def is_signed(self, instance: Instance) -> bool:
        return bool(instance.signing_keys_encrypted)

    @admin.action(description="Switch Events Enabled on", permissions=["operate"])
    def switch_events_on(self, request: HttpRequest, queryset: QuerySet[Instance]) -> None:
        self._switch_events(request, queryset, is_on=True)

    @admin.action(description="Switch Events Enabled off", permissions=["operate"])
    def switch_events_off(self, request: HttpRequest, queryset: QuerySet[Instance]) -> None:
        self._switch_events(request, queryset, is_on=False)

    def _switch_events(self, request: HttpRequest, queryset: QuerySet[Instance], *, is_on: bool) -> None:
        word = "on" if is_on else "off"
        switched = 0
        for instance in queryset:
            try:
                changed = provisioning.update(instance_id=instance.pk, configuration={EVENTS_ENABLED: is_on})
            except (PlatformError, ConnectorError) as error:
                said = f" ({error.provider_message})" if error.provider_message else ""
                self.message_user(request, f"{instance}: {error}{said}", messages.ERROR)
            else:
                self.log_change(request, changed, f"Switched Events Enabled {word}.")
                switched += 1
        if switched:
            self.message_user(request, f"Events Enabled is {word} for {switched} instance(s).", messages.SUCCESS)
