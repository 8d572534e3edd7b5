"""Why somebody did, or did not, get a change."""

from __future__ import annotations

from dataclasses import replace

from events.descriptions.attempts import ATTEMPT
from events.models import Event
from events.where import STATUSES
from instances.describing import (
    NUMBER,
    TEXT,
    TIMESTAMP,
    Described,
    Parameter,
    describe,
    describe_path,
    list_of,
    named,
    nullable,
    record_of,
)
from polling import trace
from polling.trace_api import TraceView

DELIVERY = record_of(
    subscriptionId=NUMBER,
    host=TEXT,
    status={"type": "string", "enum": list(STATUSES)},
    detail=TEXT,
    nextAttemptDate=nullable(TIMESTAMP),
    attempts=list_of(ATTEMPT),
)
ENTRY = record_of(
    "eventId",
    "callbackId",
    "pollId",
    "deliveries",
    at=TIMESTAMP,
    source={"type": "string", "enum": [Event.POLL, Event.WEBHOOK]},
    decision={"type": "string", "enum": list(trace.KINDS)},
    detail={**TEXT, "description": "The same in words"},
    eventId=TEXT,
    callbackId=NUMBER,
    pollId=NUMBER,
    deliveries=list_of(DELIVERY),
)
TRACE = named(
    "Trace",
    record_of(
        instanceId=NUMBER,
        objectType=TEXT,
        objectId=TEXT,
        summary={**TEXT, "description": "What became of it last, and what is in the way"},
        keptSince={**TIMESTAMP, "description": "What is older may have been forgotten"},
        entries=list_of(ENTRY),
    ),
)

_OF_INSTANCE = Described(
    summary="Tell why a record did, or did not, become a notification",
    description=f"Everything that is known of it, the oldest first; the newest {trace.MOST_ENTRIES}.",
    tag="Events",
    parameters=(
        Parameter(
            name="objectType",
            description="In the hub's words, as in notifications",
            schema=TEXT,
            is_required=True,
            example="contacts",
        ),
        Parameter(name="objectId", description="The record's id", schema=TEXT, is_required=True, example="101"),
    ),
    answer=TRACE,
    errors=frozenset({400}),
)

describe(TraceView, get=_OF_INSTANCE)
describe_path(
    "/instances/trace",
    get=replace(_OF_INSTANCE, summary="Tell the same of a record of the token's instance", credentials="both"),
)
