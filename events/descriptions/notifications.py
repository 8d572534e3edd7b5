"""Notifications: posted, found by topic, acknowledged, deleted."""

from __future__ import annotations

from events import notifications_api
from events.posting import SEVERITIES
from events.serializers import LONGEST_TOPIC, MOST_TOPICS
from instances.describing import (
    BOOLEAN,
    NUMBER,
    PAGED,
    PAGING,
    TEXT,
    TIMESTAMP,
    Described,
    Parameter,
    describe,
    list_of,
    named,
    record_of,
)

TAG = "Notifications"

_SEVERITY = {"type": "string", "enum": list(SEVERITIES)}
_NAME = {"type": "string", "minLength": 1, "maxLength": LONGEST_TOPIC, "pattern": r"\S"}
_SENT = {
    "from": "billing",
    "topic": "invoices",
    "severity": "medium",
    "message": {"text": "Invoice 4711 is due", "invoice": 4711},
}

NOTIFICATION = named(
    "Notification",
    record_of(
        "message",
        id={**NUMBER, "description": "An event's id"},
        **{"from": TEXT},
        topic={**TEXT, "description": "Blank for what went to one URL"},
        severity=_SEVERITY,
        createdDate=TIMESTAMP,
        message={"description": "What was posted, or of an instance what changed; not for viewers"},
        active=BOOLEAN,
        acknowledged=BOOLEAN,
    ),
)
NEW_NOTIFICATION = named(
    "NewNotification",
    record_of(
        "severity",
        "from",
        topic=_NAME,
        message={
            "description": "A text, or any other JSON but null",
            "type": ["string", "object", "array", "number", "boolean"],
        },
        severity={**_SEVERITY, "default": "low"},
        **{"from": {**_NAME, "description": "Who says so; the topic, unless it is given"}},
    ),
)

describe(
    notifications_api.NotificationsView,
    get=Described(
        summary="List the notifications of topics, newest first",
        description="What was posted under them and, for the topic of an instance, its events as they are sent.",
        tag=TAG,
        parameters=(
            Parameter(
                name="topics[]",
                description="Repeated for each topic",
                schema={"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": MOST_TOPICS},
                is_required=True,
                example=["invoices"],
            ),
            *PAGING,
        ),
        answer=list_of(NOTIFICATION),
        answer_headers=PAGED,
    ),
    post=Described(
        summary="Post a notification",
        description="It goes to every active subscription of the topic. It is signed only where the subscription is "
        "an instance's own.",
        tag=TAG,
        body=NEW_NOTIFICATION,
        body_example=_SENT,
        answer=NOTIFICATION,
        answer_example={
            "id": 981,
            **_SENT,
            "createdDate": "2026-05-04T10:20:30Z",
            "active": True,
            "acknowledged": False,
        },
    ),
)
describe(
    notifications_api.NotificationView,
    get=Described(summary="Read a notification", tag=TAG, answer=NOTIFICATION),
    delete=Described(
        summary="Delete a notification",
        description="With its deliveries: what still waits is not sent. For an instance's, its event is gone, too.",
        tag=TAG,
    ),
)
describe(
    notifications_api.AcknowledgementView,
    put=Described(summary="Acknowledge a notification", tag=TAG, answer=NOTIFICATION),
)
