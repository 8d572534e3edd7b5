"""Giving up on a receiver: its subscription is deactivated, and what waits for it is queued until somebody asks."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from psycopg import Cursor

from events import subscriptions
from events.models import Subscription
from events.retries import AFRESH

if TYPE_CHECKING:
    from events.outcomes import Ended

logger = logging.getLogger(__name__)


def carry_out(cursor: Cursor[Any], ended: Sequence[Ended]) -> Sequence[Ended]:
    """Deactivate the subscriptions whose attempts say so, and queue what waits for them.

    An attempt that went to a URL which has been replaced since says nothing about the new one: its delivery begins
    afresh there.
    """
    reasons = {one.claim.subscription_id: one for one in ended if one.verdict.deactivates}
    if not reasons:
        return ended
    locked = {
        subscription.pk: subscription
        for subscription in Subscription.objects.select_for_update(no_key=True).filter(pk__in=reasons).order_by("pk")
    }
    for subscription in locked.values():
        one = reasons[subscription.pk]
        if subscription.url == one.claim.url and subscription.state == Subscription.ACTIVE:
            subscriptions.deactivate(subscription, reason=one.verdict.deactivates)
            logger.info(
                "subscription deactivated",
                extra={"subscription": subscription.pk, "status": one.status, "error_class": str(one.error_class)},
            )
    urls = {subscription.pk: subscription.url for subscription in locked.values()}
    return [
        replace(one, verdict=AFRESH)
        if one.verdict.deactivates and urls.get(one.claim.subscription_id, one.claim.url) != one.claim.url
        else one
        for one in ended
    ]
