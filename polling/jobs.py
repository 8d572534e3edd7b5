"""The rows of jobs: what is asked for, when it is due, and how it fared.

A run is used up before its call is made. A process that dies in between leaves that run out: what a job writes is
never written twice, and the next run comes at its time.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from instances.errors import Conflict, NotFound
from instances.models import Instance, User
from polling import cron
from polling.job_requests import JobRequest
from polling.models import Job
from polling.schedule import LEASE, LostLease

logger = logging.getLogger(__name__)

MOST_JOBS = 100
"""Of one instance."""
NO_MORE = "Its expression names no further moment."
STOPPED = "Somebody stopped it."


@dataclass(frozen=True, slots=True)
class JobClaim:
    """The right to make one run of a job."""

    job_id: int
    epoch: int


def create(*, instance: Instance, user: User, wanted: JobRequest) -> Job:
    """Raises Conflict where the instance has too many, NotFound where it has gone meanwhile."""
    with transaction.atomic():
        if not Instance.objects.select_for_update(no_key=True, of=("self",)).filter(pk=instance.pk).exists():
            raise NotFound(f"There is no instance {instance.pk}")
        if Job.objects.filter(instance=instance).count() >= MOST_JOBS:
            raise Conflict(f"This instance has {MOST_JOBS} jobs; delete one before you make another")
        next_run_at = cron.next_run(wanted.cron, after=timezone.now())
        assert next_run_at is not None, "the request was checked"
        job = Job.objects.create(
            instance=instance,
            user=user,
            name=wanted.name,
            description=wanted.description,
            method=wanted.method,
            uri=wanted.uri,
            query=dict(wanted.query),
            body=None if wanted.body is None else dict(wanted.body),
            cron=wanted.cron,
            next_run_at=next_run_at,
        )
    logger.info("job created", extra={"job": job.pk, "instance": instance.pk})
    return job


def claim(*, limit: int) -> list[JobClaim]:
    """Take up to `limit` due jobs, the longest due first."""
    parameters: dict[str, Any] = {"limit": limit, "lease": LEASE, "viewer": User.VIEWER}
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, parameters)
        return [JobClaim(*row) for row in cursor.fetchall()]


def begin(claim: JobClaim) -> tuple[JobClaim, Job]:
    """Use up a claim, and with it the run: the job is next due at the time after this one.

    Raises LostLease, also where the call must not be made any more that could be when it was claimed.
    """
    rows = Job.objects.filter(_MAY_RUN, pk=claim.job_id, epoch=claim.epoch, is_active=True)
    job = rows.select_related("instance").first()
    if job is None:
        raise LostLease(claim)
    next_run_at = cron.next_run(job.cron, after=max(timezone.now(), job.next_run_at))
    changes: dict[str, Any] = {"next_run_at": next_run_at}
    if next_run_at is None:
        changes = {"is_active": False, "stopped_reason": NO_MORE}
    taken = Job.objects.filter(pk=claim.job_id, epoch=claim.epoch, is_active=True).update(
        epoch=F("epoch") + 1, leased_until=Now() + LEASE, last_run_at=Now(), **changes
    )
    if not taken:
        raise LostLease(claim)
    return JobClaim(claim.job_id, claim.epoch + 1), job


def succeeded(claim: JobClaim) -> None:
    _under(claim).update(leased_until=None, failures=0, last_status=Job.SUCCEEDED, last_error="", epoch=F("epoch") + 1)


def failed(claim: JobClaim, error: str) -> None:
    """The run came to nothing; the next one comes at its time, unless too many have failed in a row."""
    with transaction.atomic():
        job = _under(claim).select_for_update().first()
        if job is None:
            return
        job.failures, job.last_status, job.last_error = job.failures + 1, Job.FAILED, error
        job.leased_until, job.epoch = None, job.epoch + 1
        if job.is_active and job.failures >= settings.POLL_FAILURES_BEFORE_DISABLING:
            job.is_active = False
            job.stopped_reason = f"Stopped after {job.failures} runs failed in a row, the last one with: {error}"
            logger.warning("job stopped after too many failures", extra={"job": job.pk, "failures": job.failures})
        job.save(
            update_fields=[
                "failures",
                "last_status",
                "last_error",
                "leased_until",
                "epoch",
                "is_active",
                "stopped_reason",
            ]
        )


def stop(*, job_id: int) -> bool:
    """Run it no more until somebody starts it; a run that is under way ends as it ends. False: it was stopped."""
    rows = Job.objects.filter(pk=job_id, is_active=True)
    return rows.update(is_active=False, stopped_reason=STOPPED, failures=0) > 0


def start(*, job_id: int) -> bool:
    """Run it again at its times, whatever stopped it. Raises Conflict where there are none. False: nothing did."""
    with transaction.atomic():
        job = Job.objects.select_for_update().filter(pk=job_id, is_active=False).first()
        if job is None:
            return False
        next_run_at = cron.next_run(job.cron, after=timezone.now())
        if next_run_at is None:
            raise Conflict(NO_MORE)
        job.next_run_at, job.is_active, job.stopped_reason, job.failures = next_run_at, True, "", 0
        job.save(update_fields=["next_run_at", "is_active", "stopped_reason", "failures"])
    return True


def may_be_called(job: Job) -> bool:
    """Whether its user may make the call, as the hub API has it: viewers are shown no records."""
    user = job.user
    is_ours = user.is_active and user.organization_id == job.instance.organization_id
    return is_ours and user.role != User.VIEWER


def run_now(*, job_id: int, epoch: int) -> bool:
    """Make it due, besides its times. False where it is stopped, where a run is under way, and where one was made
    since somebody saw it under this epoch: who asks twice gets one run.
    """
    is_free = Q(leased_until=None) | Q(leased_until__lte=Now())
    return Job.objects.filter(is_free, pk=job_id, epoch=epoch, is_active=True).update(next_run_at=Now()) > 0


def resume(*, instance: Instance, **_signal: Any) -> None:
    """Receiver of `instance_configured`: what failures stopped goes on with the new configuration."""
    # The last run of one that somebody stopped meanwhile may have failed, too.
    stopped = Job.objects.filter(instance=instance, is_active=False, failures__gt=0)
    for job in stopped.exclude(stopped_reason__in=(NO_MORE, STOPPED)).select_for_update():
        next_run_at = cron.next_run(job.cron, after=timezone.now())
        if next_run_at is not None:
            job.next_run_at, job.is_active, job.stopped_reason, job.failures = next_run_at, True, "", 0
            job.save(update_fields=["next_run_at", "is_active", "stopped_reason", "failures"])


def _under(claim: JobClaim) -> Any:
    return Job.objects.filter(pk=claim.job_id, epoch=claim.epoch)


_MAY_RUN = Q(
    ~Q(user__role=User.VIEWER),
    instance__is_disabled=False,
    user__is_active=True,
    user__organization=F("instance__organization"),
)

# A job runs as long as its user may make the call. One that was due while it could not is late, and runs once.
_CLAIM = """
    WITH due AS MATERIALIZED (
        SELECT job.id FROM polling_job job
        JOIN instances_instance instance ON instance.id = job.instance_id AND NOT instance.is_disabled
        JOIN instances_user caller ON caller.id = job.user_id AND caller.is_active
            AND caller.organization_id = instance.organization_id
            AND caller.role <> %(viewer)s
        WHERE job.is_active AND job.next_run_at <= statement_timestamp()
            AND (job.leased_until IS NULL OR job.leased_until <= statement_timestamp())
        ORDER BY job.next_run_at, job.id LIMIT %(limit)s FOR UPDATE OF job SKIP LOCKED
    )
    UPDATE polling_job job SET leased_until = statement_timestamp() + %(lease)s, epoch = epoch + 1
    FROM due WHERE job.id = due.id
    RETURNING job.id, job.epoch"""
