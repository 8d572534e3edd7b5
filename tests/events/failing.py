"""A receiver that fails, as the database sees it: rounds of a drain, answered as told, while time is moved by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from django.db import connection, transaction

from events import circuits, claims, outcomes, retries
from events.claims import Claim
from events.models import Circuit, CircuitTransition, Subscription
from events.outcomes import Ended
from events.plain_cursor import plain_cursor
from events.retries import ErrorClass, Try
from instances import retry_schedules

Answers = Callable[[Claim], int]


def told(claim: Claim, status: int, *, retry_after: float | None = None, is_own_fault: bool = False) -> Ended:
    """The outcome of an attempt that was answered so."""
    error_class = ErrorClass.INTERNAL if is_own_fault else retries.error_class_of(status)
    hint = None if retry_after is None else timedelta(seconds=retry_after)
    attempt = Try(
        status=status,
        error_class=error_class,
        retry_after=hint,
        attempts_made=claim.attempts_made,
        failing_for=claim.failing_for,
        failure_policy=claim.failure_policy,
        schedule=retry_schedules.schedule_of(claim.retry_schedule),
    )
    return Ended(
        claim=claim,
        verdict=retries.judge(attempt, chance=0.0),
        started_at=datetime.now(UTC),
        duration_ms=5,
        status=status,
        error_class=error_class,
        error="",
        excerpt=b"",
        retry_after=hint,
    )


def take(*, limit: int = 500) -> list[Claim]:
    """What a drain would send now."""
    with transaction.atomic(), plain_cursor() as cursor:
        permitted = claims.take_permitted(cursor, circuits.permits(cursor, most=limit))
        found = [*permitted, *claims.claim(limit=limit)]
    if unwanted := [claim for claim in found if not claim.is_wanted]:
        claims.park(unwanted)
    return [claim for claim in found if claim.is_wanted]


def go_round(status: int = 500, *, retry_after: float | None = None, limit: int = 500) -> list[int]:
    """One round with a receiver that gives this answer. Returns the events that it was sent."""
    claimed = take(limit=limit)
    outcomes.write([told(claim, status, retry_after=retry_after) for claim in claimed])
    return [claim.event_id for claim in claimed]


def pass_time(seconds: float) -> None:
    """Let the database's rows grow older by so much."""
    with connection.cursor() as cursor:
        for table, columns in _MOMENTS.items():
            moved = ", ".join(f"{name} = {name} - %(by)s * interval '1 second'" for name in columns)
            cursor.execute(f"UPDATE {table} SET {moved}", {"by": seconds})
        cursor.execute(
            "UPDATE events_delivery SET next_attempt_at = next_attempt_at - %s * interval '1 second'"
            " WHERE next_attempt_at < '9998-01-01'",
            [seconds],
        )


def seconds_until_something_is_due() -> float | None:
    """Until the next pending delivery, probe or step of a slow start. None if nothing will ever be."""
    with connection.cursor() as cursor:
        cursor.execute(_NEXT)
        ((seconds,),) = cursor.fetchall()
    return None if seconds is None else max(0.0, float(seconds))


def circuit_of(subscription: Subscription) -> Circuit:
    return Circuit.objects.get(subscription=subscription)


def kinds(subscription: Subscription) -> list[str]:
    """What happened to it, in order."""
    rows = CircuitTransition.objects.filter(subscription=subscription).order_by("pk")
    return list(rows.values_list("kind", flat=True))


_MOMENTS = {
    "events_delivery": ("created_at", "updated_at", "first_failed_at", "leased_until"),
    "events_circuit": (
        "window_started_at",
        "failing_since",
        "opened_at",
        "next_probe_at",
        "recovering_since",
        "paused_until",
        "changed_at",
    ),
    "events_circuittransition": ("happened_at",),
}

_NEXT = """
SELECT extract(epoch FROM least(
    (SELECT min(next_attempt_at) FROM events_delivery AS delivery
        LEFT JOIN events_circuit AS circuit USING (subscription_id)
        WHERE delivery.state = 'pending' AND next_attempt_at < '9998-01-01'
            AND coalesce(circuit.state, 'closed') = 'closed'),
    (SELECT min(next_probe_at) FROM events_circuit WHERE state = 'open'),
    (SELECT min(statement_timestamp() + interval '1 second') FROM events_circuit WHERE state = 'recovering')
) - statement_timestamp())
"""
