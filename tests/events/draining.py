"""What tests of the drain share: looking at the one delivery, and making due what is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now

from events import subscriptions
from events.claims import Claim
from events.deliver import drain
from events.models import Delivery, Subscription
from events.outcomes import Ended
from events.plain_cursor import plain_cursor
from events.retries import ErrorClass, Verdict

# For tests in which somebody else looks at the database.
with_commits = pytest.mark.django_db(transaction=True)


def only() -> Delivery:
    return Delivery.objects.get()


def wait_of(delivery: Delivery) -> float:
    """Seconds from the last outcome to the next attempt, as the database counts them."""
    return (delivery.next_attempt_at - delivery.updated_at).total_seconds()


def drain_apart() -> None:
    """For a thread of its own, with a database connection of its own."""
    drain()
    connection.close()


def make_due(**columns) -> None:
    Delivery.objects.filter(**columns).update(next_attempt_at=Now())


def end_leases() -> None:
    Delivery.objects.update(leased_until=Now() - timedelta(seconds=1))


def give_up_on(subscription: Subscription, *, reason: str = "down") -> None:
    with transaction.atomic(), plain_cursor() as cursor:
        subscriptions.deactivate(cursor, subscription.pk, reason=reason)


def ended(claim: Claim, verdict: Verdict) -> Ended:
    return Ended(
        claim=claim,
        verdict=verdict,
        started_at=datetime.now(UTC),
        duration_ms=5,
        status=200,
        error_class=ErrorClass.NONE,
        error="",
        excerpt=b"",
    )
