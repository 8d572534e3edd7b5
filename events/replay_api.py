"""Replays over HTTP: previewed, made, watched, paused, cancelled."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from rest_framework.request import Request
from rest_framework.response import Response

from events import replay_matches, replays
from events.api import ApiView, organization_of, shows_secrets
from events.models import Replay
from events.replay_requests import parse, parse_change
from events.replays import Outcomes
from instances import audited_calls
from instances.api import number
from instances.authentication import user_of
from instances.configuration import MASK
from instances.errors import NotFound
from instances.paging import page_of
from instances.serializers import timestamp

CHANGES = (Replay.PAUSED, Replay.RUNNING, Replay.CANCELLED)
"""States that somebody may ask for."""


class ReplaysView(ApiView):
    """GET and POST /replays."""

    def get(self, request: Request) -> Response:
        """Newest first."""
        page = page_of(Replay.objects.filter(organization=organization_of(request)), request, is_newest_first=True)
        outcomes = replays.outcomes(page.rows)
        shows = shows_secrets(request)
        rows = [_object(replay, outcomes[replay.pk], shows_secrets=shows) for replay in page.rows]
        return page.response(rows)

    def post(self, request: Request) -> Response:
        asked = parse(request.data)
        with transaction.atomic():
            replay = replays.create(user=user_of(request), organization=organization_of(request), asked=asked)
            detail = f"{replay.total} deliveries at {replay.rate} a second"
            audited_calls.note(request, "began a replay", subject=f"replay {replay.pk}", detail=detail)
        return _answer(request, replay)


class ReplayPreviewView(ApiView):
    """POST /replays/preview: what a replay would begin again. Nothing is changed."""

    def post(self, request: Request) -> Response:
        asked, organization = parse(request.data), organization_of(request)
        replay_matches.check_ids(organization, asked.wanted)
        found = replay_matches.preview(organization, asked.wanted)
        return Response(
            {
                "count": found.count,
                "bytes": found.bytes,
                "passedOver": 0 if asked.reactivates else found.deactivated,
                "firstEventDate": timestamp(found.first_event_at) if found.first_event_at else None,
                "lastEventDate": timestamp(found.last_event_at) if found.last_event_at else None,
            }
        )


class ReplayView(ApiView):
    """GET and PATCH /replays/{id}."""

    def get(self, request: Request, *, replay_id: str) -> Response:
        return _answer(request, _replay(request, replay_id))

    def patch(self, request: Request, *, replay_id: str) -> Response:
        replay = _replay(request, replay_id)
        asked = parse_change(request.data, states=CHANGES)
        with transaction.atomic():
            replay = replays.change(replay, asked)
            detail = f"{replay.state}, {replay.rate} a second"
            audited_calls.note(request, "changed a replay", subject=f"replay {replay.pk}", detail=detail)
        return _answer(request, replay)


def _replay(request: Request, replay_id: str) -> Replay:
    replay = Replay.objects.filter(pk=number(replay_id), organization=organization_of(request)).first()
    if replay is None:
        raise NotFound(f"There is no replay {replay_id[:40]}")
    return replay


def _answer(request: Request, replay: Replay) -> Response:
    outcomes = replays.outcomes([replay])[replay.pk]
    return Response(_object(replay, outcomes, shows_secrets=shows_secrets(request)))


def _object(replay: Replay, outcomes: Outcomes, *, shows_secrets: bool) -> dict[str, Any]:
    # A receiver's URL may stand in it, with its query string.
    is_secret = not shows_secrets and "?" in replay.wanted.get("where", "")
    return {
        "id": replay.pk,
        "state": replay.state,
        "wanted": replay.wanted | ({"where": MASK} if is_secret else {}),
        "rate": replay.rate,
        "count": replay.total,
        "bytes": replay.total_bytes,
        "percent": _percent(replay),
        "begun": replay.begun,
        "passedOver": replay.passed_over,
        "delivered": outcomes.delivered,
        "pending": outcomes.pending,
        "queued": outcomes.queued,
        "createdDate": timestamp(replay.created_at),
        "finishedDate": timestamp(replay.finished_at) if replay.finished_at else None,
    }


def _percent(replay: Replay) -> int:
    """How much of it has been begun or passed over. Some of it may have been delivered otherwise meanwhile."""
    if replay.state == Replay.FINISHED:
        return 100
    return min(99, 100 * (replay.begun + replay.passed_over) // replay.total) if replay.total else 0
