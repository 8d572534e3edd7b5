"""Callbacks: what providers posted to us, what became of it, and what is done with what could not be understood."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import ShowFacets
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.safestring import SafeString

from events import callback_upkeep
from events.console.capped import CappedPaginator
from events.console.readable import readable
from events.models import Callback, Inbox
from instances import audit
from instances.console.badges import badge
from instances.console.lists import OfOneOrganization, may_operate, may_see_bodies
from instances.console.moments import ago
from instances.console.page import instance_page
from instances.models import Instance

MEANS = {
    Callback.WAITING: "It is stored, and a worker turns it into an event within seconds.",
    Callback.DONE: "It has been dealt with. What is done keeps no body: the event has it.",
    Callback.PARKED: "It could not be turned into an event. Nothing is lost: it is kept until somebody decides.",
    Callback.REFUSED: "It did not prove that the provider sent it, so nothing was made of it.",
}
MOST_AT_ONCE = 1_000
"""That one request tries again, or drops."""
TRIED, DROPPED = "had a callback tried again", "dropped a callback"


@admin.register(Callback)
class CallbackAdmin(OfOneOrganization):
    instance_lookup = "instance"
    tab = "callbacks"
    organization_lookup = "instance__organization"
    list_display = ("name", "instance", "shown_state", "reason", "attempts_made", "received")
    list_display_links = ("name",)
    list_filter = ("state", "received_at")
    list_select_related = ("instance",)
    search_fields = ("=id", "=message_id")
    search_help_text = "Search by number, or by the provider's id of the message"
    ordering = ("-id",)
    empty_title = "No callbacks yet"
    empty_text = "What providers post to us is listed here as soon as it comes."
    sortable_by = ()
    show_facets = ShowFacets.NEVER
    paginator = CappedPaginator
    show_full_result_count = False
    actions = ("try_again", "drop")

    class Media:
        css = {"all": ("console/replays.css",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Callback]:
        rows: QuerySet[Callback] = super().get_queryset(request)
        return rows.defer("body", "query", "signature")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Callback], search_term: str
    ) -> tuple[QuerySet[Callback], bool]:
        """By what is meant, not by the text of every column of every row."""
        text = search_term.strip()
        if not text:
            return queryset, False
        is_number = text.isascii() and text.isdecimal() and len(text) < 19
        return queryset.filter(Q(pk=int(text)) if is_number else Q(message_id=text)), False

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        own = [
            path("<int:callback_id>/try/", wrap(self.try_view), name="events_callback_try"),
            path("<int:callback_id>/drop/", wrap(self.drop_view), name="events_callback_drop"),
        ]
        return own + super().get_urls()

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        callback: Callback = self.get_object(request, object_id)
        if request.method == "POST" or not self.has_view_permission(request, callback):
            raise PermissionDenied
        sees = may_see_bodies(request)
        body, is_cut = readable(bytes(callback.body)) if sees else ("", False)
        if body:
            _note(request, [callback], "looked at the body of a callback")
        is_parked = callback.state == Callback.PARKED
        return instance_page(
            request,
            callback.instance,
            "console/callbacks/page.html",
            tab=self.tab,
            callback=callback,
            means=MEANS[callback.state],
            sees_body=sees,
            body=body,
            is_cut=is_cut,
            is_parked=is_parked,
            may_change=is_parked and may_operate(request),
            is_listening=not is_parked or _is_listening(callback),
        )

    def try_view(self, request: HttpRequest, callback_id: int) -> HttpResponse:
        callback = self._to_change(request, callback_id)
        if callback is None:
            return HttpResponseNotAllowed(["POST"])
        if _try_again(request, Callback.objects.filter(pk=callback.pk)):
            messages.success(request, "It is being tried again.")
        else:
            messages.warning(request, _stays(callback))
        return redirect("admin:events_callback_change", callback_id)

    def drop_view(self, request: HttpRequest, callback_id: int) -> HttpResponse:
        callback = self._to_change(request, callback_id)
        if callback is None:
            return HttpResponseNotAllowed(["POST"])
        if _drop(request, Callback.objects.filter(pk=callback.pk)):
            messages.success(request, "It is dropped: it becomes no event.")
        else:
            messages.warning(request, "It is not parked any more, so it was left as it is.")
        return redirect("admin:events_callback_change", callback_id)

    def _to_change(self, request: HttpRequest, callback_id: int) -> Callback | None:
        """None where it was not asked for by POST. Raises Http404, PermissionDenied."""
        callback: Callback = self.get_object(request, str(callback_id))
        if request.method != "POST":
            return None
        if not may_operate(request):
            raise PermissionDenied
        return callback

    @admin.action(description="Try again", permissions=["operate"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[Callback]) -> None:
        count = _try_again(request, queryset)
        messages.success(request, f"{count} parked {'callback is' if count == 1 else 'callbacks are'} tried again.")
        _say_what_is_left(request, count, queryset, "Those of instances that do not listen stay parked.")

    @admin.action(description="Drop", permissions=["operate"])
    def drop(self, request: HttpRequest, queryset: QuerySet[Callback]) -> None:
        count = _drop(request, queryset)
        messages.success(request, f"{count} parked {'callback is' if count == 1 else 'callbacks are'} dropped.")
        _say_what_is_left(request, count, queryset)

    @admin.display(description="Callback")
    def name(self, callback: Callback) -> str:
        return f"Callback {callback.pk}"

    @admin.display(description="State")
    def shown_state(self, callback: Callback) -> SafeString:
        return badge(callback.state)

    @admin.display(description="Received")
    def received(self, callback: Callback) -> SafeString:
        return ago(callback.received_at)


def _try_again(request: HttpRequest, rows: QuerySet[Callback]) -> int:
    with transaction.atomic():
        listening = _hold_parked(rows.filter(instance__inbox__is_open=True))
        callback_upkeep.retry_parked(callback_ids=[callback.pk for callback in listening])
        _note(request, listening, TRIED)
    return len(listening)


def _drop(request: HttpRequest, rows: QuerySet[Callback]) -> int:
    with transaction.atomic():
        parked = _hold_parked(rows)
        callback_upkeep.drop_parked(callback_ids=[callback.pk for callback in parked])
        _note(request, parked, DROPPED)
    return len(parked)


def _hold_parked(rows: QuerySet[Callback]) -> list[Callback]:
    """Locked, so that what is noted is what was done, whoever else does something with them at this moment."""
    parked = rows.filter(state=Callback.PARKED).defer("body", "query", "signature").select_related("instance")
    return list(parked.select_for_update(of=("self",)).order_by("pk")[:MOST_AT_ONCE])


def _say_what_is_left(request: HttpRequest, count: int, rows: QuerySet[Callback], why: str = "") -> None:
    if rows.filter(state=Callback.PARKED).exists():
        again = f"{MOST_AT_ONCE:,} are taken at a time: choose the others again." if count == MOST_AT_ONCE else ""
        if said := again or why:
            messages.warning(request, said)


def _is_listening(callback: Callback) -> bool:
    return Inbox.objects.filter(instance=callback.instance_id, is_open=True).exists()


def _stays(callback: Callback) -> str:
    if callback.state != Callback.PARKED:
        return "It is not parked any more, so it was left as it is."
    return "It stays parked: its instance does not listen. Switch its events on first."


def _note(request: HttpRequest, callbacks: Sequence[Callback], action: str) -> None:
    """Once for each instance."""
    of_instances: dict[Instance, list[int]] = {}
    for callback in callbacks:
        of_instances.setdefault(callback.instance, []).append(callback.pk)
    for instance, ids in of_instances.items():
        audit.note(
            who=request.user,
            action=action,
            through=audit.CONSOLE,
            organization_id=instance.organization_id,
            instance=instance,
            subject=f"callback {ids[0]}" if len(ids) == 1 else f"{len(ids)} callbacks",
            detail="" if len(ids) == 1 else "Callbacks " + ", ".join(map(str, ids)),
        )
