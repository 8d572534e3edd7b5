"""What can be done with a job on its page: run it now, stop and start it, delete it, look at what it sends."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect, render
from django.urls import reverse

from instances import audit
from instances.console.badges import badge
from instances.console.home import BAD, GOOD
from instances.console.lists import may_operate, may_see_bodies
from instances.console.page import instance_page
from instances.console.scope import scope_of
from instances.errors import Conflict
from polling import doorbell, jobs
from polling.models import Job


def state_of(job: Job) -> str:
    if not job.is_active:
        return "stopped"
    if job.instance.is_disabled or not jobs.may_be_called(job):
        return "waiting"
    return "failing" if job.failures else "active"


def status_badge(job: Job) -> str:
    """Of its last run."""
    if not job.last_status:
        return ""
    return badge(job.last_status, GOOD if job.last_status == Job.SUCCEEDED else BAD)


def show(request: HttpRequest, job: Job) -> HttpResponse:
    return instance_page(
        request,
        job.instance,
        "console/polling/job.html",
        tab="jobs",
        job=job,
        state=state_of(job),
        last_status=status_badge(job),
        may_be_called=jobs.may_be_called(job),
        may_operate=may_operate(request),
        sees_bodies=may_see_bodies(request),
        query=sorted(job.query.items()) if may_see_bodies(request) else [],
    )


def act(request: HttpRequest, pk: int, action: str) -> HttpResponse:
    job = _job_or_404(request, pk)
    if not may_operate(request):
        raise PermissionDenied
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    return _ACTIONS[action](request, job)


def _run(request: HttpRequest, job: Job) -> HttpResponse:
    if job.instance.is_disabled:
        messages.warning(request, "The instance is disabled: its jobs wait until it is enabled.")
    elif not jobs.may_be_called(job):
        messages.warning(request, f"It waits: {job.user.email} may not make the call any more.")
    elif not job.is_active:
        messages.warning(request, "It is stopped and stays so; start it first.")
    elif jobs.run_now(job_id=job.pk, epoch=_epoch(request)):
        _note(request, job, "asked for a run of a job")
        doorbell.ring(doorbell.JOBS)
        messages.success(request, "It runs now; reload this page to see how it went.")
    else:
        said = "A run is under way, or one was made since you opened the page."
        messages.warning(request, f"{said} See how it went, and ask again if it is to run once more.")
    return _back(job)


def _epoch(request: HttpRequest) -> int:
    """Of the job as the page showed it: a button that is pressed twice makes one run."""
    text = request.POST.get("epoch", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else -1


def _stop(request: HttpRequest, job: Job) -> HttpResponse:
    if jobs.stop(job_id=job.pk):
        _note(request, job, "stopped a job")
    messages.success(request, "It runs no more until somebody starts it.")
    return _back(job)


def _start(request: HttpRequest, job: Job) -> HttpResponse:
    try:
        if jobs.start(job_id=job.pk):
            _note(request, job, "started a job")
    except Conflict as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "It runs again at its times.")
    return _back(job)


def _delete(request: HttpRequest, job: Job) -> HttpResponse:
    _note(request, job, "deleted a job", detail=f"{job.method} {job.uri}, {job.cron}")
    Job.objects.filter(pk=job.pk).delete()
    messages.success(request, f"The job {job.name} is deleted.")
    return redirect(f"{reverse('admin:polling_job_changelist')}?instance={job.instance_id}")


def _body(request: HttpRequest, job: Job) -> HttpResponse:
    if not may_see_bodies(request):
        raise PermissionDenied
    _note(request, job, "looked at the body of a job")
    text = json.dumps(job.body, indent=2, ensure_ascii=False)
    return render(request, "console/polling/job_body.html", {"job": job, "text": text})


_ACTIONS: Final[dict[str, Callable[[HttpRequest, Job], HttpResponse]]] = {
    "run": _run,
    "stop": _stop,
    "start": _start,
    "remove": _delete,
    "body": _body,
}
ACTIONS: Final = tuple(_ACTIONS)


def _job_or_404(request: HttpRequest, pk: int) -> Job:
    rows: Any = Job.objects.filter(pk=pk).select_related("instance", "user")
    job: Job | None = scope_of(request).of(rows, "instance__organization").first()
    if job is None:
        raise Http404("There is no such job")
    return job


def _back(job: Job) -> HttpResponse:
    return redirect(reverse("admin:polling_job_change", args=[job.pk]))


def _note(request: HttpRequest, job: Job, action: str, *, detail: str = "") -> None:
    audit.note(
        who=request.user,
        action=action,
        through=audit.CONSOLE,
        organization_id=job.instance.organization_id,
        instance=job.instance,
        subject=f"job {job.pk}",
        detail=detail,
    )
