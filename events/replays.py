"""Replays: jobs that begin deliveries again, each that matches once, oldest first, at a rate.

A step is one transaction: what it begins and how far it has come are one commit. Whoever takes it holds the replay's
row; a process that dies gives it back with nothing begun. No transaction outlives a step.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count
from django.db.models.functions import Now
from psycopg import Cursor

from events import doorbell, ordering, replay_matches, subscriptions
from events.models import Delivery, Replay, Subscription
from events.plain_cursor import follow_indexes, plain_cursor
from events.replay_requests import ReplayChange, ReplayRequest, Wanted
from instances.errors import Conflict
from instances.models import Organization, User

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 10
"""Of one organization that are not over."""
CATCH_UP = timedelta(seconds=2)
"""A replay that could not go on begins at most so much of its rate at once when it can."""
UNDER_WAY = timedelta(seconds=2)
"""No more of its rate may be begun and not attempted yet: what is sent slowly is begun slowly."""
LOOKED_AT = 20_000
"""Deliveries, of whomever, that one step looks through at the most."""

GOING_ON = (Replay.RUNNING, Replay.PAUSED)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What became of the deliveries that a replay was the last to begin."""

    delivered: int = 0
    pending: int = 0
    queued: int = 0


def create(*, user: User, organization: Organization, asked: ReplayRequest) -> Replay:
    """Raises NotFound for ids that are not the organization's, Conflict where too many replays go on."""
    replay_matches.check_ids(organization, asked.wanted)
    with transaction.atomic():
        if asked.reactivates:
            _reactivate(organization, asked.wanted)
        # Two at once shall not both be the last that there is room for. Behind the subscriptions, as in `redelivery`.
        Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
        if Replay.objects.filter(organization=organization, state__in=GOING_ON).count() >= MOST_AT_ONCE:
            raise Conflict(f"{MOST_AT_ONCE} replays go on already; wait for one of them, or cancel it")
        found = replay_matches.preview(organization, asked.wanted)
        replay = Replay.objects.create(
            organization=organization,
            created_by=user,
            wanted=asked.wanted.to_json(),
            rate=asked.rate,
            total=found.count,
            total_bytes=found.bytes,
            position=found.first_id - 1,
            last_id=found.last_id,
            **({} if found.count else {"state": Replay.FINISHED, "finished_at": Now()}),
        )
    replay.refresh_from_db()
    logger.info("replay asked for", extra={"replay": replay.pk, "user": user.pk, "deliveries": found.count})
    return replay


def change(replay: Replay, asked: ReplayChange) -> Replay:
    """Pause it, let it go on, cancel it, or give it another rate. Raises Conflict for one that is over."""
    with transaction.atomic():
        # A step holds the row for a moment; it is waited for.
        replay = Replay.objects.select_for_update(no_key=True, of=("self",)).get(pk=replay.pk)
        if replay.state not in GOING_ON:
            raise Conflict(f"This replay is {replay.state}; make another one with POST /replays")
        changes: dict[str, Any] = {"rate": asked.rate or replay.rate, "state": asked.state or replay.state}
        if changes["state"] == Replay.CANCELLED:
            changes["finished_at"] = Now()
        elif changes["state"] != replay.state:
            changes["next_step_at"] = Now()
        Replay.objects.filter(pk=replay.pk).update(**changes)
    replay.refresh_from_db()
    logger.info("replay changed", extra={"replay": replay.pk, "state": replay.state, "rate": replay.rate})
    return replay


def outcomes(replays: Sequence[Replay]) -> dict[int, Outcomes]:
    """By replay. What another replay began since, or is no longer kept, is not counted."""
    counts: dict[int, dict[str, int]] = {replay.pk: {} for replay in replays}
    rows = Delivery.objects.filter(replay__in=list(counts)).order_by()
    for replay_id, state, count in rows.values_list("replay_id", "state").annotate(count=Count("*")):
        name = state if state in (Delivery.DELIVERED, Delivery.PENDING) else Delivery.QUEUED
        counts[replay_id][name] = counts[replay_id].get(name, 0) + count
    return {replay_id: Outcomes(**found) for replay_id, found in counts.items()}


def sweep(*, is_stopping: Callable[[], bool] = lambda: False) -> None:
    """Let every replay that is due go a step further; several processes may do so at once."""
    due = Replay.objects.filter(state=Replay.RUNNING, next_step_at__lte=Now()).order_by("next_step_at", "pk")
    for replay_id in list(due.values_list("pk", flat=True)):
        while not is_stopping() and step(replay_id):
            pass


