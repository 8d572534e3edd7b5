"""What outcomes mean for their subscriptions: circuits count them, and a receiver that is gone or dead is given up on.

A subscription is deactivated when a delivery to it has used up its retries, or when a probe fails after nothing has
got through for as long as retries take: an open circuit lets too few attempts through for a delivery to use up its own.
Not if anything was delivered meanwhile: then something is wrong with that one notification, which is queued alone.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from psycopg import Cursor

from connectors.budgets import Budget
from events import breaker, circuit_rows, ordering, queued, retries, subscriptions, transitions
from events.breaker import Breaker, Tally
from events.models import Circuit, Subscription
from events.retries import AFRESH, GONE, TOO_MANY_REQUESTS
from events.transitions import Transition
from instances import retry_schedules
from instances.models import Organization

if TYPE_CHECKING:
    from events.outcomes import Ended

logger = logging.getLogger(__name__)


def carry_out(cursor: Cursor[Any], ended: Sequence[Ended]) -> Sequence[Ended]:
    """Count outcomes, open and close circuits, deactivate subscriptions and queue what waits for them.

    In the transaction that writes the outcomes, before deliveries are locked. Receivers that never fail cost nothing.
    An attempt that went to a URL which has been replaced since says nothing about the new one: its delivery begins
    afresh there.
    """
    telling = [one for one in ended if _tells(one)]
    if not telling:
        return ended
    held = _hold(cursor, telling)
    by_subscription: dict[int, list[Ended]] = {}
    for one in telling:
        if (found := held.get(one.claim.subscription_id)) is not None and found.url == one.claim.url:
            by_subscription.setdefault(one.claim.subscription_id, []).append(one)
    happened = _count(cursor, by_subscription, held)
    if happened:
        # Before deliveries are locked, as everywhere.
        ordering.lock(cursor, ended)
        _follow_up(cursor, happened)
    return [
        replace(one, verdict=AFRESH)
        if (one.verdict.deactivates or one.error_class.budget == Budget.RECEIVER)
        and (found := held.get(one.claim.subscription_id))
        and found.url != one.claim.url
        else one
        for one in ended
    ]


def tally_of(ended: Iterable[Ended]) -> Tally:
    """Of outcomes at one receiver, in the order in which they ended. What we are to blame for ourselves is left out."""
    tally = Tally()
    for one in ended:
        is_failure = one.error_class.budget == Budget.RECEIVER
        is_success = one.error_class.budget is None
        is_throttled = is_failure and one.status == TOO_MANY_REQUESTS
        if is_failure and one.claim.failure_policy == Organization.QUEUE:
            tally = replace(tally, is_unretried=True)
            continue
        tally = replace(
            tally,
            successes=tally.successes + is_success,
            failures=tally.failures + (is_failure and not is_throttled),
            unrelieved=0 if is_success else tally.unrelieved + is_failure,
            pause=max(tally.pause, one.retry_after or timedelta(0)) if is_failure else tally.pause,
        )
        if one.claim.is_probe and (is_success or (is_failure and not (is_throttled and one.retry_after))):
            tally = replace(tally, probe=is_success)
    return tally


@dataclass(frozen=True, slots=True)
class _Held:
    """A subscription that nobody changes or deletes meanwhile, as far as it matters here."""

    url: str
    is_active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reason:
    text: str
    is_for_good: bool = False


def _tells(one: Ended) -> bool:
    return (
        one.claim.is_watched
        or one.claim.is_probe
        or one.error_class.budget == Budget.RECEIVER
        or bool(one.verdict.deactivates)
    )


def _hold(cursor: Cursor[Any], telling: Sequence[Ended]) -> Mapping[int, _Held]:
    """Lock the subscriptions: those that may be deactivated for us alone, the others against being moved or deleted."""
    ids = sorted({one.claim.subscription_id for one in telling})
    if changing := sorted(
        {one.claim.subscription_id for one in telling if one.verdict.deactivates or one.claim.is_probe}
    ):
        cursor.execute(_LOCK_CHANGING, [changing])
    cursor.execute(_LOCK_OTHERS, [ids])
    return {key: _Held(url, state == Subscription.ACTIVE) for key, url, state in cursor}


def _count(
    cursor: Cursor[Any], ended: Mapping[int, Sequence[Ended]], held: Mapping[int, _Held]
) -> Sequence[Transition]:
    """Write down what these outcomes say about their receivers. Returns what that made happen."""
    tallies = {key: tally_of(ones) for key, ones in ended.items()}
    dying = {key for key, ones in ended.items() if any(one.verdict.deactivates for one in ones)}
    makes = {key for key, tally in tallies.items() if tally.unrelieved or tally.failures} | dying
    locked = circuit_rows.lock(cursor, tallies.keys(), makes=makes)
    if locked.now is None:
        return []
    now, changed = locked.now, {}
    happened: list[Transition] = []
    delivered = _last_delivered(cursor, ended)
    for key, before in locked.breakers.items():
        current = breaker.after(before, tallies[key], now=now, is_deactivated=not held[key].is_active)
        reason = _reason(ended[key], current, delivered.get(key), now)
        if reason is not None and (held[key].is_active or reason.is_for_good):
            current = breaker.deactivated(current, now=now, is_for_good=reason.is_for_good)
        if reason is not None and held[key].is_active:
            happened.append(Transition(subscription_id=key, kind=transitions.DEACTIVATED, reason=reason.text))
        elif current.state != before.state:
            happened.append(_moved(key, current, ended[key]))
        changed[key] = current
    circuit_rows.save(cursor, changed, now=now)
    transitions.record(cursor, happened)
    return happened


def _follow_up(cursor: Cursor[Any], happened: Sequence[Transition]) -> None:
    for one in happened:
        if one.kind == transitions.DEACTIVATED:
            subscriptions.deactivate(cursor, one.subscription_id, reason=one.reason)
        elif one.kind == transitions.RECOVERING:
            queued.bring_forward(cursor, one.subscription_id)


def _reason(ones: Sequence[Ended], current: Breaker, delivered: _Delivered | None, now: datetime) -> _Reason | None:
    """Why the subscription of these outcomes is deactivated; None if it goes on."""
    for one in ones:
        if one.verdict.deactivates and one.status == GONE:
            return _Reason(text=one.verdict.deactivates, is_for_good=True)
    for one in ones:
        if not one.verdict.deactivates:
            continue
        if delivered is None or not delivered.is_since(one.claim.delivery_id):
            return _Reason(text=one.verdict.deactivates)
        logger.info(
            "delivery queued alone, others got through",
            extra={"delivery": one.claim.delivery_id, "subscription": one.claim.subscription_id},
        )
    for one in ones:
        schedule = retry_schedules.schedule_of(one.claim.retry_schedule)
        if (
            one.claim.is_probe
            and current.state == Circuit.OPEN
            and current.failing_since is not None
            and now - current.failing_since >= schedule.end
            and current.failures >= len(schedule.steps)
        ):
            return _Reason(
                text=f"No attempt has succeeded since {current.failing_since:%Y-%m-%d %H:%M} UTC, longer than "
                f"retries take; the last one: {_failure(one)}"
            )
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Delivered:
    """When something was last delivered to a subscription, and since when these deliveries to it have failed."""

    last_at: datetime | None
    failed_at: Mapping[int, datetime | None]
    has_just: bool

    def is_since(self, delivery_id: int) -> bool:
        failed_at = self.failed_at.get(delivery_id)
        return self.has_just or (failed_at is not None and self.last_at is not None and self.last_at > failed_at)


def _last_delivered(cursor: Cursor[Any], ended: Mapping[int, Sequence[Ended]]) -> Mapping[int, _Delivered]:
    """Asked only for subscriptions of which a delivery has used up its retries."""
    spent = {one.claim.delivery_id: key for key, ones in ended.items() for one in ones if one.verdict.deactivates}
    if not spent:
        return {}
    cursor.execute(_LAST_DELIVERED, [sorted(set(spent.values()))])
    last = dict(cursor.fetchall())
    cursor.execute("SELECT id, first_failed_at FROM events_delivery WHERE id = ANY(%b::bigint[])", [sorted(spent)])
    failed_at = dict(cursor.fetchall())
    return {
        key: _Delivered(
            last_at=last.get(key),
            failed_at=failed_at,
            has_just=any(one.error_class.budget is None and not one.verdict.deactivates for one in ended[key]),
        )
        for key in spent.values()
    }


def _moved(subscription_id: int, current: Breaker, ones: Sequence[Ended]) -> Transition:
    if current.state == Circuit.RECOVERING:
        return Transition(
            subscription_id=subscription_id, kind=transitions.RECOVERING, reason="One notification was taken"
        )
    if current.state == Circuit.CLOSED:
        return Transition(
            subscription_id=subscription_id, kind=transitions.CLOSED, reason="What fails is queued, not retried"
        )
    counted = current.window_failures + current.window_successes
    last = next(one for one in reversed(ones) if one.error_class.budget == Budget.RECEIVER)
    return Transition(
        subscription_id=subscription_id,
        kind=transitions.OPENED,
        reason=f"{current.window_failures} of {counted} attempts failed; the last one: {_failure(last)}",
    )


def _failure(one: Ended) -> str:
    return retries.words_of(status=one.status, error_class=one.error_class, error=one.error)


_LOCK_CHANGING = "SELECT FROM events_subscription WHERE id = ANY(%b::bigint[]) ORDER BY id FOR NO KEY UPDATE"
# Against deletion, too: a circuit would have nothing to refer to.
_LOCK_OTHERS = "SELECT id, url, state FROM events_subscription WHERE id = ANY(%b::bigint[]) ORDER BY id FOR KEY SHARE"

# The newest are enough: a receiver that takes anything takes those.
_LAST_DELIVERED = """
SELECT wanted.id, (
    SELECT max(updated_at) FROM (
        SELECT updated_at FROM events_delivery AS delivery
        WHERE delivery.subscription_id = wanted.id AND delivery.state = 'delivered' ORDER BY delivery.id DESC LIMIT 1000
    ) AS newest
) FROM unnest(%b::bigint[]) AS wanted (id)
"""
