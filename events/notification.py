"""The notification: the body that is sent to the callback URL, built once and kept as bytes.

It is joined from parts that are JSON already. A record is copied into it as the bytes it came in, never decoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from connectors.change import Change
from instances.models import Instance

_DATES = orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What the notifications of one instance have in common, so that it is put into JSON once."""

    instance_id: int
    start: bytes
    """Everything between `id` and `createdDate`."""
    facts: bytes
    """Everything between `eventId` and `events` of the message."""
    element_key: str
    hub: str


def envelope(instance: Instance) -> Envelope:
    element = instance.element
    start = {"from": instance.topic, "topic": instance.topic, "severity": "low"}
    facts = {
        "instance_id": instance.pk,
        "instanceId": instance.pk,
        "instanceName": instance.name,
        "instanceTags": instance.tags,
        "elementKey": instance.element_key,
        "accountId": instance.organization_id,
        "companyId": instance.organization_id,
        "userId": instance.user_id,
    }
    return Envelope(
        instance_id=instance.pk,
        start=orjson.dumps(start)[1:-1],
        facts=orjson.dumps(facts)[1:-1],
        element_key=instance.element_key,
        hub=element.hub,
    )


def entry(envelope: Envelope, change: Change, *, polled_at: datetime | None, recorded_at: datetime) -> bytes:
    """One element of `events`. A change without a readable stamp is dated by when we noticed it."""
    noticed_at = polled_at or recorded_at
    fields: dict[str, object] = {"date": change.changed_at or noticed_at}
    if polled_at is not None:
        fields["pollDate"] = polled_at
    fields |= {
        "elementKey": envelope.element_key,
        "hubKey": envelope.hub,
        "eventType": change.event_type,
        "objectId": change.object_id,
        "objectType": change.object_type,
    }
    return orjson.dumps(fields, option=_DATES)


def polled_raw(envelope: Envelope, *, object_type: str, records: Sequence[bytes], entries: Sequence[bytes]) -> bytes:
    """`raw` of a polled event: records under the resource's name, and the entries once more."""
    name = orjson.dumps(object_type)
    return b'{"objectType":%b,"instance_id":%d,%b:[%b],"events":[%b]}' % (
        name,
        envelope.instance_id,
        name,
        b",".join(records),
        b",".join(entries),
    )


def body(envelope: Envelope, *, event_id: int, recorded_at: datetime, entries: Sequence[bytes], raw: bytes) -> bytes:
    """The whole notification as UTF-8 JSON. Its id is the event's, a number; `message.eventId` is that as a string."""
    return b'{"id":%d,%b,"createdDate":%b,"message":{"eventId":"%d",%b,"events":[%b],"raw":%b}}' % (
        event_id,
        envelope.start,
        orjson.dumps(recorded_at, option=_DATES),
        event_id,
        envelope.facts,
        b",".join(entries),
        raw,
    )
