"""Callbacks about an object that still have their bodies: those that wait, and the newest of those that were refused.

What they tell of is in no column, so their bodies are read; of as many as can be read while somebody waits.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, Func, IntegerField

from connectors.callbacks import Callbacks, CannotStandardize, InboundCallback
from events.models import Callback
from instances.models import Instance

logger = logging.getLogger(__name__)

LOOKED_AT = 100
"""Of each state, the newest."""
LONGEST_BODY = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedCallback:
    callback_id: int
    state: str
    """WAITING or REFUSED."""
    reason: str
    received_at: datetime
    attempts_made: int
    next_attempt_at: datetime


def trace(*, instance: Instance, object_type: str, object_id: str) -> list[TracedCallback]:
    callbacks = instance.element.callbacks
    if callbacks is None:
        return []
    return [
        TracedCallback(
            callback_id=row.pk,
            state=row.state,
            reason=row.reason,
            received_at=row.received_at,
            attempts_made=row.attempts_made,
            next_attempt_at=row.next_attempt_at,
        )
        for state in (Callback.WAITING, Callback.REFUSED)
        for row in _newest(instance, state)
        if _is_about(row, callbacks, object_type=object_type, object_id=object_id)
    ]


def _newest(instance: Instance, state: str) -> list[Callback]:
    size: Func = Func(F("body"), function="octet_length", output_field=IntegerField())
    rows = Callback.objects.filter(instance=instance, state=state).annotate(size=size)
    newest = rows.order_by("-pk").values_list("pk", "size")[:LOOKED_AT]
    short = [pk for pk, size in newest if size <= LONGEST_BODY]
    return list(Callback.objects.filter(pk__in=short).order_by("pk"))


def _is_about(row: Callback, callbacks: Callbacks, *, object_type: str, object_id: str) -> bool:
    """Nothing proves yet who sent it: what it says is compared, and shown to nobody."""
    inbound = InboundCallback(body=bytes(row.body), signature=row.signature, query=row.query)
    try:
        changes = callbacks.standardize(inbound).changes
    except CannotStandardize:  # or cut short, as the body of a refused one may be
        return False
    except Exception:
        # Anybody may have sent it. Whatever is wrong with it, the others are answered for.
        logger.exception("callback failed by a fault of ours", extra={"callback": row.pk})
        return False
    return any((change.object_type, change.object_id) == (object_type, object_id) for change in changes)
