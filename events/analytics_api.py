"""Analytics over HTTP: how many events there were, bucket by bucket, and how their notifications went."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.db.models import Exists, OuterRef
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from events import analytics, buckets
from events.api import ApiView, organization_of
from events.models import DeliveryAttempt, Event
from instances.errors import NotPermitted
from instances.models import Organization
from instances.paging import page_of
from instances.serializers import timestamp


class CountsView(ApiView):
    """GET /instances/events/analytics?from=&to=&interval=&accountIds[]="""

    def get(self, request: Request) -> Response:
        counts = analytics.counts(_account(request), _buckets(request))
        return Response([{"timestamp": timestamp(start), "count": count} for start, count in counts])


class _TalliesView(ApiView):
    owner: analytics.Owner
    member: str

    def get(self, request: Request) -> Response:
        tallies = analytics.tallies(_account(request), _buckets(request), by=self.owner)
        return Response([self._bucket(timestamp(start), found) for start, found in tallies])

    def _bucket(self, start: str, tallies: list[analytics.Tally]) -> dict[str, Any]:
        total = sum(tally.count for tally in tallies)
        records = [
            {self.member: tally.owner_id, "count": tally.count, "success": tally.success, "failed": tally.failed}
            for tally in tallies
        ]
        # Clients were written against either of these names.
        return {"timestamp": start, "total": total, "count": total, "records": records}


class InstancesView(_TalliesView):
    """GET /instances/events/analytics/instances"""

    owner, member = "instance", "instanceId"


class AccountsView(_TalliesView):
    """GET /instances/events/analytics/accounts"""

    owner, member = "organization", "accountId"


class DispositionsView(ApiView):
    """GET /instances/events/dispositions: events of which something was sent, newest first, and how that went."""

    def get(self, request: Request) -> Response:
        span = _span(request)
        rows = Event.objects.filter(
            Exists(DeliveryAttempt.objects.filter(delivery__event=OuterRef("pk"))),
            instance__organization=_account(request),
            created_at__range=(span.begins_at, span.ends_at),
        )
        page = page_of(rows.exclude(source=Event.POSTED).defer("body"), request, is_newest_first=True)
        attempts = analytics.attempts_of(page.rows)
        return page.response([_disposition(event, attempts[event.pk]) for event in page.rows])


def _disposition(event: Event, attempts: list[DeliveryAttempt]) -> dict[str, Any]:
    return {
        "eventId": str(event.pk),
        "elementInstanceId": event.instance_id,
        "notificationData": [{"message": _message(event, attempt)} for attempt in attempts],
    }


def _message(event: Event, attempt: DeliveryAttempt) -> str:
    host = urlsplit(attempt.delivery.subscription.url).hostname or "its subscription"
    if not attempt.error_class:
        return f"Delivered event {event.pk} to {host}, attempt {attempt.number}"
    answer = f"HTTP {attempt.status}" if attempt.status else f"no answer ({attempt.error_class})"
    return f"Error delivering event {event.pk} to {host}, attempt {attempt.number}: {answer}"


def _span(request: Request) -> buckets.Span:
    query = request.query_params
    return buckets.span(begins=query.get("from", ""), ends=query.get("to", ""), now=timezone.now())


def _buckets(request: Request) -> buckets.Buckets:
    return buckets.cut(_span(request), interval=request.query_params.get("interval", ""))


def _account(request: Request) -> Organization:
    """The caller's own, which is the only one that may be asked for. Raises NotPermitted."""
    organization = organization_of(request)
    for name in ("accountIds[]", "accountIds"):
        for account_id in request.query_params.getlist(name):
            if account_id != str(organization.pk):
                raise NotPermitted(f"accountIds[]: {account_id[:40]} is not your account; yours is {organization.pk}")
    return organization
