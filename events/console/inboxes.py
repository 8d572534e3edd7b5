"""Where the callbacks of an instance arrive, and what is said of that on its page."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin import ShowFacets
from django.db.models import Count
from django.http import HttpRequest

from events.models import Callback, Inbox
from events.provenance import Provenance, measured
from instances import permissions
from instances.console.lists import OfOneOrganization, is_staff, may_operate
from instances.models import Instance


@admin.register(Inbox)
class InboxAdmin(OfOneOrganization):
    """Without its address, which is a secret. Inboxes whose instance is gone are nobody's but the operator's."""

    organization_lookup = "instance__organization"
    list_display = (
        *("id", "instance", "element_key", "is_open", "last_checked_at", "last_error"),
        *("refused_count", "last_refused_reason"),
    )
    list_filter = ("is_open", "element_key")
    list_select_related = ("instance",)
    search_fields = ("=id", "=instance__id", "instance__name")
    ordering = ("-id",)
    sortable_by = ()
    show_facets = ShowFacets.NEVER
    fields = (
        *("instance", "element_key", "is_open", "accepts_unsigned", "last_checked_at", "next_check_at", "failures"),
        *("last_error", "refused_count", "last_refused_at", "last_refused_reason", "suspect_at", "suspect_reason"),
        *("parted_at", "created_at"),
    )


def may_see_address(request: HttpRequest) -> bool:
    """Whoever knows it may try to post there."""
    return is_staff(request) and permissions.may_see_secrets(request.user)


def facts_of(request: HttpRequest, instance: Instance) -> dict[str, Any]:
    """How registering went, how callbacks fare, and how many get lost."""
    inbox = Inbox.objects.filter(instance=instance).first()
    counted = Callback.objects.filter(instance=instance, state__in=(Callback.WAITING, Callback.PARKED))
    counts = dict(counted.order_by().values_list("state").annotate(count=Count("pk")))
    return {
        "inbox": inbox,
        "waiting": counts.get(Callback.WAITING, 0),
        "parked": counts.get(Callback.PARKED, 0),
        "found": _found(measured(instance).total) if inbox is not None else "",
        "may_change": may_operate(request),
        "may_see_address": may_see_address(request),
    }


def _found(provenance: Provenance) -> str:
    total = provenance.by_callback + provenance.by_both + provenance.by_poll_only
    if not total:
        return "No change in the last 24 hours"
    lost = "none was lost"
    if provenance.by_poll_only:
        lost = f"of {provenance.by_poll_only:,} no callback told, so a poll found them"
    return f"{total:,} {'change' if total == 1 else 'changes'} in the last 24 hours; {lost}"
