"""What the list does with several instances at once. One that refuses holds up none of the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from instances.console import instance_writes, page
from instances.console.instance_writes import refusal_of
from instances.console.lists import OfOneOrganization
from instances.models import Instance

MOST_AT_ONCE = 100
"""The provider is asked about one after the other, while the page waits."""
MOST_REFUSALS = 5
"""That are told one by one."""


class BulkActions(OfOneOrganization):
    actions = ("switch_events_on", "switch_events_off", "enable", "disable", "delete_selected")

    @admin.action(description="Switch events on", permissions=["operate"])
    def switch_events_on(self, request: HttpRequest, queryset: QuerySet[Instance]) -> None:
        _each(request, queryset, lambda one: instance_writes.switch_events(request, one, is_on=True), "Events are on")

    @admin.action(description="Switch events off", permissions=["operate"])
    def switch_events_off(self, request: HttpRequest, queryset: QuerySet[Instance]) -> None:
        _each(request, queryset, lambda one: instance_writes.switch_events(request, one, is_on=False), "Events are off")

    @admin.action(description="Enable", permissions=["operate"])
    def enable(self, request: HttpRequest, queryset: QuerySet[Instance]) -> None:
        _each(request, queryset, lambda one: instance_writes.enable(request, one), "Enabled")

    @admin.action(description="Disable…", permissions=["operate"])
    def disable(self, request: HttpRequest, queryset: QuerySet[Instance]) -> HttpResponse | None:
        if not _is_confirmed(request, queryset):
            return _confirmation(request, queryset, action="disable")
        _each(request, queryset, lambda one: instance_writes.disable(request, one), "Disabled")
        return None

    @admin.action(description="Delete…", permissions=["operate"])
    def delete_selected(self, request: HttpRequest, queryset: QuerySet[Instance]) -> HttpResponse | None:
        if not _is_confirmed(request, queryset):
            return _confirmation(request, queryset, action="delete")
        _each(request, queryset, lambda one: instance_writes.delete(request, one), "Deleted")
        return None


def _each(request: HttpRequest, rows: QuerySet[Instance], change: Callable[[Instance], Any], done: str) -> None:
    chosen = list(rows[: MOST_AT_ONCE + 1])
    if len(chosen) > MOST_AT_ONCE:
        messages.error(request, f"Nothing was changed: choose at most {MOST_AT_ONCE} instances at a time.")
        return
    refusals = []
    for instance in chosen:
        try:
            change(instance)
        except instance_writes.REFUSALS as error:
            refusal = refusal_of(error)
            said = f" ({refusal.provider_message})" if refusal.provider_message else ""
            refusals.append(f"{instance.name}: {refusal.message}{said}")
    if count := len(chosen) - len(refusals):
        messages.success(request, f"{done}: {count} instance{'' if count == 1 else 's'}.")
    for words in refusals[:MOST_REFUSALS]:
        messages.error(request, words)
    if len(refusals) > MOST_REFUSALS:
        messages.error(request, f"{len(refusals) - MOST_REFUSALS} more were refused.")


def _is_confirmed(request: HttpRequest, rows: QuerySet[Instance]) -> bool:
    """By the number of instances, typed: nobody does that by accident, and it says what is at stake."""
    return request.POST.get("count", "").strip() == str(rows.count())


def _confirmation(request: HttpRequest, rows: QuerySet[Instance], *, action: str) -> HttpResponse | None:
    chosen = list(rows[: MOST_AT_ONCE + 1])
    if len(chosen) > MOST_AT_ONCE:
        messages.error(request, f"Nothing was changed: choose at most {MOST_AT_ONCE} instances at a time.")
        return None
    return page.page(
        request,
        "console/instances/confirm_many.html",
        title=f"{action.capitalize()} {len(chosen)} instance{'' if len(chosen) == 1 else 's'}?",
        chosen=chosen,
        action=action,
        action_name={"delete": "delete_selected"}.get(action, action),
        checkbox_name=helpers.ACTION_CHECKBOX_NAME,
        is_wrong="count" in request.POST,
    )
