"""What the list does with several instances at once. One that refuses holds up none of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from time import monotonic
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
LONGEST_SECONDS = 20.0
"""After which no other provider is asked: browsers and proxies wait for no answer for ever."""
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
    refusals, tried = [], 0
    for instance in begun_within(LONGEST_SECONDS, chosen):
        tried += 1
        try:
            change(instance)
        except instance_writes.REFUSALS as error:
            refusal = refusal_of(error)
            said = f" ({refusal.provider_message})" if refusal.provider_message else ""
            refusals.append(f"{instance.name}: {refusal.message}{said}")
    if count := tried - len(refusals):
        messages.success(request, f"{done}: {count} instance{'' if count == 1 else 's'}.")
    for words in refusals[:MOST_REFUSALS]:
        messages.error(request, words)
    if len(refusals) > MOST_REFUSALS:
        messages.error(request, f"{len(refusals) - MOST_REFUSALS} more were refused.")
    if left := chosen[tried:]:
        names = f"{left[0].name}{f' and {len(left) - 1} more' if len(left) > 1 else ''}"
        messages.warning(request, f"It took too long: nothing was done about {names}. Choose what is left again.")


def begun_within(seconds: float, chosen: Sequence[Instance]) -> Iterator[Instance]:
    """The first of them in any case, and none when that much time has passed."""
    ends_at = monotonic() + seconds
    for number, instance in enumerate(chosen):
        if number and monotonic() >= ends_at:
            return
        yield instance


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
