"""Deliveries: how it went with each receiver, and beginning again."""

from __future__ import annotations

from datetime import UTC
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import SafeString

from events import where
from events.console import error_words, newest, redelivering, standing, stories
from events.console.crumbs import Crumb
from events.console.filters import DeliveryState, ErrorFilter, TimeFilter
from events.console.long_list import PART, LongList, NewestFirst
from events.console.newest import RETRYING, STATES, UNDELIVERED, Asked, Found
from events.models import Delivery, DeliveryAttempt, Subscription
from instances.console import badges, moments
from instances.console.lists import may_operate, may_see_bodies
from instances.console.page import page

# Of the wire, as replays know them. What waits for its first attempt is on its way already.
STATUSES = {Delivery.PENDING: where.RETRY} | {
    state: state for state in (Delivery.DELIVERED, Delivery.QUEUED, Delivery.ABANDONED)
}


@admin.register(Delivery)
class DeliveryAdmin(LongList):
    instance_lookup = "subscription__instance"
    tab = "deliveries"
    list_display = ("when", "state_badge", "told", "instance", "receiver", "attempts", "last_failure", "next")
    list_filter = (DeliveryState, ErrorFilter, TimeFilter)
    list_select_related = ("subscription__circuit", "subscription__instance", "event__instance")
    search_fields = ("id",)
    search_help_text = "Delivery or event id"
    empty_title = "No deliveries yet"
    empty_text = "When an event is recorded, everybody who is to be told of it gets a delivery, and it is listed here."
    actions = ("redeliver",)

    def get_urls(self) -> list[URLPattern]:
        again = self.admin_site.admin_view(self.redeliver_one)
        urls: list[URLPattern] = super().get_urls()
        return [path("<int:delivery_id>/redeliver/", again, name="events_delivery_redeliver"), *urls]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        rows: QuerySet[Delivery] = super().get_queryset(request)
        return rows.defer("event__body")

    def find(self, asked: Asked) -> Found:
        return newest.deliveries(asked)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup == "subscription" or super().lookup_allowed(lookup, value, request)

    def shown(self, request: HttpRequest, rows: list[Delivery]) -> list[Delivery]:
        tried = [row.pk for row in rows if row.first_failed_at is not None or row.attempts_made]
        last = DeliveryAttempt.objects.filter(delivery__in=tried).order_by("delivery", "-pk").distinct("delivery")
        attempts = {attempt.delivery_id: attempt for attempt in last.defer("response_excerpt")}
        now = timezone.now()
        for row in rows:
            vars(row)["last_attempt"] = attempts.get(row.pk)
            vars(row)["waits_for"] = standing.waits_for(row, now=now)
        return rows

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        found = self.get_object(request, object_id)
        delivery = stories.related(Delivery.objects.filter(pk=found.pk)).get()
        return page(
            request,
            "console/events/stories_part.html" if PART in request.headers else "console/events/delivery.html",
            title=f"Delivery {delivery.pk}",
            opts=self.opts,
            original=Crumb(self.opts, delivery.pk, f"Delivery {delivery.pk}"),
            delivery=delivery,
            stories=stories.of_deliveries([delivery], shows_answers=may_see_bodies(request)),
            is_live=delivery.state == Delivery.PENDING,
            may_see_bodies=may_see_bodies(request),
            may_operate=may_operate(request),
        )

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        context = getattr(response, "context_data", None) or {}
        if "cl" in context and may_operate(request):
            changelist = context["cl"]
            context["replay_url"] = _replay_url(changelist)
            context["replays_listed"] = _is_of_listed(changelist.asked)
        return response

    def redeliver_one(self, request: HttpRequest, delivery_id: int) -> HttpResponse:
        delivery = self.get_object(request, str(delivery_id))
        if not may_operate(request) or request.method != "POST":
            raise PermissionDenied
        redelivering.begin(request, Delivery.objects.filter(pk=delivery.pk))
        messages.success(request, f"Delivery {delivery.pk} begins again")
        back = request.POST.get("next", "")
        is_ours = url_has_allowed_host_and_scheme(back, allowed_hosts=None)
        return redirect(back if is_ours else reverse("admin:events_delivery_change", args=[delivery.pk]))

    @admin.action(description="Redeliver", permissions=["operate"])
    def redeliver(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        if request.POST.get("select_across") == "1":
            messages.error(request, "Choose deliveries of one page, or replay all that match")
            return
        chosen = Delivery.objects.filter(pk__in=list(queryset.values_list("pk", flat=True)))
        count = redelivering.begin(request, chosen)
        messages.success(request, "1 delivery begins again" if count == 1 else f"{count} deliveries begin again")

    @admin.display(description="Begun")
    def when(self, delivery: Delivery) -> SafeString:
        return format_html('<span data-row="{}">{}</span>', delivery.pk, moments.ago(delivery.created_at))

    @admin.display(description="State")
    def state_badge(self, delivery: Delivery) -> SafeString:
        return badges.badge(delivery.state)

    @admin.display(description="Event")
    def told(self, delivery: Delivery) -> SafeString:
        url = reverse("admin:events_event_change", args=[delivery.event_id])
        return format_html('<a class="console-link" href="{}">{}</a>', url, delivery.event_id)

    @admin.display(description="Instance")
    def instance(self, delivery: Delivery) -> str:
        """Whose event it is."""
        return str(delivery.event.instance or delivery.subscription.instance or "")

    @admin.display(description="Receiver")
    def receiver(self, delivery: Delivery) -> SafeString:
        said = stories.receiver_of(delivery.subscription).partition("://")[2] or "none"
        return format_html('<span x-ignore class="events-receiver">{}</span>', said)

    @admin.display(description="Attempts")
    def attempts(self, delivery: Delivery) -> int:
        return delivery.attempts_made

    @admin.display(description="Last failure")
    def last_failure(self, delivery: Delivery) -> str:
        attempt = vars(delivery)["last_attempt"]
        return error_words.said(attempt) if attempt is not None and attempt.error_class else ""

    @admin.display(description="Next attempt")
    def next(self, delivery: Delivery) -> SafeString:
        waits: SafeString = vars(delivery)["waits_for"]
        return waits


def _replay_url(changelist: NewestFirst) -> str:
    """The form of replays, filled in with what the list is narrowed to."""
    asked = changelist.asked
    states = (RETRYING,) if asked.state == RETRYING else STATES.get(asked.state, ())
    if _is_of_listed(asked) and not asked.state:
        states = STATES[UNDELIVERED] if asked.error else Delivery.STATES
    subscription_id = asked.subscription_id
    if asked.instance_id is not None:  # who gets them, not whose events: the list shows no others' deliveries
        of_instance = Subscription.objects.filter(instance=asked.instance_id)
        subscription_id = of_instance.values_list("pk", flat=True).first()
    wanted = [
        ("subscription", subscription_id),
        *(("statuses", STATUSES.get(state, where.RETRY)) for state in states),
        ("deliveries", ", ".join(map(str, changelist.found.ids)) if _is_of_listed(asked) else ""),
        ("from", asked.begins_at and asked.begins_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")),
        ("to", asked.ends_at and asked.ends_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")),
    ]
    given = urlencode([(name, value) for name, value in wanted if value])
    return reverse("admin:events_replay_add") + (f"?{given}" if given else "")


def _is_of_listed(asked: Asked) -> bool:
    """Whether a replay can only mean the rows of the page: replays know no errors."""
    return bool(asked.error) or asked.ids is not None
