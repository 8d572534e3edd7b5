"""Jobs over HTTP: polling, which every polled instance brings along, and calls of the hub that clients schedule."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from instances import audited_calls, permissions
from instances.api import number
from instances.authentication import NeedsAllThree, NeedsUserAndOrganization, instance_of, user_of
from instances.configuration import connection_of
from instances.errors import InvalidRequest, NotFound, NotPermitted
from instances.models import Instance, Organization, User
from instances.paging import DEFAULT_PAGE_SIZE, LARGEST_PAGE_SIZE, RowPage, page_of, whole_number
from polling import job_requests, jobs, poll_jobs
from polling.job_objects import CALL, POLL, cursor_object, job_object, poll_job_object, stopped_instance_object
from polling.models import Job, PollCursor

Key = tuple[int, int]
"""Names a job, and orders them: polling first, then calls, each by id."""
_KINDS = (POLL, CALL)


class JobsView(APIView):
    """GET and POST /jobs. A job calls the hub of an instance: whoever makes one sends its token."""

    def get_permissions(self) -> list[Any]:
        return [NeedsAllThree() if self.request.method == "POST" else NeedsUserAndOrganization()]

    def get(self, request: Request) -> Response:
        organization = _organization(request)
        keys = [(0, pk) for pk in poll_jobs.polled_instances(organization)]
        keys += [(1, pk) for pk in _jobs(organization).order_by("pk").values_list("pk", flat=True)]
        page = _page(keys, request)
        return page.response(_objects(page.rows, organization, request))

    def post(self, request: Request) -> Response:
        user = user_of(request)
        _check_role(user)
        instance = instance_of(request)
        if instance.is_disabled:
            raise NotPermitted("The instance is disabled; PUT /instances/{id}/enabled enables it")
        wanted = job_requests.parse(
            request.data,
            element=instance.element,
            transformations=connection_of(instance).transformations,
            now=timezone.now(),
        )
        job = jobs.create(instance=instance, user=user, wanted=wanted)
        detail = f"{job.method} {job.uri}, {job.cron}"
        audited_calls.note(request, "added a job", instance=instance, subject=f"job {job.pk}", detail=detail)
        return Response(job_object(job, shows_bodies=True))


class JobView(APIView):
    """GET and DELETE /jobs/{id}: `poll-<instance id>` or `job-<id>`."""

    permission_classes = (NeedsUserAndOrganization,)

    def get(self, request: Request, *, job_id: str) -> Response:
        organization = _organization(request)
        key = _key(job_id)
        if key[0] == 0 and not poll_jobs.cursors_of(organization).filter(instance=key[1]).exists():
            raise _unknown(job_id)
        if found := _objects([key], organization, request):
            return Response(found[0])
        raise _unknown(job_id)

    def delete(self, request: Request, *, job_id: str) -> Response:
        _check_role(user_of(request))
        organization = _organization(request)
        kind, pk = _key(job_id)
        if kind == 0:
            instance = Instance.objects.filter(pk=pk, organization=organization).first()
            is_gone = poll_jobs.stop(organization=organization, instance_id=pk)
        else:
            instance = Instance.objects.filter(jobs=pk, organization=organization).first()
            is_gone = _jobs(organization).filter(pk=pk).delete()[0] > 0
        if not is_gone:
            raise _unknown(job_id)
        subject = "" if kind == 0 else f"job {pk}"
        audited_calls.note(
            request, "stopped polling" if kind == 0 else "deleted a job", instance=instance, subject=subject
        )
        return Response()


class StoppedJobsView(APIView):
    """GET /jobs/polling-disabled: poll jobs that were stopped by what went wrong."""

    permission_classes = (NeedsUserAndOrganization,)

    def get(self, request: Request) -> Response:
        page = page_of(poll_jobs.stopped_instances(_organization(request)), request)
        cursors = poll_jobs.by_instance(row.pk for row in page.rows)
        return page.response([poll_job_object(cursors[row.pk]) for row in page.rows if row.pk in cursors])


class StoppedInstancesView(APIView):
    """GET /instances/polling-disabled."""

    permission_classes = (NeedsUserAndOrganization,)

    def get(self, request: Request) -> Response:
        page = page_of(poll_jobs.stopped_instances(_organization(request)), request)
        cursors = poll_jobs.by_instance(row.pk for row in page.rows)
        shows = permissions.may_see_secrets(user_of(request))
        return page.response(
            [stopped_instance_object(row, cursors.get(row.pk, []), shows_secrets=shows) for row in page.rows]
        )


class PollerRecordsView(APIView):
    """GET /instances/event-poller-records: one row per polled resource of the token's instance."""

    permission_classes = (NeedsAllThree,)

    def get(self, request: Request) -> Response:
        page = page_of(PollCursor.objects.filter(instance=instance_of(request)), request)
        return page.response([cursor_object(cursor) for cursor in page.rows])


def _organization(request: Request) -> Organization:
    organization = user_of(request).organization
    assert organization is not None
    return organization


def _check_role(user: User) -> None:
    if not permissions.may_operate(user):
        raise NotPermitted("Your role lets you look at jobs, not change them; ask an owner or an operator")


def _jobs(organization: Organization) -> Any:
    return Job.objects.filter(instance__organization=organization)


def _key(job_id: str) -> Key:
    kind, _, text = job_id.partition("-")
    if kind not in _KINDS or not (pk := number(text)):
        raise _unknown(job_id)
    return _KINDS.index(kind), pk


def _unknown(job_id: str) -> NotFound:
    return NotFound(f"There is no job {job_id[:40]}; GET /jobs lists them")


def _objects(keys: Any, organization: Organization, request: Request) -> list[dict[str, Any]]:
    """The jobs as they are shown, in this order; those that were deleted a moment ago are left out."""
    cursors = poll_jobs.by_instance(pk for kind, pk in keys if kind == 0)
    calls = _jobs(organization).in_bulk([pk for kind, pk in keys if kind == 1])
    shows = permissions.may_see_bodies(user_of(request))
    shown = []
    for kind, pk in keys:
        if kind == 0 and pk in cursors:
            shown.append(poll_job_object(cursors[pk]))
        elif kind == 1 and pk in calls:
            shown.append(job_object(calls[pk], shows_bodies=shows))
    return shown


def _page(keys: list[Key], request: Request) -> RowPage[Any]:
    """`page` and `pageSize`, or `nextPage`, over two kinds of rows."""
    asked_size = whole_number("pageSize", request.query_params.get("pageSize", ""), default=DEFAULT_PAGE_SIZE)
    size = min(asked_size, LARGEST_PAGE_SIZE)
    token = request.query_params.get("nextPage", "")
    if token in ("", "null", "undefined"):
        left = keys[(whole_number("page", request.query_params.get("page", ""), default=1) - 1) * size :]
    else:
        last_seen = _last_seen(token)
        left = [key for key in keys if key > last_seen]
    shown = left[:size]
    return RowPage(
        rows=shown,
        total_count=len(keys),
        next_page_token=_token(shown[-1]) if len(left) > size else None,
        warning=f"pageSize was clipped to {LARGEST_PAGE_SIZE}" if asked_size > size else "",
    )


def _token(last_seen: Key) -> str:
    return urlsafe_b64encode(f"{_KINDS[last_seen[0]]}-{last_seen[1]}".encode()).decode().rstrip("=")


def _last_seen(token: str) -> Key:
    try:
        return _key(urlsafe_b64decode(token[:100] + "=" * (-len(token) % 4)).decode("ascii"))
    except (ValueError, NotFound):
        raise InvalidRequest("nextPage: this token is not one of ours; take it from Elements-Next-Page-Token") from None
