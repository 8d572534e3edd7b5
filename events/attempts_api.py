"""Every try to bring a notification to a subscription, and whom each that failed was charged to."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from events.api import ApiView, named_subscription, shows_bodies
from events.models import DeliveryAttempt
from events.retries import ErrorClass
from instances.errors import NotFound
from instances.paging import page_of
from instances.serializers import timestamp


class AttemptsView(ApiView):
    """GET /notifications/{nId}/subscriptions/{sId}/deliveries/attempts, oldest first."""

    def get(self, request: Request, *, notification_id: str, subscription_id: str) -> Response:
        event = self.event(self.events(request), notification_id, name="notification")
        subscription = named_subscription(request, subscription_id)
        delivery = event.deliveries.filter(subscription=subscription).first()
        if delivery is None:
            raise NotFound(f"Notification {event.pk} has no delivery to subscription {subscription.pk}")
        page = page_of(DeliveryAttempt.objects.filter(delivery=delivery), request)
        shows = shows_bodies(request)
        return page.response([attempt_object(attempt, shows_bodies=shows) for attempt in page.rows])


def attempt_object(attempt: DeliveryAttempt, *, shows_bodies: bool) -> dict[str, Any]:
    """What receivers answer may repeat what they were sent: it is not for everybody."""
    error_class = ErrorClass(attempt.error_class)
    fields: dict[str, Any] = {
        "number": attempt.number,
        "startedDate": timestamp(attempt.started_at),
        "durationMs": attempt.duration_ms,
        "status": attempt.status,
        "errorClass": error_class or None,
        "budget": error_class.budget,
        "error": attempt.error or None,
    }
    if shows_bodies:
        fields["responseExcerpt"] = attempt.response_excerpt
    return fields
