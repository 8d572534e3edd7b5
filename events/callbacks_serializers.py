"""Registrations and callbacks as they go over the wire."""

from __future__ import annotations

from typing import Any

from django.db.models import BinaryField, Count, QuerySet
from django.db.models.functions import Substr

from events import inboxes
from events.models import Callback, Inbox, Registration
from events.provenance import Provenance, measured
from instances.models import Instance
from instances.serializers import timestamp

LONGEST_BODY = 4096
"""Bytes of a callback that are shown."""
COUNTED = (Callback.WAITING, Callback.PARKED)


def registrations_object(instance: Instance, *, shows_address: bool) -> dict[str, Any]:
    """What is registered for an instance, what is wrong with it, and how its callbacks fare.

    Whoever knows the address may try to post to it; people who may only look do not see it.
    """
    inbox = Inbox.objects.filter(instance=instance).first()
    rows = [] if inbox is None else list(inbox.registrations.order_by("pk"))
    counts = dict(
        Callback.objects.filter(instance=instance, state__in=COUNTED)
        .values_list("state")
        .annotate(count=Count("pk"))
        .order_by()
    )
    last_refused_at = inbox.last_refused_at if inbox is not None else None
    suspect_at = inbox.suspect_at if inbox is not None else None
    last_checked_at = inbox.last_checked_at if inbox is not None else None
    return {
        "address": inboxes.address_of(inbox) if inbox is not None and shows_address else None,
        "registrations": [registration_object(row) for row in rows],
        "problem": instance.registration_problem,
        # When the provider was last found, or made, to agree; and what kept us from it since.
        "lastCheck": {
            "date": timestamp(last_checked_at) if last_checked_at else None,
            "error": inbox.last_error if inbox is not None else "",
        },
        "callbacks": {
            "waiting": counts.get(Callback.WAITING, 0),
            "parked": counts.get(Callback.PARKED, 0),
            # Not all of them are kept: without a signature there is no row.
            "refused": inbox.refused_count if inbox is not None else 0,
            "lastRefusedReason": inbox.last_refused_reason if inbox is not None else "",
            "lastRefusedDate": timestamp(last_refused_at) if last_refused_at else None,
        },
        "suspectSince": timestamp(suspect_at) if suspect_at else None,
        "suspectReason": inbox.suspect_reason if inbox is not None else "",
        "provenance": _provenance_object(measured(instance).total),
    }


def _provenance_object(found: Provenance) -> dict[str, Any]:
    return {
        "byCallback": found.by_callback,
        "byBoth": found.by_both,
        "byPollOnly": found.by_poll_only,
        "lossRate": None if found.loss_rate is None else round(found.loss_rate, 4),
    }


def registration_object(row: Registration) -> dict[str, Any]:
    return {
        "type": row.type,
        "level": row.level,
        "objectId": row.object_id,
        "state": row.state,
        "providerId": row.provider_id or None,
        "lastError": row.last_error,
        "registeredDate": timestamp(row.registered_at) if row.registered_at else None,
        "checkedDate": timestamp(row.checked_at) if row.checked_at else None,
    }


def with_excerpts(rows: QuerySet[Callback]) -> QuerySet[Callback]:
    """Callbacks that know the beginning of their body, as `excerpt`: a page of whole ones may be a gigabyte."""
    return rows.defer("body").annotate(excerpt=Substr("body", 1, LONGEST_BODY, output_field=BinaryField()))


def callback_object(row: Any, *, shows_bodies: bool) -> dict[str, Any]:
    """One of `with_excerpts`. Callbacks hold records of the organization's customers: a viewer sees none of them."""
    fields: dict[str, Any] = {
        "id": row.pk,
        "state": row.state,
        "reason": row.reason,
        "messageId": row.message_id or None,
        "receivedDate": timestamp(row.received_at),
        "attempts": row.attempts_made,
    }
    if shows_bodies:
        fields["body"] = bytes(row.excerpt).decode(errors="replace")
    return fields
