"""Subscriptions, and the deliveries of notifications to them."""

from __future__ import annotations

from events import api
from instances.describing import (
    NUMBER,
    PAGED,
    PAGING,
    TEXT,
    TIMESTAMP,
    Described,
    Parameter,
    describe,
    describe_path,
    list_of,
    named,
    record_of,
)

TAG = "Notifications"

SUBSCRIPTION = named(
    "Subscription",
    record_of(
        "deactivatedReason",
        id=NUMBER,
        channel={"type": "string", "enum": ["webhook"]},
        topics=list_of(TEXT),
        config=record_of(url=TEXT),
        active={"type": "boolean", "description": "False: its receiver said that it is gone, or failed for days"},
        createdDate=TIMESTAMP,
        deactivatedReason=TEXT,
    ),
)
NEW_SUBSCRIPTION = named(
    "NewSubscription",
    record_of(
        channel={"type": "string", "enum": ["webhook"]},
        topics={"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 255}, "minItems": 1},
        config=record_of(url={"type": "string", "format": "uri"}),
    ),
)
DELIVERY = named(
    "Delivery",
    record_of(
        "subscription",
        "notification",
        id=NUMBER,
        notificationId=NUMBER,
        subscriptionId=NUMBER,
        status={"type": "string", "enum": ["created", "retry", "delivered", "queued", "abandoned"]},
        createdDate=TIMESTAMP,
        updatedDate=TIMESTAMP,
        subscription=SUBSCRIPTION,
        notification={"type": "object", "description": "What was sent; not for viewers"},
    ),
)
HYDRATE = Parameter(
    name="hydrate",
    description="`true`: with the subscription and the notification",
    schema={"type": "string", "enum": ["true", "false"]},
)
_WHERE = "`channel`, `status` and `config.url`, each `field='value'`, joined by `and`"

describe(
    api.SubscriptionsView,
    get=Described(
        summary="List the subscriptions",
        tag=TAG,
        parameters=PAGING,
        answer=list_of(SUBSCRIPTION),
        answer_headers=PAGED,
    ),
    post=Described(
        summary="Subscribe a URL to topics",
        tag=TAG,
        body=NEW_SUBSCRIPTION,
        body_example={
            "channel": "webhook",
            "topics": ["instance-7-connectwisecrmrest-events"],
            "config": {"url": "https://app.example.com/notifications"},
        },
        answer=SUBSCRIPTION,
    ),
)
describe(
    api.SubscriptionView,
    get=Described(summary="Read a subscription", tag=TAG, answer=SUBSCRIPTION),
    delete=Described(
        summary="Delete a subscription",
        description="409 for an instance's own: remove its `event.notification.callback.url` instead.",
        tag=TAG,
        errors=frozenset({409}),
    ),
)
describe(
    api.DeliveriesView,
    get=Described(
        summary="List deliveries",
        tag=TAG,
        parameters=(
            Parameter(name="where", description=f"Which: {_WHERE}", schema=TEXT, example="status='queued'"),
            HYDRATE,
            *PAGING,
        ),
        answer=list_of(DELIVERY),
        answer_headers=PAGED,
    ),
    put=Described(
        summary="Send deliveries again",
        description="Those that are `queued`, or with `status='retry'` those that wait for their next try. Their "
        "subscriptions become active again.",
        tag=TAG,
        parameters=(
            Parameter(
                name="where",
                description=f"Which: {_WHERE}",
                schema=TEXT,
                is_required=True,
                example="channel='webhook' and status='queued'",
            ),
            HYDRATE,
            *PAGING,
        ),
        answer=list_of(DELIVERY),
        answer_headers={"Elements-Total-Count": "How many are sent again"},
    ),
)
_OF_NOTIFICATION = "/notifications/{notificationId}/subscriptions"
describe(
    api.NotificationDeliveriesView,
    get=Described(
        summary="List the deliveries of a notification", tag=TAG, parameters=(HYDRATE,), answer=list_of(DELIVERY)
    ),
)
describe_path(
    f"{_OF_NOTIFICATION}/{{subscriptionId}}/deliveries",
    get=Described(
        summary="Read the delivery of a notification to a subscription",
        tag=TAG,
        parameters=(HYDRATE,),
        answer=DELIVERY,
    ),
)
