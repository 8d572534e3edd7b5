"""How notifications, registrations and callbacks are doing, for the home page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Q
from django.urls import reverse
from django.utils import timezone

from events import tallies
from events.console import circuit_words
from events.models import Callback, Circuit, Delivery, Registration, Subscription
from events.plain_cursor import plain_cursor
from instances.console import home, moments
from instances.console.home import BAD, GOOD, NOTIFICATIONS, PLAIN, PROVIDERS, WARNING, Figure
from instances.console.scope import Scope

DAY = timedelta(hours=24)
MOST = 10_000
"""Counted to: the page does not wait for the exact number of very many."""
LATE = timedelta(minutes=15)
TOO_LATE = timedelta(hours=4)
"""How old something undelivered is when it is coloured."""
MANY_FAILURES, TOO_MANY_FAILURES = 0.05, 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    pending: int
    queued: int
    oldest_at: datetime | None


@home.figures
def notifications(scope: Scope) -> list[Figure]:
    now = timezone.now()
    return [*_failures(scope, now=now), *_waiting(scope, now=now), *_receivers(scope)]


@home.figures
def from_providers(scope: Scope) -> list[Figure]:
    return [*_registrations(scope), *_callbacks(scope)]


def _failures(scope: Scope, *, now: datetime) -> Iterator[Figure]:
    hour = timedelta(hours=1)
    # As the chart below has it: this hour and the 23 before it.
    found = tallies.of(scope.organization_id, since=now - DAY + hour, until=now, step=hour)
    failed, made = sum(one.failed for one in found), sum(one.failed + one.delivered for one in found)
    share = failed / made if made else 0
    tone = BAD if share > TOO_MANY_FAILURES else WARNING if share > MANY_FAILURES else GOOD if made else PLAIN
    yield Figure(
        label="Attempts that failed",
        value=percent(failed, made) if made else "none yet",
        url=reverse("admin:events_deliveryattempt_changelist"),
        order=20,
        tone=tone,
        note=f"{failed:,} of {made:,} in 24 hours",
        group=NOTIFICATIONS,
    )


def _waiting(scope: Scope, *, now: datetime) -> Iterator[Figure]:
    waiting = waiting_of(scope)
    url = reverse("admin:events_delivery_changelist")
    yield Figure(
        label="Pending",
        value=_capped(waiting.pending),
        url=f"{url}?state={Delivery.PENDING}",
        order=21,
        note="being sent, or to be tried again",
        group=NOTIFICATIONS,
    )
    yield Figure(
        label="Queued",
        value=_capped(waiting.queued),
        url=f"{url}?state={Delivery.QUEUED}",
        order=22,
        tone=WARNING if waiting.queued else PLAIN,
        note="until their receiver is back",
        group=NOTIFICATIONS,
    )
    age = now - waiting.oldest_at if waiting.oldest_at else timedelta(0)
    yield Figure(
        label="Oldest undelivered",
        value=moments.span(age) if waiting.oldest_at else "none",
        url=f"{url}?state={Delivery.QUEUED if waiting.queued and not waiting.pending else Delivery.PENDING}",
        order=23,
        tone=BAD if age > TOO_LATE else WARNING if age > LATE else GOOD,
        note=f"since {moments.absolute(waiting.oldest_at)}" if waiting.oldest_at else "everything was delivered",
        group=NOTIFICATIONS,
    )


def _receivers(scope: Scope) -> Iterator[Figure]:
    found = scope.of(Subscription.objects.all()).aggregate(
        left_alone=Count("pk", filter=Q(state=Subscription.ACTIVE, circuit__state=Circuit.OPEN) & ~Q(url="")),
        deactivated=Count("pk", filter=Q(state=Subscription.DEACTIVATED)),
    )
    url = reverse("admin:events_subscription_changelist")
    yield Figure(
        label="Receivers left alone",
        value=f"{found['left_alone']:,}",
        url=f"{url}?health={circuit_words.LEFT_ALONE.replace(' ', '-')}",
        order=24,
        tone=WARNING if found["left_alone"] else PLAIN,
        note="circuit open: they failed, and are probed",
        group=NOTIFICATIONS,
    )
    yield Figure(
        label="Subscriptions deactivated",
        value=f"{found['deactivated']:,}",
        url=f"{url}?health={circuit_words.DEACTIVATED}",
        order=25,
        tone=BAD if found["deactivated"] else PLAIN,
        note="nothing is sent to them",
        group=NOTIFICATIONS,
    )


def _registrations(scope: Scope) -> Iterator[Figure]:
    rows = scope.of(Registration.objects.all(), "inbox__instance__organization")
    found = rows.aggregate(
        missing=Count("pk", filter=Q(state=Registration.MISSING)),
        refused=Count("pk", filter=Q(state=Registration.REFUSED)),
    )
    url = reverse("admin:events_registration_changelist")
    for order, state, note in (
        (35, Registration.MISSING, "tried again by itself"),
        (36, Registration.REFUSED, "the provider does not want them"),
    ):
        yield Figure(
            label=f"Registrations {state}",
            value=f"{found[state]:,}",
            url=f"{url}?state__exact={state}",
            order=order,
            tone=(BAD if state == Registration.REFUSED else WARNING) if found[state] else PLAIN,
            note=note,
            group=PROVIDERS,
        )


def _callbacks(scope: Scope) -> Iterator[Figure]:
    url = reverse("admin:events_callback_changelist")
    for order, state, note in (
        (37, Callback.WAITING, "to be turned into events"),
        (38, Callback.PARKED, "somebody has to decide"),
    ):
        count = callbacks_in(scope, state)
        yield Figure(
            label=f"Callbacks {state}",
            value=_capped(count),
            url=f"{url}?state__exact={state}",
            order=order,
            tone=WARNING if count and state == Callback.PARKED else PLAIN,
            note=note,
            group=PROVIDERS,
        )


def waiting_of(scope: Scope) -> Waiting:
    """What is not delivered yet, and how old the oldest of it is: looked up by subscription, whatever was delivered."""
    with plain_cursor() as cursor:
        cursor.execute(_WAITING, [MOST + 1, scope.organization_id, scope.organization_id])
        counts: dict[str, tuple[int, datetime | None]] = {state: (count, at) for state, count, at in cursor}
    pending, queued = (counts.get(state, (0, None)) for state in (Delivery.PENDING, Delivery.QUEUED))
    moments_of_oldest = [at for _, at in (pending, queued) if at is not None]
    return Waiting(pending=pending[0], queued=queued[0], oldest_at=min(moments_of_oldest, default=None))


def callbacks_in(scope: Scope, state: str) -> int:
    with plain_cursor() as cursor:
        cursor.execute(_CALLBACKS, [state, MOST + 1, scope.organization_id, scope.organization_id])
        return int(cursor.fetchall()[0][0])


def percent(part: int, whole: int) -> str:
    """`0.4 %`; not `0 %` where there is something, and not `100 %` where something is missing."""
    share = 100 * part / whole
    if 0 < share < 0.1:
        return "< 0.1 %"
    if 99.9 < share < 100:
        return "> 99.9 %"
    return f"{share:.1f} %" if share < 10 and share else f"{share:.0f} %"


def _capped(count: int) -> str:
    return f"{MOST:,}+" if count > MOST else f"{count:,}"


_WAITING = """
SELECT state.name, least(sum(found.count), 2147483647)::int, (
    SELECT created_at FROM events_delivery WHERE id = min(found.oldest)
)
FROM events_subscription AS subscription
CROSS JOIN unnest(ARRAY['pending', 'queued']) AS state (name)
CROSS JOIN LATERAL (
    SELECT count(*) AS count, min(id) AS oldest FROM (
        SELECT id FROM events_delivery AS delivery
        WHERE delivery.subscription_id = subscription.id AND delivery.state = state.name ORDER BY id LIMIT %b
    ) AS first
) AS found
WHERE %b::bigint IS NULL OR subscription.organization_id = %b::bigint
GROUP BY state.name
"""

_CALLBACKS = """
SELECT least(coalesce(sum(found.count), 0), 2147483647)::int
FROM instances_instance AS instance CROSS JOIN LATERAL (
    SELECT count(*) AS count FROM (
        SELECT FROM events_callback AS callback
        WHERE callback.instance_id = instance.id AND callback.state = %b LIMIT %b
    ) AS first
) AS found
WHERE (%b::bigint IS NULL OR instance.organization_id = %b::bigint) AND instance.event_method = 'webhook'
"""
