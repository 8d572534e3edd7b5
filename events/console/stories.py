"""What the pages tell of a delivery: how it stands, every attempt, and its retries next to their schedule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Window
from django.db.models.functions import RowNumber
from django.utils import timezone
from django.utils.safestring import SafeString

from events import signing
from events.console import error_words, standing
from events.console.timeline import Timeline, Tried, timeline
from events.models import Delivery, DeliveryAttempt, Subscription
from events.retries import ErrorClass
from instances import retry_schedules
from instances.models import Instance, Organization

MOST_ATTEMPTS = 100
"""That a page shows, the last ones; of each of several deliveries FEW_ATTEMPTS."""
FEW_ATTEMPTS = 10
MOST_DELIVERIES = 20
"""Of one event that its page tells of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptStory:
    attempt: DeliveryAttempt
    said: str
    tone: str
    what_to_do: str
    headers: Sequence[tuple[str, str]]
    answer: str | None
    """Its first bytes; None where they are not for the visitor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    delivery: Delivery
    subscription: Subscription
    receiver: str
    """The URL without its query, where receivers keep secrets."""
    explained: SafeString
    attempts: Sequence[AttemptStory]
    """The last one first."""
    has_more_attempts: bool
    timeline: Timeline | None
    """None while nothing failed, and where what fails is not retried."""
    is_signed: bool
    is_redeliverable: bool
    reactivates: bool
    """Whether redelivering makes its subscription active again."""


def of_deliveries(deliveries: Sequence[Delivery], *, shows_answers: bool) -> list[Story]:
    """Deliveries that were read with `related`."""
    now = timezone.now()
    most = MOST_ATTEMPTS if len(deliveries) == 1 else FEW_ATTEMPTS
    attempts: dict[int, list[DeliveryAttempt]] = {delivery.pk: [] for delivery in deliveries}
    numbered = DeliveryAttempt.objects.filter(delivery__in=list(attempts)).annotate(
        place=Window(RowNumber(), partition_by="delivery", order_by="-pk")
    )
    for attempt in numbered.filter(place__lte=most + 1).order_by("-pk"):
        attempts[attempt.delivery_id].append(attempt)
    return [_story(one, attempts[one.pk], most=most, now=now, shows_answers=shows_answers) for one in deliveries]


def related(rows: Any) -> Any:
    """Deliveries with everything that a story is made of but their attempts."""
    return rows.select_related(
        *("event__instance", "organization", "subscription__circuit", "subscription__instance")
    ).defer("event__body")


def receiver_of(subscription: Subscription) -> str:
    return subscription.url.partition("?")[0]


def _story(
    delivery: Delivery, found: Sequence[DeliveryAttempt], *, most: int, now: datetime, shows_answers: bool
) -> Story:
    attempts = found[:most]
    subscription, organization = delivery.subscription, delivery.organization
    instance = delivery.event.instance or subscription.instance
    is_signed = bool(instance and instance.signing_keys_encrypted)
    return Story(
        delivery=delivery,
        subscription=subscription,
        receiver=receiver_of(subscription),
        explained=standing.explained(delivery, organization=organization, now=now),
        attempts=[_attempt(one, delivery, is_signed=is_signed, shows_answers=shows_answers) for one in attempts],
        has_more_attempts=len(found) > most,
        timeline=_timeline(delivery, attempts, instance=instance, organization=organization, now=now),
        is_signed=is_signed,
        is_redeliverable=bool(subscription.url),
        reactivates=subscription.state == Subscription.DEACTIVATED,
    )


def _attempt(attempt: DeliveryAttempt, delivery: Delivery, *, is_signed: bool, shows_answers: bool) -> AttemptStory:
    error_class = ErrorClass(attempt.error_class)
    return AttemptStory(
        attempt=attempt,
        said=error_words.said(attempt),
        tone=error_words.tone_of(attempt),
        what_to_do="" if error_class == ErrorClass.NONE else error_words.words_of(attempt).what_to_do,
        headers=_headers(attempt, delivery, is_signed=is_signed),
        answer=attempt.response_excerpt if shows_answers else None,
    )


def _headers(attempt: DeliveryAttempt, delivery: Delivery, *, is_signed: bool) -> list[tuple[str, str]]:
    """As they were sent, without the signatures: those are not kept, and made with a key that nobody may read here."""
    sent = signing.headers(
        delivery_id=delivery.pk,
        event_id=delivery.event_id,
        body=b"",
        keys=("",) if is_signed else (),
        timestamp=int(attempt.started_at.timestamp()),
    )
    return [(name, _SIGNATURES.get(name, value)) for name, value in sent]


def _timeline(
    delivery: Delivery,
    attempts: Sequence[DeliveryAttempt],
    *,
    instance: Instance | None,
    organization: Organization,
    now: datetime,
) -> Timeline | None:
    if delivery.first_failed_at is None or not attempts:
        return None
    if organization.failure_policy == Organization.QUEUE:  # there is no schedule
        return None
    schedule = (instance and instance.retry_schedule) or organization.retry_schedule
    is_timed = delivery.state == Delivery.PENDING and delivery.next_attempt_at < FAR_AWAY
    return timeline(
        first_failed_at=delivery.first_failed_at,
        tried=[
            Tried(
                started_at=one.started_at,
                is_success=not one.error_class,
                said=f"attempt {one.number}: {error_words.said(one)}",
            )
            for one in reversed(attempts)
        ],
        attempts_made=delivery.attempts_made,
        schedule=retry_schedules.schedule_of(schedule),
        next_attempt_at=delivery.next_attempt_at if is_timed else None,
        now=now,
    )


FAR_AWAY = datetime(9000, 1, 1, tzinfo=UTC)
"""Later ones are no moments: they say what a delivery waits for."""
_SIGNATURES = {
    "Elements-Webhook-Signature": "sha256=… made of the body with the signature key",
    "webhook-signature": "v1,… made of id, timestamp and body with the signature key",
}
