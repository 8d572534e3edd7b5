"""What people and the hourly sweep do with callbacks: try parked ones again, and forget old ones."""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import timedelta

from django.db import transaction

from connectors.element import WEBHOOK
from events import doorbell
from events.models import Callback
from events.plain_cursor import in_batches, plain_cursor
from instances.configuration import pollers_of
from instances.encryption import KeyMissing
from instances.errors import InvalidRequest
from instances.models import Instance

logger = logging.getLogger(__name__)

DONE_KEPT = timedelta(days=30)
"""So long a repeat is known by its message id, unless the organization wants less to be kept."""
REFUSED_KEPT = timedelta(days=7)
SEEN_KEPT = timedelta(days=30)
"""What the ledger knows of object types that only callbacks tell of."""
DROPPED = "dropped: somebody gave it up"
STRAYS_KEPT = timedelta(minutes=10)
"""Callbacks that came in while events were being switched off."""
FORGOTTEN_AT_ONCE = 5_000


def retry_parked(*, instance_ids: Collection[int] | None = None, callback_ids: Collection[int] | None = None) -> int:
    """Have parked callbacks tried again, of these instances or these only. Returns how many.

    Those of an instance that does not listen stay parked.
    """
    with transaction.atomic(), plain_cursor() as cursor:
        cursor.execute(_RETRY, [_ids(instance_ids)] * 2 + [_ids(callback_ids)] * 2)
        count = cursor.rowcount
        if count:
            transaction.on_commit(doorbell.CALLBACKS.ring, robust=True)
    if count:
        logger.info("parked callbacks tried again", extra={"callbacks": count})
    return count


def drop_parked(*, callback_ids: Collection[int]) -> int:
    """Give parked callbacks up, as somebody asked for: they become no event, and their bodies go. Returns how many."""
    count = Callback.objects.filter(pk__in=callback_ids, state=Callback.PARKED).update(
        state=Callback.DONE, reason=DROPPED, body=b""
    )
    if count:
        logger.info("parked callbacks dropped", extra={"callbacks": count})
    return count


def forget_old(*, at_once: int = FORGOTTEN_AT_ONCE) -> int:
    """Delete callbacks and ledger rows that nothing needs any more, in small transactions. Returns how many."""
    forgotten = in_batches(_FORGET_CALLBACKS, [DONE_KEPT, REFUSED_KEPT, STRAYS_KEPT], at_once=at_once)
    for instance in Instance.objects.filter(event_method=WEBHOOK).order_by("pk").iterator(chunk_size=200):
        try:
            covered = sorted(pollers_of(instance))
        except (InvalidRequest, KeyMissing) as error:
            # What its polls still need cannot be told.
            logger.warning("ledger not trimmed", extra={"instance": instance.pk, "error": type(error).__name__})
            continue
        # What a poller covers is trimmed behind its watermark.
        forgotten += in_batches(_FORGET_SEEN, [instance.pk, covered, SEEN_KEPT], at_once=at_once)
    if forgotten:
        logger.info("old callbacks forgotten", extra={"rows": forgotten})
    return forgotten


def _ids(ids: Collection[int] | None) -> list[int] | None:
    return None if ids is None else list(ids)


_RETRY = """
WITH parked AS (
    SELECT callback.id FROM events_callback AS callback
    JOIN events_inbox AS inbox ON inbox.instance_id = callback.instance_id AND inbox.is_open
    WHERE callback.state = 'parked'
        AND (%b::bigint[] IS NULL OR callback.instance_id = ANY(%b::bigint[]))
        AND (%b::bigint[] IS NULL OR callback.id = ANY(%b::bigint[]))
    ORDER BY callback.id FOR UPDATE OF callback
)
UPDATE events_callback AS callback
SET state = 'waiting', reason = '', attempts_made = 0, next_attempt_at = statement_timestamp(), leased_until = NULL
FROM parked WHERE callback.id = parked.id
"""

_FORGET_CALLBACKS = """
DELETE FROM events_callback WHERE id IN (
    SELECT callback.id FROM events_callback AS callback
    JOIN instances_instance AS instance ON instance.id = callback.instance_id
    JOIN instances_organization AS organization ON organization.id = instance.organization_id
    CROSS JOIN LATERAL (
        SELECT statement_timestamp() - received_at AS age, make_interval(days => organization.retention_days) AS kept
    ) AS own
    WHERE (callback.state = 'done' AND own.age > least(%b, own.kept))
        OR (callback.state = 'refused' AND own.age > least(%b, own.kept))
        OR (callback.state = 'waiting' AND own.age > %b
            AND (NOT instance.is_events_enabled OR instance.event_method <> 'webhook'))
    LIMIT %b FOR UPDATE OF callback SKIP LOCKED
)
"""

_FORGET_SEEN = """
DELETE FROM events_seenchange WHERE id IN (
    SELECT id FROM events_seenchange
    WHERE instance_id = %b AND object_type <> ALL(%b::text[]) AND seen_at < statement_timestamp() - %b
        AND version <> 'deleted'
    LIMIT %b FOR UPDATE SKIP LOCKED
)
"""
