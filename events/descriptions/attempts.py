"""The tries of a delivery."""

from __future__ import annotations

from connectors.budgets import Budget
from events import attempts_api
from events.retries import ErrorClass
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

_FAILURES = [str(error_class) for error_class in ErrorClass if error_class != ErrorClass.NONE]
_BUDGETS = sorted({str(ErrorClass(one).budget) for one in _FAILURES})

ATTEMPT = named(
    "Attempt",
    record_of(
        "responseExcerpt",
        number={**NUMBER, "description": "Grows with each; numbers may be left out"},
        startedDate=TIMESTAMP,
        durationMs=NUMBER,
        status={**nullable(NUMBER), "description": "The HTTP status; null where there was no answer"},
        errorClass={**nullable({"type": "string", "enum": _FAILURES}), "description": "Null for a success"},
        budget={
            **nullable({"type": "string", "enum": _BUDGETS}),
            "description": f"Whom a failure is charged to. `{Budget.OWN}`: to us; the receiver loses no attempt by it",
        },
        error=nullable(TEXT),
        responseExcerpt={**TEXT, "description": "The first bytes of the answer; not for viewers"},
    ),
)

describe(
    attempts_api.AttemptsView,
    get=Described(
        summary="List the attempts of a delivery, oldest first",
        description="Every try to bring the notification to the subscription's URL.",
        tag="Notifications",
        parameters=PAGING,
        answer=list_of(ATTEMPT),
        answer_headers=PAGED,
    ),
)
