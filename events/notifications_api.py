"""Notifications over HTTP: posted, found by topic, acknowledged, deleted."""

from __future__ import annotations

import logging
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from events import published, serializers
from events.api import ApiView, organization_of, shows_bodies
from events.models import Event
from events.posting import LOW, SEVERITIES, post
from events.serializers import LONGEST_TOPIC, MOST_TOPICS
from instances import audited_calls
from instances.authentication import user_of
from instances.errors import InvalidRequest
from instances.paging import page_of

logger = logging.getLogger(__name__)

RESERVED = "switchyard."
"""Topics that begin so are the platform's: whoever gets them must be able to believe them."""


class NotificationsView(ApiView):
    """POST /notifications, GET /notifications?topics[]=..."""

    def get(self, request: Request) -> Response:
        """Newest first."""
        rows = published.of_topics(organization_of(request), _topics(request)).select_related("instance")
        page = page_of(rows, request, is_newest_first=True)
        return page.response([_object(event, request) for event in page.rows])

    def post(self, request: Request) -> Response:
        event = post(organization=organization_of(request), **_notification_request(request.data))
        logger.info("notification posted", extra={"user": user_of(request).pk, "event": event.pk})
        return Response(_object(event, request))


class _OneNotification(ApiView):
    def notification(self, request: Request, notification_id: str) -> Event:
        return self.event(self.events(request).select_related("instance"), notification_id, name="notification")


class NotificationView(_OneNotification):
    """GET, DELETE /notifications/{id}."""

    def get(self, request: Request, *, notification_id: str) -> Response:
        return Response(_object(self.notification(request, notification_id), request))

    def delete(self, request: Request, *, notification_id: str) -> Response:
        event = self.notification(request, notification_id)
        published.delete(event)
        audited_calls.note(request, "deleted the event", instance=event.instance, subject=f"event {event.pk}")
        logger.info("notification deleted", extra={"user": user_of(request).pk, "event": event.pk})
        return Response(status=200)


class AcknowledgementView(_OneNotification):
    """PUT /notifications/{id}/acknowledge. Whatever is sent along is passed over."""

    def put(self, request: Request, *, notification_id: str) -> Response:
        event = self.notification(request, notification_id)
        published.acknowledge(event)
        return Response(_object(event, request))


def _object(event: Event, request: Request) -> dict[str, Any]:
    return serializers.notification_object(event, shows_bodies=shows_bodies(request))


def _topics(request: Request) -> list[str]:
    """`topics[]`, once for each; `topics` will do. Raises InvalidRequest."""
    topics = [topic for name in ("topics[]", "topics") for topic in request.query_params.getlist(name) if topic]
    if not topics:
        raise InvalidRequest("topics[] is missing; ask for one topic or several: topics[]=first&topics[]=second")
    if len(topics) > MOST_TOPICS:
        raise InvalidRequest(f"topics[]: ask for at most {MOST_TOPICS} topics at once")
    if any("\x00" in topic for topic in topics):
        raise InvalidRequest("topics[]: a topic holds a NUL character")
    return topics


def _notification_request(sent: object) -> dict[str, Any]:
    """What somebody asks to post, as `post` takes it. Raises InvalidRequest."""
    if not isinstance(sent, dict):
        raise InvalidRequest("Send a JSON object with topic, message, severity and from")
    topic = _name(sent, "topic")
    if topic is None:
        raise InvalidRequest("topic is missing; it says who gets the notification")
    if topic.startswith(RESERVED):
        raise InvalidRequest(f"topic: those that begin with {RESERVED} are the platform's own; choose another")
    if sent.get("message") is None:
        raise InvalidRequest("message is missing; send a text or any other JSON")
    severity = sent.get("severity")
    if severity is not None and severity not in SEVERITIES:
        raise InvalidRequest(f"severity: send {', '.join(SEVERITIES)}")
    return {
        "topic": topic,
        "message": sent["message"],
        "severity": severity or LOW,
        "sender": _name(sent, "from") or topic,
    }


def _name(sent: dict[str, Any], field: str) -> str | None:
    value = sent.get(field)
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip() or len(value) > LONGEST_TOPIC:
        raise InvalidRequest(f"{field}: send a text of 1 to {LONGEST_TOPIC} characters")
    return value
