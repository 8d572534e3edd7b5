"""Events, subscriptions and deliveries as they go over the wire, and what clients send about them."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson
from django.db.models import Exists, OuterRef, QuerySet

from connectors.egress import check_url
from events.models import Delivery, Event, Subscription
from events.where import CREATED, RETRY
from instances.errors import InvalidRequest
from instances.event_settings import is_own_events_url
from instances.models import Organization
from instances.serializers import timestamp, without_secrets

LONGEST_TOPIC = 255
LONGEST_URL = 2000
MOST_TOPICS = 100
# An event is stored when it has been standardized, and NOTIFIED once a receiver has taken it.
CONSUMED, NOTIFIED = "CONSUMED", "NOTIFIED"


class _Message(msgspec.Struct):
    raw: msgspec.Raw


class _Notification(msgspec.Struct):
    message: _Message


_notifications = msgspec.json.Decoder(_Notification)


def with_status(events: QuerySet[Event]) -> QuerySet[Event]:
    """Events that know whether a receiver has taken them, as `is_delivered`."""
    delivered = Delivery.objects.filter(event=OuterRef("pk"), state=Delivery.DELIVERED)
    return events.annotate(is_delivered=Exists(delivered))


def event_object(event: Any, *, shows_bodies: bool) -> dict[str, Any]:
    """One of `with_status`. People who may not see bodies get the record without them."""
    body = bytes(event.body)
    fields: dict[str, Any] = {
        "id": str(event.pk),
        "eventDate": timestamp(event.created_at),
        "status": NOTIFIED if event.is_delivered else CONSUMED,
        "providerData": bytes(_notifications.decode(body).message.raw).decode() if shows_bodies else "",
    }
    if event.is_delivered and shows_bodies:
        fields["notifiedData"] = [orjson.loads(body)]
    return fields


def notification_object(event: Event, *, shows_bodies: bool) -> dict[str, Any]:
    """What was sent, with the two members that notifications have in the API. Without `message` for some people."""
    sent = orjson.loads(bytes(event.body))
    if event.source == Event.POSTED and event.instance is not None:
        # It went to one URL, and was nothing but the message.
        fixed = {"id": event.pk, "from": event.instance.topic, "topic": "", "severity": "low"}
        sent = {**fixed, "createdDate": timestamp(event.created_at), "message": sent}
    if not shows_bodies:
        del sent["message"]
    return {**sent, "active": True, "acknowledged": event.acknowledged_at is not None}


def subscription_object(subscription: Subscription, *, shows_secrets: bool) -> dict[str, Any]:
    is_active = subscription.state == Subscription.ACTIVE
    fields: dict[str, Any] = {
        "id": subscription.pk,
        "channel": subscription.channel,
        "topics": subscription.topics,
        "config": {"url": subscription.url if shows_secrets else without_secrets(subscription.url)},
        "active": is_active,
        "createdDate": timestamp(subscription.created_at),
    }
    if not is_active:
        fields["deactivatedReason"] = subscription.deactivated_reason
    return fields


def delivery_object(delivery: Delivery, *, hydrate: bool, shows_bodies: bool, shows_secrets: bool) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "id": delivery.pk,
        "notificationId": delivery.event_id,
        "subscriptionId": delivery.subscription_id,
        "status": delivery_status(delivery),
        "createdDate": timestamp(delivery.created_at),
        "updatedDate": timestamp(delivery.updated_at),
    }
    if hydrate:
        fields["subscription"] = subscription_object(delivery.subscription, shows_secrets=shows_secrets)
        if shows_bodies:
            fields["notification"] = notification_object(delivery.event, shows_bodies=True)
    return fields


def delivery_status(delivery: Delivery) -> str:
    if delivery.state == Delivery.PENDING:
        return CREATED if delivery.first_failed_at is None else RETRY
    return delivery.state


def subscription_request(sent: object, organization: Organization) -> Subscription:
    """A subscription that somebody asks for, not saved yet. Raises InvalidRequest, DestinationRefused."""
    if not isinstance(sent, dict):
        raise InvalidRequest("Send a JSON object with channel, topics and config.url")
    if sent.get("channel") != Subscription.WEBHOOK:
        raise InvalidRequest("channel: webhook is the one there is")
    topics = sent.get("topics")
    if not isinstance(topics, list) or not topics or len(topics) > MOST_TOPICS:
        raise InvalidRequest(f"topics: send a list of 1 to {MOST_TOPICS} topics")
    if not all(isinstance(topic, str) and 0 < len(topic) <= LONGEST_TOPIC for topic in topics):
        raise InvalidRequest(f"topics: each is a text of 1 to {LONGEST_TOPIC} characters")
    config = sent.get("config")
    url = config.get("url") if isinstance(config, dict) else None
    if not isinstance(url, str) or not 0 < len(url) <= LONGEST_URL:
        raise InvalidRequest(f"config.url: send a URL of at most {LONGEST_URL} characters")
    if is_own_events_url(url):
        raise InvalidRequest("config.url: this is our own receiver of events; notifications sent there would go round")
    check_url(url)
    return Subscription(organization=organization, topics=list(dict.fromkeys(topics)), url=url)