def step(replay_id: int) -> bool:
    """Begin what the rate has room for by now. Returns whether there is more to do at once."""
    with transaction.atomic(), plain_cursor() as cursor:
        free = Replay.objects.select_for_update(no_key=True, skip_locked=True, of=("self",))
        replay = free.filter(pk=replay_id, state=Replay.RUNNING).annotate(now=Now()).first()
        if replay is None:
            return False
        base = max(replay.next_step_at, replay.now - CATCH_UP)
        most = min(_allowed(base, replay.now, rate=replay.rate), _room(cursor, replay))
        if most <= 0:
            return False
        begun, is_exhausted = _go_on(cursor, replay, most=most)
        replay.next_step_at = base + timedelta(seconds=begun / replay.rate)
        if is_exhausted:
            replay.state, replay.finished_at = Replay.FINISHED, replay.now
        replay.save(update_fields=["position", "begun", "passed_over", "next_step_at", "state", "finished_at"])
        if begun:
            transaction.on_commit(doorbell.DELIVERIES.ring, robust=True)
    if is_exhausted:
        logger.info("replay finished", extra={"replay": replay.pk, "deliveries": replay.begun})
    return not is_exhausted and begun < most


def _go_on(cursor: Cursor[Any], replay: Replay, *, most: int) -> tuple[int, bool]:
    """Move a locked replay ahead. Returns how many deliveries it began, and whether it has come to its end."""
    wanted = Wanted.from_json(replay.wanted)
    follow_indexes(cursor)
    cursor.execute(_LOOK_AHEAD, [replay.position, replay.last_id, LOOKED_AT])
    up_to = cursor.fetchone()[0] or replay.last_id  # type: ignore[index]  # an aggregate always has a row
    began_at = replay.position
    begun = replay_matches.begin_again(
        cursor,
        replay.organization,
        wanted,
        replay_id=replay.pk,
        after=began_at,
        up_to=up_to,
        asked_at=replay.created_at,
        most=most,
    )
    ordering.line_up_again(cursor, begun)
    replay.position = begun[-1] if len(begun) == most else up_to
    replay.begun += len(begun)
    replay.passed_over += replay_matches.count_deactivated(
        cursor,
        replay.organization,
        wanted,
        after=began_at,
        up_to=replay.position,
        asked_at=replay.created_at,
    )
    return len(begun), replay.position >= replay.last_id


def _allowed(base: datetime, now: datetime, *, rate: int) -> int:
    """How many may begin now if the next one may at `base`."""
    return 0 if base > now else 1 + math.floor((now - base).total_seconds() * rate)


def _room(cursor: Cursor[Any], replay: Replay) -> int:
    """How many more may be begun before those that have been are attempted."""
    most = max(1, math.ceil(UNDER_WAY.total_seconds() * replay.rate))
    cursor.execute(_DUE, {"organization_id": replay.organization_id, "replay_id": replay.pk, "most": most})
    under_way: int = cursor.fetchone()[0]  # type: ignore[index]  # an aggregate always has a row
    return most - under_way


def _reactivate(organization: Organization, wanted: Wanted) -> None:
    ids = replay_matches.deactivated_subscriptions(organization, wanted)
    rows = Subscription.objects.filter(pk__in=ids).exclude(url="")
    subscriptions.redeliver(Delivery.objects.none(), reactivate=rows)


# Ids are dense or not: what counts is how many rows are passed.
_LOOK_AHEAD = """
SELECT max(id) FROM (
    SELECT id FROM events_delivery WHERE id > %b AND id <= %b ORDER BY id LIMIT %b
) AS next
"""

# What waits for a retry or a switch holds up nothing, nor does a receiver that is being left alone.
_DUE = """
SELECT coalesce(sum(due.count), 0)::bigint
FROM events_subscription AS subscription
LEFT JOIN events_circuit AS circuit ON circuit.subscription_id = subscription.id
CROSS JOIN LATERAL (
    SELECT count(*) FROM (
        SELECT FROM events_delivery AS delivery
        WHERE delivery.state = 'pending' AND delivery.lane = 1 AND delivery.subscription_id = subscription.id
            AND delivery.next_attempt_at <= statement_timestamp() AND delivery.replay_id = %(replay_id)s
        LIMIT %(most)s
    ) AS first
) AS due
WHERE subscription.organization_id = %(organization_id)s
    AND coalesce(circuit.state, 'closed') = 'closed'
    AND (circuit.paused_until IS NULL OR circuit.paused_until <= statement_timestamp())
"""
