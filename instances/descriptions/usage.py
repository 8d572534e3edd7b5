"""The calls of an organization."""

from __future__ import annotations

from instances import usage_api
from instances.describing import (
    NEXT_PAGE,
    NUMBER,
    PAGE,
    PAGE_SIZE,
    PAGED,
    TEXT,
    TIMESTAMP,
    Described,
    Parameter,
    describe,
    list_of,
    named,
    nullable,
    record_of,
)

TAG = "Usage"

CALL = named(
    "Call",
    record_of(
        requestId={"type": "string", "description": "As the header `Elements-Request-Id` of its answer said"},
        createdDate=TIMESTAMP,
        method=TEXT,
        path={"type": "string", "description": "Without its query string"},
        status=NUMBER,
        duration={"type": "integer", "description": "Milliseconds"},
        userId=NUMBER,
        elementInstanceId=nullable({"type": "integer", "description": "Of the token that came with the call"}),
        elementKey=nullable(TEXT),
    ),
)
_MOMENT = {"type": "string", "description": "ISO 8601; without an offset in UTC"}

describe(
    usage_api.UsageView,
    get=Described(
        summary="List the calls of the organization",
        description="Newest first, a second after they were made at the latest; 404 when there were none.",
        tag=TAG,
        parameters=(
            Parameter(name="from", description="The first moment that counts", schema=_MOMENT),
            Parameter(name="to", description="The last moment that counts", schema=_MOMENT),
            Parameter(
                name="pageOffset",
                description="Which page, from 0; `page` and `nextPage` win over it",
                schema={"type": "integer", "minimum": 0},
            ),
            PAGE,
            PAGE_SIZE,
            NEXT_PAGE,
        ),
        answer=list_of(CALL),
        answer_headers={name: text for name, text in PAGED.items() if name != "Elements-Total-Count"},
        errors=frozenset({404}),
    ),
)
describe(
    usage_api.CallView,
    get=Described(
        summary="Read one call",
        description="By its request id. Calls are found a second after they were answered.",
        tag=TAG,
        answer=CALL,
        errors=frozenset({404}),
    ),
)
