"""Subscriptions: who is told of what, and how their receivers are doing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.admin import ShowFacets, SimpleListFilter
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.views import ChangeList

from connectors.errors import ConnectorError
from events.console import circuit_words, subscription_numbers, subscription_writes
from events.console.replay_form import SHOWN_URL
from events.models import Circuit, Delivery, Subscription
from instances.console.badges import badge
from instances.console.lists import OfOneOrganization, may_operate
from instances.console.moments import ago
from instances.console.page import instance_or_404, instance_page, page
from instances.errors import PlatformError
from instances.models import Organization

TRANSITIONS = 20


class HealthFilter(SimpleListFilter):
    """By what the column says; what is deactivated is nothing else."""

    title = "receiver"
    parameter_name = "health"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(word.replace(" ", "-"), word.capitalize()) for word in circuit_words.TONES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> QuerySet[Subscription]:
        asked = str(self.value() or "").replace("-", " ")
        if asked not in circuit_words.TONES:
            return queryset
        if asked == circuit_words.DEACTIVATED:
            return queryset.filter(state=Subscription.DEACTIVATED)
        return queryset.filter(_HEALTH[asked], state=Subscription.ACTIVE)


_IS_OPEN, _IS_PAUSED = Q(circuit__state=Circuit.OPEN), Q(circuit__paused_until__gt=Now())
_IS_FAILING = Q(circuit__failing_since__isnull=False)
_HEALTH = {
    circuit_words.NOWHERE: Q(url=""),
    circuit_words.LEFT_ALONE: ~Q(url="") & _IS_OPEN,
    circuit_words.WAITING: ~Q(url="") & ~_IS_OPEN & _IS_PAUSED,
    circuit_words.RECOVERING: ~Q(url="") & Q(circuit__state=Circuit.RECOVERING) & ~_IS_PAUSED,
    circuit_words.FAILING: ~Q(url="") & Q(circuit__state=Circuit.CLOSED) & _IS_FAILING & ~_IS_PAUSED,
    circuit_words.HEALTHY: ~Q(url="")
    & (Q(circuit=None) | Q(circuit__state=Circuit.CLOSED, circuit__failing_since=None) & ~_IS_PAUSED),
}


class WithNumbers(ChangeList):
    """Counts what waits for all rows of a page at once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows: list[Any] = list(vars(self)["result_list"])
        self.result_list = rows
        found = subscription_numbers.counts(
            [row.pk for row in rows],
            most=subscription_numbers.MOST_IN_LIST,
            states=subscription_numbers.UNDELIVERED,
        )
        for row in rows:
            row.waiting_counts = found[row.pk]


@admin.register(Subscription)
class SubscriptionAdmin(OfOneOrganization):
    instance_lookup = "instance"
    tab = "subscription"
    list_display = ("destination", "instance", "receiver", "failing_since", "waiting", "created")
    list_filter = (HealthFilter,)
    sortable_by = ("failing_since",)
    show_facets = ShowFacets.NEVER
    list_select_related = ("instance", "circuit")
    search_fields = ("=id", "shown_url", "instance__name")
    search_help_text = "Search by URL, name of the instance, or number"
    ordering = ("-id",)
    empty_title = "No subscriptions yet"
    empty_text = "An instance with a callback URL gets one when its events are switched on; others are made by clients."

    class Media:
        css = {"all": ("console/replays.css",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Subscription]:
        rows: QuerySet[Subscription] = super().get_queryset(request)
        return rows.annotate(shown_url=SHOWN_URL)

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ChangeList]:
        return WithNumbers

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        own = [
            path("of/<int:instance_id>/", wrap(self.of_instance_view), name="events_subscription_of_instance"),
            *(
                path(f"<int:subscription_id>/{name}/", wrap(self._writing(write)), name=f"events_subscription_{name}")
                for name, write in subscription_writes.WRITES.items()
            ),
        ]
        return own + super().get_urls()

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        subscription = self.get_object(request, object_id)
        if request.method == "POST" or not self.has_view_permission(request, subscription):
            raise PermissionDenied
        return shown(request, subscription)

    def of_instance_view(self, request: HttpRequest, instance_id: int) -> HttpResponse:
        """The tab of an instance's page."""
        instance = instance_or_404(request, instance_id)
        subscription = Subscription.objects.filter(instance=instance).first()
        if subscription is None:
            return instance_page(request, instance, "console/subscriptions/none.html", tab=self.tab)
        return shown(request, subscription)

    def _writing(self, write: Callable[[HttpRequest, Subscription], str]) -> Callable[..., HttpResponse]:
        def view(request: HttpRequest, subscription_id: int) -> HttpResponse:
            subscription = self.get_object(request, str(subscription_id))
            if request.method != "POST":
                return HttpResponseNotAllowed(["POST"])
            if not may_operate(request):
                raise PermissionDenied
            try:
                messages.success(request, write(request, subscription))
            except (PlatformError, ConnectorError) as error:
                if write is subscription_writes.move:
                    return shown(request, subscription, url=request.POST.get("url", ""), url_problem=str(error))
                messages.error(request, str(error))
            return redirect("admin:events_subscription_change", subscription_id)

        return view

    @admin.display(description="Receiver")
    def destination(self, subscription: Subscription) -> str:
        """Without its query string, where receivers keep secrets."""
        return _destination(subscription)

    @admin.display(description="How it is doing")
    def receiver(self, subscription: Subscription) -> SafeString:
        word = circuit_words.word_of(subscription, circuit_of(subscription), now=timezone.now())
        return badge(word, circuit_words.TONES[word])

    @admin.display(description="Failing since", ordering="circuit__failing_since")
    def failing_since(self, subscription: Subscription) -> SafeString:
        circuit = circuit_of(subscription)
        return ago(circuit.failing_since if circuit else None, never="")

    @admin.display(description="Waiting")
    def waiting(self, subscription: Subscription) -> str:
        counts = vars(subscription)["waiting_counts"]
        return subscription_numbers.waiting_words(counts, most=subscription_numbers.MOST_IN_LIST)

    @admin.display(description="Since")
    def created(self, subscription: Subscription) -> SafeString:
        return ago(subscription.created_at)


