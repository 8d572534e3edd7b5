"""Bulk downloads."""

from __future__ import annotations

from instances.describing import (
    NUMBER,
    PAGED,
    PAGING,
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
from polling import bulk_api

TAG = "Bulk"

_STATUS = {"type": "string", "enum": ["CREATED", "RUNNING", "COMPLETED", "CANCELLED", "FAILED"]}
STATUS = named(
    "BulkQuery",
    record_of(
        id=NUMBER,
        status=_STATUS,
        objectName={**TEXT, "description": "The collection that is read"},
        recordsCount={**NUMBER, "description": "Read so far"},
        recordsFailedCount=NUMBER,
        recordsTotal=nullable({**NUMBER, "description": "How many there were when it began, where that is known"}),
        message={**TEXT, "description": "What is in the way, or why it failed"},
        createdDate=TIMESTAMP,
        finishedDate=nullable(TIMESTAMP),
    ),
)

describe(
    bulk_api.BulkQueryView,
    post=Described(
        summary="Start a bulk download",
        description='`q` may come in the body instead: `{"q": "select ..."}`.',
        tag=TAG,
        credentials="token",
        parameters=(
            Parameter(
                name="q",
                description="Which records: `select * | names from collection [where CEQL]`",
                schema={"type": "string"},
                is_required=True,
                example="select * from contacts where city = 'Tampa'",
            ),
            Parameter(
                name=bulk_api.CALLBACK_HEADER,
                description="Where to report the end, signed with the instance's key",
                schema={"type": "string", "format": "uri"},
                place="header",
            ),
        ),
        answer=record_of(id=NUMBER, status=_STATUS),
        answer_example={"id": 7, "status": "CREATED"},
        errors=frozenset({405, 409, 413, 415}),
    ),
)
describe(
    bulk_api.BulkJobsView,
    get=Described(
        summary="List the bulk downloads of the instance, newest first",
        tag=TAG,
        credentials="token",
        parameters=PAGING,
        answer=list_of(STATUS),
        answer_headers=PAGED,
    ),
)
describe(
    bulk_api.BulkStatusView,
    get=Described(
        summary="Say how far a bulk download is",
        tag=TAG,
        credentials="token",
        answer=STATUS,
        answer_example={
            "id": 7,
            "status": "RUNNING",
            "objectName": "contacts",
            "recordsCount": 2000,
            "recordsFailedCount": 0,
            "recordsTotal": 5210,
            "message": "",
            "createdDate": "2026-05-04T10:20:30Z",
            "finishedDate": None,
        },
    ),
)
describe(
    bulk_api.BulkErrorsView,
    get=Described(
        summary="Say why a bulk download failed",
        tag=TAG,
        credentials="token",
        answer=list_of(record_of(message=TEXT)),
        answer_example=[],
    ),
)
describe(
    bulk_api.BulkCancelView,
    put=Described(
        summary="Cancel a bulk download",
        tag=TAG,
        credentials="token",
        answer=STATUS,
        errors=frozenset({409}),
    ),
)
describe(
    bulk_api.BulkResultView,
    get=Described(
        summary="Read what a bulk download found",
        description="As an array, or as a table with a header row: `Accept` decides. 409 until it is complete.",
        tag=TAG,
        credentials="token",
        answer=list_of({"type": "object"}),
        answer_types=("application/json", bulk_api.CSV),
        answer_headers={"Elements-Returned-Count": "Records of the result"},
        errors=frozenset({409}),
    ),
)
