"""Replays: deliveries begun again, many at once and at a rate."""

from __future__ import annotations

from events import replay_api
from events.models import Replay
from events.replay_requests import DEFAULT_RATE, HIGHEST_RATE, MOST_IDS, STATUSES
from events.replays import MOST_AT_ONCE
from instances.describing import (
    NUMBER,
    PAGED,
    PAGING,
    TEXT,
    TIMESTAMP,
    Described,
    describe,
    list_of,
    named,
    nullable,
    record_of,
)

TAG = "Notifications"

_IDS = {"type": "array", "items": {"type": ["integer", "string"]}, "minItems": 1, "maxItems": MOST_IDS}
_MOMENT = {
    "type": "string",
    "description": "Of the events, ISO 8601; in UTC unless it says otherwise; included to the end of its second",
}
_STATUSES = {
    "type": "array",
    "items": {"type": "string", "enum": list(STATUSES)},
    "minItems": 1,
    "description": "Of the deliveries; `delivered`, `queued` and `abandoned`, unless they are given",
}
_RATE = {"type": "integer", "minimum": 1, "maximum": HIGHEST_RATE, "description": "Deliveries per second"}
_SELECTORS = {
    "instanceId": {**NUMBER, "description": "Whose events"},
    "subscriptionId": NUMBER,
    "statuses": _STATUSES,
    "from": _MOMENT,
    "to": _MOMENT,
    "eventIds": _IDS,
    "deliveryIds": _IDS,
    "where": {**TEXT, "description": "`channel`, `status` and `config.url`, each `field='value'`, joined by `and`"},
}
_EXAMPLE = {"statuses": ["queued"], "from": "2026-05-04T10:00:00Z", "to": "2026-05-04T11:00:00Z", "rate": 50}

NEW_REPLAY = named(
    "NewReplay",
    record_of(
        *_SELECTORS,
        "rate",
        "reactivate",
        **_SELECTORS,
        rate={**_RATE, "default": DEFAULT_RATE},
        reactivate={"type": "boolean", "default": False, "description": "Make deactivated subscriptions active again"},
    ),
)
REPLAY = named(
    "Replay",
    record_of(
        id=NUMBER,
        state={"type": "string", "enum": list(Replay.STATES)},
        wanted=record_of(
            *(name for name in _SELECTORS if name != "statuses"),
            **{**_SELECTORS, "eventIds": list_of(NUMBER), "deliveryIds": list_of(NUMBER)},
        ),
        rate=_RATE,
        count={**NUMBER, "description": "Deliveries that matched when it was made"},
        bytes={**NUMBER, "description": "Of their notifications"},
        percent={"type": "integer", "minimum": 0, "maximum": 100, "description": "Begun or passed over, of `count`"},
        begun=NUMBER,
        passedOver={**NUMBER, "description": "Left alone, since their subscriptions are deactivated"},
        delivered={**NUMBER, "description": "Of those begun"},
        pending={**NUMBER, "description": "Of those begun: not sent yet, or tried again later"},
        queued={**NUMBER, "description": "Of those begun: failed, and kept until somebody asks"},
        createdDate=TIMESTAMP,
        finishedDate=nullable(TIMESTAMP),
    ),
)

describe(
    replay_api.ReplaysView,
    get=Described(
        summary="List the replays, newest first",
        tag=TAG,
        parameters=PAGING,
        answer=list_of(REPLAY),
        answer_headers=PAGED,
    ),
    post=Described(
        summary="Replay deliveries",
        description="Notifications are sent again as they were, with the same ids, each once, oldest first, beside "
        "those that come meanwhile. Everything that is given applies together; give at least one thing that says "
        f"which. What is on its way already is passed over. An account has at most {MOST_AT_ONCE} replays that are "
        "not over.",
        tag=TAG,
        body=NEW_REPLAY,
        body_example=_EXAMPLE,
        answer=REPLAY,
        errors=frozenset({404, 409}),
    ),
)
describe(
    replay_api.ReplayPreviewView,
    post=Described(
        summary="Preview a replay",
        description="Nothing is sent or kept.",
        tag=TAG,
        body=NEW_REPLAY,
        body_example=_EXAMPLE,
        answer=named(
            "ReplayPreview",
            record_of(
                count={**NUMBER, "description": "Deliveries"},
                bytes={**NUMBER, "description": "Of their notifications"},
                passedOver={**NUMBER, "description": "Of `count`: their subscriptions are deactivated"},
                firstEventDate=nullable(TIMESTAMP),
                lastEventDate=nullable(TIMESTAMP),
            ),
        ),
        errors=frozenset({404}),
    ),
)
describe(
    replay_api.ReplayView,
    get=Described(summary="Read a replay and how far it is", tag=TAG, answer=REPLAY),
    patch=Described(
        summary="Pause, resume or cancel a replay, or change its rate",
        description="409 for one that is over. What it has begun is sent all the same.",
        tag=TAG,
        body=named(
            "ReplayChange",
            record_of(
                "state",
                "rate",
                state={"type": "string", "enum": list(replay_api.CHANGES)},
                rate=_RATE,
            ),
        ),
        body_example={"state": "paused"},
        answer=REPLAY,
        errors=frozenset({409}),
    ),
)