def circuit_of(subscription: Subscription) -> Circuit | None:
    """None for a receiver that never failed."""
    found: Circuit | None = getattr(subscription, "circuit", None)
    return found


def shown(request: HttpRequest, subscription: Subscription, *, url: str = "", url_problem: str = "") -> HttpResponse:
    """The page of a subscription: a tab of its instance's page, if it has one."""
    now, circuit, instance = timezone.now(), circuit_of(subscription), subscription.instance
    numbers = subscription_numbers.counts([subscription.pk], most=subscription_numbers.MOST, states=Delivery.STATES)[
        subscription.pk
    ]
    may_change = may_operate(request)
    is_deactivated = subscription.state == Subscription.DEACTIVATED
    is_open = circuit is not None and circuit.state == Circuit.OPEN
    context: dict[str, Any] = {
        "subscription": subscription,
        "destination": _destination(subscription),
        "health": circuit_words.health_of(subscription, circuit, organization=subscription.organization, now=now),
        "circuit": circuit,
        "numbers": [_number(subscription, state, count) for state, count in numbers.items()],
        "queued": subscription_numbers.count_words(numbers[Delivery.QUEUED], most=subscription_numbers.MOST)
        if numbers[Delivery.QUEUED]
        else "",
        "transitions": [
            {"row": row, "label": label, "tone": tone}
            for row in subscription.transitions.order_by("-pk")[:TRANSITIONS]
            for label, tone in [circuit_words.KINDS.get(row.kind, (row.kind, ""))]
        ],
        "failures": subscription_numbers.last_failures(subscription.pk),
        "may_change": may_change,
        "may_reactivate": may_change and is_deactivated and bool(subscription.url),
        "may_trust": may_change and is_open and not is_deactivated,
        "may_probe": may_change
        and is_open
        and bool(subscription.url)
        and (not is_deactivated or subscription.organization.failure_policy == Organization.RETRY),
        "may_move": may_change and instance is None,
        "url": url,
        "url_problem": url_problem,
        "replay_url": f"{reverse('admin:events_replay_add')}?{urlencode({'subscription': subscription.pk})}",
    }
    template = "console/subscriptions/page.html"
    if instance is not None:
        frame = {"frame": "console/instance_page.html"}
        return instance_page(request, instance, template, tab=SubscriptionAdmin.tab, **context, **frame)
    return page(request, template, title=f"Subscription {subscription.pk}", **context, frame="console/page.html")


def _destination(subscription: Subscription) -> str:
    return subscription.url.partition("?")[0] or "none"


def _number(subscription: Subscription, state: str, count: int) -> dict[str, Any]:
    query = urlencode({"subscription": subscription.pk, "state": state})
    return {
        "state": state,
        "count": subscription_numbers.count_words(count, most=subscription_numbers.MOST),
        "url": f"{reverse('admin:events_delivery_changelist')}?{query}",
    }
