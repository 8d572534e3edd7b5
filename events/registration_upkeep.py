"""When registrations are reconciled: behind the commit that changes what is wanted, and again and again after that.

Whoever flips the switch waits a few seconds for the provider, at most. Then a message asks a worker to go on at once;
it may be lost, since the inbox is due and a sweep finds it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import redis
from celery import current_app
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from kombu.exceptions import KombuError

from events import inbox_claims, inboxes
from events.models import Inbox
from events.reconcile import reconcile, reconcile_claimed
from instances.models import Instance

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 4.0
"""How long a request that changes an instance waits for its provider, all calls together."""
WORKER_SECONDS = 120.0
SWEEP_SECONDS = 30.0
"""After this long a sweep takes no further inbox; the next one is under way by then."""

_TROUBLE = (redis.RedisError, KombuError, OSError)


def follow_instance(*, instance: Instance, previous_configuration: str, starts_over: bool, **_signal: Any) -> None:
    """Receiver of `instance_configured`: when the request is answered, events have begun, or ended, at the provider."""
    changed = inboxes.follow(instance=instance, previous_configuration=previous_configuration, starts_over=starts_over)
    if changed:
        transaction.on_commit(partial(begin, changed), robust=True)


def part_instance(*, instance: Instance, **_signal: Any) -> None:
    """Receiver of `instance_deleting`: what it takes to take the registrations back outlives the instance."""
    inbox = Inbox.objects.select_for_update().filter(instance=instance).first()
    if inbox is not None:
        inboxes.part(inbox, configuration_encrypted=instance.configuration_encrypted)
        transaction.on_commit(partial(begin, [inbox.pk]), robust=True)


def begin(inbox_ids: Sequence[int], *, patience_seconds: float = PATIENCE_SECONDS) -> bool:
    """Reconcile these now, as far as that is quick; workers do the rest. Returns whether nothing is left to do."""
    ends_at = time.monotonic() + patience_seconds
    left = [one for one in inbox_ids if not reconcile(inbox_id=one, budget_seconds=ends_at - time.monotonic())]
    for inbox_id in left:
        carry_on(inbox_id)
    return not left


def check_now(inbox: Inbox, *, patience_seconds: float = PATIENCE_SECONDS) -> bool:
    """Look at the provider although no check is due yet. Returns whether it agrees."""
    Inbox.objects.filter(pk=inbox.pk).update(next_check_at=Now())
    return begin([inbox.pk], patience_seconds=patience_seconds)


def ask_workers(inbox_ids: Sequence[int]) -> None:
    """Have workers look at the provider although no check is due yet.

    For whoever is not the stack: a shell may have another PUBLIC_URL, and nothing must be registered with that.
    """
    Inbox.objects.filter(pk__in=inbox_ids).update(wanted_version=F("wanted_version") + 1, next_check_at=Now())
    for inbox_id in inbox_ids:
        carry_on(inbox_id)


def unfinished(inbox_ids: Sequence[int]) -> list[Inbox]:
    """Those whose provider does not agree with what is wanted, as far as is known, `instance` selected."""
    found = Inbox.objects.select_related("instance").filter(pk__in=inbox_ids)
    return list(found.exclude(reconciled_version=F("wanted_version")).order_by("pk"))


def carry_on(inbox_id: int) -> None:
    """Ask a worker to go on. A broker that is away costs seconds at most: the inbox is due, and a sweep finds it."""
    try:
        current_app.send_task(
            "events.tasks.reconcile",
            kwargs={"inbox_id": inbox_id},
            queue="callbacks",
            ignore_result=True,
            retry=False,
        )
    except _TROUBLE as error:
        logger.info("worker not asked to reconcile, a sweep will", extra={"error": type(error).__name__})


def go_on(inbox_id: int) -> bool:
    """What a message asks for. False also where it was done already."""
    return reconcile(inbox_id=inbox_id, budget_seconds=WORKER_SECONDS)


def sweep(*, is_stopping: Callable[[], bool] = lambda: False) -> int:
    """Reconcile what is due, one after the other, for SWEEP_SECONDS. Returns how many.

    Any number of sweeps run side by side: a slow provider holds up one of them.
    """
    ends_at = time.monotonic() + SWEEP_SECONDS
    count = 0
    while not is_stopping() and time.monotonic() < ends_at:
        claim = inbox_claims.claim_next()
        if claim is None:
            break
        reconcile_claimed(claim, budget_seconds=WORKER_SECONDS)
        count += 1
    return count
