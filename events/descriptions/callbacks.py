"""What providers post, and what is registered there for it."""

from __future__ import annotations

from events.callbacks_api import CallbacksView, RegistrationsView
from events.models import Callback
from instances.describing import (
    NUMBER,
    PAGED,
    PAGING,
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

TAG = "Callbacks"

REGISTRATION = named(
    "Registration",
    record_of(
        type=TEXT,
        level=TEXT,
        objectId={"type": "string", "description": "Of what it is limited to; blank for all"},
        state=TEXT,
        providerId={"description": "The provider's id of it, null while it is not registered"},
        lastError=TEXT,
        registeredDate=nullable(TIMESTAMP),
        checkedDate=nullable(TIMESTAMP),
    ),
)
REGISTRATIONS = named(
    "Registrations",
    record_of(
        address={"type": ["string", "null"], "description": "Where the provider posts to; not for viewers"},
        registrations=list_of(REGISTRATION),
        problem={"type": "string", "description": "What keeps us from registering; blank if nothing does"},
        lastCheck=record_of(date=nullable(TIMESTAMP), error=TEXT),
        callbacks=record_of(
            waiting=NUMBER,
            parked=NUMBER,
            refused=NUMBER,
            lastRefusedReason=TEXT,
            lastRefusedDate=nullable(TIMESTAMP),
        ),
        suspectSince=nullable(TIMESTAMP),
        suspectReason=TEXT,
        provenance=record_of(
            byCallback=NUMBER, byBoth=NUMBER, byPollOnly=NUMBER, lossRate={"type": ["number", "null"]}
        ),
    ),
)
CALLBACK = named(
    "Callback",
    record_of(
        "body",
        id=NUMBER,
        state={"type": "string", "enum": list(Callback.STATES)},
        reason=TEXT,
        messageId={"type": ["string", "null"]},
        receivedDate=TIMESTAMP,
        attempts=NUMBER,
        body={"type": "string", "description": "Its first 4096 bytes; not for viewers"},
    ),
)

describe(
    RegistrationsView,
    get=Described(summary="Tell what is registered at the provider", tag=TAG, answer=REGISTRATIONS),
    put=Described(
        summary="Compare with the provider now, and mend",
        description="What takes longer than a few seconds goes on behind the answer.",
        tag=TAG,
        answer=REGISTRATIONS,
        errors=frozenset({400}),
    ),
)
describe(
    CallbacksView,
    get=Described(
        summary="List the callbacks that came, newest first",
        tag=TAG,
        parameters=(
            Parameter(
                name="state",
                description="Only those in this state",
                schema={"type": "string", "enum": list(Callback.STATES)},
            ),
            *PAGING,
        ),
        answer=list_of(CALLBACK),
        answer_headers=PAGED,
    ),
    put=Described(
        summary="Try parked callbacks again",
        tag=TAG,
        parameters=(
            Parameter(
                name="state",
                description=f"`{Callback.PARKED}`",
                schema={"type": "string", "enum": [Callback.PARKED]},
                is_required=True,
                example=Callback.PARKED,
            ),
        ),
        answer={"type": "object"},
        answer_headers={"Elements-Total-Count": "How many are tried again"},
    ),
)

_SIGNATURE = Parameter(
    name="x-content-signature",
    description="The provider's signature over the body; each element says in which header it is",
    schema=TEXT,
    place="header",
)
_INSTANCES = Parameter(
    name="Element-Instances",
    description="Ids of instances, with commas between, where the path does not name one",
    schema=TEXT,
    place="header",
)
_RECEIVE = Described(
    summary="Take in a provider's callback",
    description="It is stored and answered at once; what it means is worked out later. Nobody signs in here: the "
    "body's signature is checked. Without a token, an instance or the header, the body says whose it is.",
    tag=TAG,
    credentials="none",
    parameters=(_SIGNATURE, _INSTANCES),
    body={"description": "Whatever the provider sends"},
    body_example={"ID": "7", "Action": "updated", "Type": "ticket", "Entity": "{}"},
    answer={"type": "object"},
    answer_example={},
    errors=frozenset({404, 429}),
)
_HEARD = Described(
    summary="Take in a callback that says everything in its query",
    tag=TAG,
    credentials="none",
    parameters=(_INSTANCES,),
    answer={"type": "object"},
    answer_example={},
    errors=frozenset({404, 429}),
)
for _path in ("/events/{elementKey}", "/events/{elementKey}/{address}"):
    describe_path(_path, get=_HEARD, post=_RECEIVE)
