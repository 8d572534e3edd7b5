"""What an instance's page says of events at a glance, and what stopping or deleting the instance means for them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from connectors.element import WEBHOOK
from events.console import newest
from events.models import Circuit, Delivery, DeliveryAttempt, Event, Registration, Subscription
from instances.console import badges, moments, overview, tabs
from instances.console.home import BAD, GOOD, PLAIN, WARNING, Figure
from instances.console.overview import Fact, Panel, Stop, Trouble
from instances.models import Instance

DAY = timedelta(hours=24)
MOST_COUNTED = 2_000
"""Rows that one number looks at: a page does not wait for the exact number of very many."""
MOST_SHOWN = 5

_events = tabs.list_of(page="events_event_changelist", lookup="instance")
_deliveries = tabs.list_of(page="events_delivery_changelist", lookup="subscription__instance")


@overview.troubles
def receiver_in_trouble(instance: Instance) -> Iterator[Trouble]:
    subscription = _subscription_of(instance)
    if subscription is None:
        return
    url = reverse("admin:events_subscription_change", args=[subscription.pk])
    circuit = Circuit.objects.filter(subscription=subscription).first()
    if subscription.state == Subscription.DEACTIVATED:
        yield Trouble(
            title="Its receiver failed for too long: notifications are queued, and sent when it is back.",
            said=subscription.deactivated_reason,
            advice="Mend the receiver, then activate its subscription again; what is queued is sent then.",
            url=url,
            action="See the subscription",
            order=4,
        )
    elif circuit is not None and circuit.state == Circuit.OPEN:
        yield Trouble(
            title="Its receiver fails: it is tried with one notification now and then, the others wait.",
            advice="Mend the receiver. When it takes a notification, all that waits is sent by itself.",
            url=url,
            action="See the subscription",
            tone=WARNING,
            order=5,
        )


@overview.facts
def events_facts(instance: Instance) -> Iterator[Fact]:
    if instance.event_method == WEBHOOK:
        counts = Registration.objects.filter(inbox__instance=instance).aggregate(
            all=Count("pk"), active=Count("pk", filter=Q(state=Registration.ACTIVE))
        )
        registered = f"{counts['active']} of {counts['all']}" if counts["all"] else "none"
        yield Fact(label="Callbacks registered", value=registered, order=55)
    last = Event.objects.filter(instance=instance).order_by("-id").values_list("created_at", flat=True).first()
    yield Fact(label="Last event", value=moments.ago(last), order=80)


@overview.numbers
def last_day(instance: Instance) -> Iterator[Figure]:
    since = timezone.now() - DAY
    events = _since(Event.objects.filter(instance=instance), "created_at", since)
    yield Figure(label="events in 24 hours", value=events, url=_events(instance), order=10)
    subscription = _subscription_of(instance)
    if subscription is None:
        return
    mine = Delivery.objects.filter(subscription=subscription)
    url = _deliveries(instance)

    def listed(state: str) -> str:
        return f"{url}&state={state}"

    delivered = _since(mine.filter(state=Delivery.DELIVERED), "updated_at", since)
    yield Figure(label="delivered in 24 hours", value=delivered, url=listed(Delivery.DELIVERED), order=20, tone=GOOD)
    pending = _capped(mine.filter(state=Delivery.PENDING))
    yield Figure(label="pending now", value=pending, url=listed(Delivery.PENDING), order=30, tone=PLAIN)
    queued = _capped(mine.filter(state=Delivery.QUEUED))
    tone = PLAIN if queued == "0" else BAD
    yield Figure(label="queued now", value=queued, url=listed(Delivery.QUEUED), order=40, tone=tone)


@overview.panels
def latest_events(instance: Instance) -> Iterator[Panel]:
    events = list(
        Event.objects.filter(instance=instance)
        .order_by("-id")
        .only("id", "source", "change_count", "created_at")[:MOST_SHOWN]
    )
    counts = _deliveries_of([event.pk for event in events])
    yield Panel(
        name="events",
        title="Latest events",
        columns=("Event", "When", "Noticed by", "Changes", "Delivered"),
        rows=[
            (
                _link("events_event_change", event.pk, f"Event {event.pk}"),
                moments.ago(event.created_at),
                _SOURCES.get(event.source, event.source),
                event.change_count,
                _delivered(*counts.get(event.pk, (0, 0))),
            )
            for event in events
        ],
        order=10,
        url=_events(instance),
        empty="None yet. Change a record at the provider: its event appears here."
        if instance.is_listening
        else "None. Switch Events Enabled on to be told of changes from then on.",
    )


@overview.panels
def latest_failures(instance: Instance) -> Iterator[Panel]:
    subscription = _subscription_of(instance)
    if subscription is None:
        return
    mine = Delivery.objects.filter(subscription=subscription)
    # Of each state only the newest are looked at: many may wait that were not tried yet.
    looked_at: list[int] = []
    for state in (Delivery.PENDING, Delivery.QUEUED, Delivery.ABANDONED):
        looked_at += mine.filter(state=state).order_by("-id").values_list("pk", flat=True)[:200]
    last = DeliveryAttempt.objects.filter(delivery=OuterRef("pk")).order_by("-id")
    failed = (
        Delivery.objects.filter(pk__in=looked_at, first_failed_at__isnull=False)
        .annotate(last_status=Subquery(last.values("status")[:1]), last_class=Subquery(last.values("error_class")[:1]))
        .order_by("-id")[:MOST_SHOWN]
    )
    yield Panel(
        name="failures",
        title="Not delivered",
        columns=("Delivery", "Failing since", "State", "Attempts", "Last answer"),
        rows=[
            (
                _link("events_delivery_change", one.pk, f"Delivery {one.pk}"),
                moments.ago(one.first_failed_at),
                badges.badge(one.state),
                one.attempts_made,
                _answer(vars(one)["last_status"], vars(one)["last_class"]),
            )
            for one in failed
        ],
        order=20,
        url=f"{_deliveries(instance)}&state={newest.UNDELIVERED}",
        empty="Nothing has failed that is still to be delivered.",
    )


@overview.consequences
def of_events(instance: Instance, stop: Stop) -> Iterator[str]:
    subscription = _subscription_of(instance)
    mine = Delivery.objects.filter(subscription=subscription) if subscription else Delivery.objects.none()
    waiting = mine.filter(state=Delivery.PENDING)
    if stop == "delete":
        events = _capped(Event.objects.filter(instance=instance))
        undelivered = _capped(mine.filter(state__in=[Delivery.PENDING, Delivery.QUEUED]))
        yield f"{events} event{_s(events)} and all that is known about their deliveries are deleted."
        if undelivered != "0":
            yield f"{undelivered} deliver{'y is' if undelivered == '1' else 'ies are'} never sent."
    elif (count := _capped(waiting)) != "0":
        until = "it is enabled again" if stop == "disable" else "it is on again"
        yield f"{count} pending deliver{'y waits' if count == '1' else 'ies wait'} until {until}."
    if instance.event_method == WEBHOOK:
        count = str(Registration.objects.filter(inbox__instance=instance, state=Registration.ACTIVE).count())
        if count != "0":
            yield f"{count} callback{_s(count)} registered at the provider {_are(count)} taken back."


_SOURCES = {Event.POLL: "Poll", Event.WEBHOOK: "Callback", Event.POSTED: "Posted"}


def _subscription_of(instance: Instance) -> Subscription | None:
    try:
        return instance.subscription
    except Subscription.DoesNotExist:
        return None


def _since(rows: QuerySet[Any], column: str, since: Any) -> str:
    """How many of them since then, as far as the newest MOST_COUNTED tell."""
    newest = rows.order_by("-id").values("pk", column)[: MOST_COUNTED + 1]
    count: int = newest.aggregate(count=Count("pk", filter=Q(**{f"{column}__gte": since})))["count"]
    return _said(count)


def _capped(rows: QuerySet[Any]) -> str:
    return _said(rows.values("pk")[: MOST_COUNTED + 1].count())


def _said(count: int) -> str:
    return f"{MOST_COUNTED:,}+" if count > MOST_COUNTED else f"{count:,}"


def _s(count: str) -> str:
    return "" if count == "1" else "s"


def _are(count: str) -> str:
    return "is" if count == "1" else "are"


def _deliveries_of(event_ids: list[int]) -> dict[int, tuple[int, int]]:
    """By event: how many were delivered, of how many."""
    rows = Delivery.objects.filter(event__in=event_ids).order_by().values_list("event")
    counted = rows.annotate(Count("pk"), delivered=Count("pk", filter=Q(state=Delivery.DELIVERED)))
    return {event_id: (delivered, count) for event_id, count, delivered in counted}


def _delivered(delivered: int, count: int) -> SafeString:
    if not count:
        return badges.badge("nobody to tell", PLAIN)
    return badges.badge(f"{delivered} of {count}", GOOD if delivered == count else WARNING)


def _answer(status: int | None, error_class: str | None) -> str:
    if status is not None:
        return f"HTTP {status}"
    return (error_class or "none").replace("_", " ")


def _link(page: str, pk: int, text: str) -> SafeString:
    return format_html('<a class="console-link" href="{}">{}</a>', reverse(f"admin:{page}", args=[pk]), text)
