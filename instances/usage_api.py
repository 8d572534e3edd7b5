"""The calls of an organization over HTTP, newest first: a client that pages through them makes more of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from instances.authentication import NeedsUserAndOrganization, user_of
from instances.errors import InvalidRequest, NotFound
from instances.models import ApiCall
from instances.paging import page_of
from instances.serializers import timestamp

DEFAULT_PAGE_SIZE: Final = 100
LAST_YEAR: Final = 9000


class UsageView(APIView):
    """`from` and `to` count, both of them. Nothing found is 404, as clients expect."""

    permission_classes = (NeedsUserAndOrganization,)

    def get(self, request: Request) -> Response:
        calls = _own(request)
        since, until = _moment(request, "from"), _moment(request, "to")
        if since is not None and until is not None and until < since:
            raise InvalidRequest("to: it lies before from")
        if since is not None:
            calls = calls.filter(called_at__gte=since)
        if until is not None:
            # Moments are shown in whole seconds, so the whole second counts.
            calls = calls.filter(called_at__lt=until.replace(microsecond=0) + timedelta(seconds=1))
        page = page_of(
            calls, request, is_newest_first=True, default_size=DEFAULT_PAGE_SIZE, is_counted=False, offset="pageOffset"
        )
        if not page.rows:
            raise NotFound("There were no calls in this time; calls are shown a second after they were made")
        return page.response([call_object(one) for one in page.rows])


class CallView(APIView):
    permission_classes = (NeedsUserAndOrganization,)

    def get(self, request: Request, request_id: str) -> Response:
        call = None if "\x00" in request_id else _own(request).filter(request_id=request_id).first()
        if call is None:
            raise NotFound(
                f"There was no call {request_id[:40]}; its id is in the header Elements-Request-Id, and it is found a "
                "second after it was answered"
            )
        return Response(call_object(call))


def call_object(call: ApiCall) -> dict[str, Any]:
    return {
        "requestId": call.request_id,
        "createdDate": timestamp(call.called_at),
        "method": call.method,
        "path": call.path,
        "status": call.status,
        "duration": call.duration_ms,
        "userId": call.user_id,
        "elementInstanceId": call.instance_id,
        "elementKey": call.element_key or None,
    }


def _own(request: Request) -> QuerySet[ApiCall]:
    return ApiCall.objects.filter(organization=user_of(request).organization)


def _moment(request: Request, name: str) -> datetime | None:
    """A parameter that is a moment. Raises InvalidRequest."""
    text = request.query_params.get(name, "").strip()
    if not text:
        return None
    try:
        # A plus in a query that nobody encoded arrives as a blank.
        moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        return moment if moment.year < LAST_YEAR else datetime(LAST_YEAR, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError):
        raise InvalidRequest(f"{name}: send a moment such as 2026-05-04T10:20:30Z") from None
