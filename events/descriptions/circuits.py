"""How receivers are doing."""

from __future__ import annotations

from events import circuits_api, transitions
from events.models import Circuit
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

CIRCUIT = named(
    "Circuit",
    record_of(
        subscriptionId=NUMBER,
        state={
            "type": "string",
            "enum": list(Circuit.STATES),
            "description": "`closed`: everything is sent; `open`: one notification now and then; `recovering`: slowly",
        },
        failures={"type": "integer", "description": "Since `failingSince`"},
        warnedPercent={"type": "integer", "description": "Of the way to deactivation, when the last warning was given"},
        failingSince=nullable(TIMESTAMP),
        openedAt=nullable(TIMESTAMP),
        nextProbeAt=nullable(TIMESTAMP),
        pausedUntil=nullable(TIMESTAMP),
    ),
)
TRANSITION = named(
    "Transition",
    record_of(
        id=NUMBER,
        kind={"type": "string", "enum": list(transitions.KINDS)},
        reason=TEXT,
        happenedDate=TIMESTAMP,
    ),
)

describe(
    circuits_api.CircuitView,
    get=Described(
        summary="Read how the receiver of a subscription is doing",
        description="A receiver that has not failed lately is `closed`, with nothing else to tell.",
        tag=TAG,
        answer=CIRCUIT,
    ),
)
describe(
    circuits_api.TransitionsView,
    get=Described(
        summary="List what happened to the receiver of a subscription",
        description="Newest first: left alone and trusted again, warnings, deactivation and reactivation.",
        tag=TAG,
        parameters=PAGING,
        answer=list_of(TRANSITION),
        answer_headers=PAGED,
    ),
)
