"""GET /instances/{id}/trace: why did I (not) get it?"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from events.api import ApiView, named_instance, shows_bodies
from events.attempts_api import attempt_object
from events.traced_events import TracedDelivery
from instances.authentication import NeedsAllThree, NeedsUserAndOrganization, instance_of
from instances.serializers import timestamp
from polling import trace, trace_question
from polling.trace_words import Entry


class TraceView(ApiView):
    """GET /instances/{id}/trace and /instances/trace (of the token), `?objectType=&objectId=`."""

    def get_permissions(self) -> list[Any]:
        return [NeedsUserAndOrganization() if "instance_id" in self.kwargs else NeedsAllThree()]

    def get(self, request: Request, **path: str) -> Response:
        instance = named_instance(request, path["instance_id"]) if "instance_id" in path else instance_of(request)
        object_type = trace_question.object_type(request.query_params.get("objectType", ""), instance=instance)
        object_id = trace_question.object_id(request.query_params.get("objectId", ""))
        found = trace.trace(instance=instance, object_type=object_type, object_id=object_id)
        shows = shows_bodies(request)
        return Response(
            {
                "instanceId": instance.pk,
                "objectType": object_type,
                "objectId": object_id,
                "summary": found.summary,
                "keptSince": timestamp(found.kept_since),
                "entries": [_entry_object(entry, shows_bodies=shows) for entry in found.entries],
            }
        )


def _entry_object(entry: Entry, *, shows_bodies: bool) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "at": timestamp(entry.at),
        "source": entry.source,
        "decision": entry.decision,
        "detail": entry.detail,
    }
    named = {"callbackId": entry.callback_id, "pollId": entry.poll_id}
    fields |= {name: number for name, number in named.items() if number is not None}
    if entry.event_id is not None:
        fields["eventId"] = str(entry.event_id)
        fields["deliveries"] = [_delivery_object(one, shows_bodies=shows_bodies) for one in entry.deliveries]
    return fields


def _delivery_object(delivery: TracedDelivery, *, shows_bodies: bool) -> dict[str, Any]:
    return {
        "subscriptionId": delivery.subscription_id,
        "host": delivery.host,
        "status": delivery.status,
        "detail": delivery.detail,
        "nextAttemptDate": _moment(delivery.next_attempt_at),
        "attempts": [attempt_object(one, shows_bodies=shows_bodies) for one in delivery.attempts],
    }


def _moment(moment: datetime | None) -> str | None:
    return timestamp(moment) if moment is not None else None
