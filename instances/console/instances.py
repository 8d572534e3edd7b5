"""The list of instances, and the first tab of an instance's page. What is written goes through `provisioning`."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from connectors.configuration_entries import EVENTS_ENABLED
from connectors.errors import ConnectorError
from instances import provisioning
from instances.console.lists import OfOneOrganization, may_operate
from instances.errors import PlatformError
from instances.models import Instance


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
