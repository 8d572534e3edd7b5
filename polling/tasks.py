"""Polling, bulk downloads and jobs as Celery sees them: sweeps that hand out what is due, and the work itself.

Messages carry ids and may be lost.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from celery import current_app, shared_task
from django.db import DatabaseError, close_old_connections
from kombu.exceptions import KombuError
from redis import RedisError

from instances import heartbeats
from polling import bulk_queries, bulk_run, job_run, jobs, runs, schedule
from polling.bulk_queries import BulkClaim
from polling.jobs import JobClaim
from polling.poll import poll_resource
from polling.schedule import Claim

logger = logging.getLogger(__name__)

CLAIMED_AT_ONCE = 500
CLAIMS_PER_MESSAGE = 10
# Claims that wait in the queue for longer than their lease are taken again: hand out no more than a few workers
# get through in that time, and leave the rest due.
MOST_MESSAGES_WAITING = 200
JOBS_AT_ONCE = 50


@shared_task(ignore_result=True)
def sweep(**_from_newer_releases: Any) -> None:
    """Claim what is due and send it to the workers."""
    close_old_connections()
    try:
        hand_out()
    except (KombuError, RedisError) as error:
        logger.info("sweep broken off, the broker is away", extra={"error": type(error).__name__})


@shared_task(ignore_result=True)
def poll(*, claims: Sequence[tuple[int, int]], **_from_newer_releases: Any) -> None:
    """Run polls one after the other; `claims` are [cursor id, epoch]. One that fails does not stop the next."""
    for cursor_id, epoch in claims:
        # A connection that broke (the database restarted) is replaced here: Celery keeps it for good otherwise.
        close_old_connections()
        try:
            poll_resource(cursor_id=cursor_id, epoch=epoch)
        except DatabaseError as error:
            # The database is gone, so nothing can be written down: the lease ends by itself and the cursor is due.
            logger.warning("poll broken off", extra={"cursor": cursor_id, "error": str(error)})
        # Polls of many pages may keep every thread from the sweeps for long.
        heartbeats.note("polling")


@shared_task(ignore_result=True)
def sweep_bulk_queries(**_from_newer_releases: Any) -> None:
    """Give bulk downloads that are due their next turn."""
    close_old_connections()
    try:
        for claim in bulk_queries.claim():
            go_on_with_bulk_query.apply_async(kwargs={"query_id": claim.query_id, "epoch": claim.epoch})
    except (KombuError, RedisError) as error:
        # What was claimed and not sent is due again when its lease ends.
        logger.info("sweep broken off, the broker is away", extra={"error": type(error).__name__})


@shared_task(ignore_result=True)
def go_on_with_bulk_query(*, query_id: int, epoch: int, **_from_newer_releases: Any) -> None:
    """One turn of a bulk download; then whoever waits longest has the next one."""
    close_old_connections()
    try:
        bulk_run.go_on(BulkClaim(query_id, epoch))
    except DatabaseError as error:
        logger.warning("bulk query broken off", extra={"bulk_query": query_id, "error": str(error)})
        return
    sweep_bulk_queries()


@shared_task(ignore_result=True)
def sweep_jobs(**_from_newer_releases: Any) -> None:
    """Start the jobs whose time has come."""
    close_old_connections()
    try:
        for claim in jobs.claim(limit=JOBS_AT_ONCE):
            run_job.apply_async(kwargs={"job_id": claim.job_id, "epoch": claim.epoch})
    except (KombuError, RedisError) as error:
        logger.info("sweep broken off, the broker is away", extra={"error": type(error).__name__})


@shared_task(ignore_result=True)
def run_job(*, job_id: int, epoch: int, **_from_newer_releases: Any) -> None:
    """Make the call of one job."""
    close_old_connections()
    try:
        job_run.run(JobClaim(job_id, epoch))
    except DatabaseError as error:
        logger.warning("job broken off", extra={"job": job_id, "error": str(error)})


@shared_task(ignore_result=True)
def forget_old(**_from_newer_releases: Any) -> None:
    """Delete what nobody can ask for any more: once an hour is enough."""
    close_old_connections()
    bulk_queries.forget_old()
    runs.forget_old()


def hand_out() -> int:
    """Send due cursors off in messages, as many as make sense now. Returns how many cursors."""
    handed_out = 0
    with current_app.producer_or_acquire() as producer:
        room = MOST_MESSAGES_WAITING - producer.channel.queue_declare(queue="polling", durable=True).message_count
        while room > 0:
            claims = schedule.claim(limit=min(CLAIMED_AT_ONCE, room * CLAIMS_PER_MESSAGE))
            messages = _messages(claims)
            for position, message in enumerate(messages):
                try:
                    poll.apply_async(kwargs={"claims": message}, producer=producer)
                except Exception:
                    schedule.release([Claim(*pair) for rest in messages[position:] for pair in rest])
                    raise
            handed_out += len(claims)
            room -= len(messages)
            if len(claims) < CLAIMED_AT_ONCE:
                break
    if handed_out:
        logger.info("polls handed out", extra={"cursors": handed_out})
    return handed_out


def _messages(claims: Sequence[Claim]) -> list[list[tuple[int, int]]]:
    """Few claims go one by one, so that the workers share them; many go in tens, which the broker carries faster."""
    size = max(1, min(CLAIMS_PER_MESSAGE, len(claims) // 50))
    # Side by side: the resources of one instance, which share a rate limit.
    pairs = sorted((claim.cursor_id, claim.epoch) for claim in claims)
    return [pairs[start : start + size] for start in range(0, len(pairs), size)]
