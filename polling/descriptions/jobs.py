"""Jobs, and what is polled."""

from __future__ import annotations

from instances.describing import (
    BOOLEAN,
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
from polling import jobs_api
from polling.job_requests import LONGEST_NAME, METHODS, MOST_PARAMETERS

TAG = "Jobs"

POLLED_RESOURCE = named(
    "PolledResource",
    record_of(
        id=NUMBER,
        elementInstanceId=NUMBER,
        objectName=TEXT,
        disabled=BOOLEAN,
        disabledReason={**TEXT, "description": "Blank while it is polled"},
        nextRunDate=nullable(TIMESTAMP),
        lastRunDate=nullable(TIMESTAMP),
        readUpToDate={**TIMESTAMP, "description": "By the provider's clock: changes up to here were noticed"},
        failures={**NUMBER, "description": "Consecutive ones"},
        lastError=TEXT,
    ),
)
_ONE_JOB = {
    "id": {**TEXT, "description": "`poll-` and the instance's id, or `job-` and a number"},
    "type": {"type": "string", "enum": ["poll", "job"]},
    "name": TEXT,
    "description": TEXT,
    "elementInstanceId": NUMBER,
    "disabled": BOOLEAN,
    "disabledReason": TEXT,
    "nextRunDate": nullable(TIMESTAMP),
    "lastRunDate": nullable(TIMESTAMP),
    "createdDate": TIMESTAMP,
    "trigger": record_of("cron", "intervalMinutes", cron=TEXT, intervalMinutes={"type": "number"}),
}
JOB = named(
    "Job",
    record_of(
        "resources",
        "method",
        "uri",
        "query",
        "body",
        "lastRunStatus",
        "lastError",
        "failures",
        **_ONE_JOB,
        resources=list_of(POLLED_RESOURCE),
        method=TEXT,
        uri=TEXT,
        query={"type": "object", "description": "Not for viewers, like the body"},
        body=nullable({"type": "object"}),
        lastRunStatus={"type": "string", "enum": ["", "succeeded", "failed"]},
        lastError=TEXT,
        failures=NUMBER,
    ),
)
NEW_JOB = named(
    "NewJob",
    record_of(
        "name",
        "description",
        "method",
        "query",
        "body",
        name={**TEXT, "maxLength": LONGEST_NAME},
        description=TEXT,
        method={"type": "string", "enum": list(METHODS), "default": "GET"},
        uri={**TEXT, "description": "A path of the hub API", "examples": ["/hubs/crm/contacts"]},
        query={
            "type": "object",
            "description": "Parameters of a list: where, fields, orderBy, page, pageSize",
            "additionalProperties": TEXT,
            "maxProperties": MOST_PARAMETERS,
        },
        body={"type": "object", "description": "Of a call that writes"},
        trigger=record_of(
            cron={
                **TEXT,
                "description": "Quartz: second minute hour day month weekday [year], in UTC; once a minute at the most",
            }
        ),
    ),
)
STOPPED_INSTANCE = named(
    "InstanceNotPolled",
    record_of(id=NUMBER, name=TEXT, pollingDisabled=list_of(POLLED_RESOURCE)),
)
_SENT = {
    "name": "Nightly contacts",
    "method": "GET",
    "uri": "/hubs/crm/contacts",
    "query": {"pageSize": "200"},
    "trigger": {"cron": "0 0 3 * * ?"},
}

describe(
    jobs_api.JobsView,
    get=Described(
        summary="List the jobs",
        description="One for every polled instance, then the calls that were scheduled.",
        tag=TAG,
        parameters=PAGING,
        answer=list_of(JOB),
        answer_headers=PAGED,
    ),
    post=Described(
        summary="Schedule a call of the hub",
        description="The token chooses the instance. What the call answers is not kept, and `headers` are passed over.",
        tag=TAG,
        credentials="both",
        body=NEW_JOB,
        body_example=_SENT,
        answer=JOB,
        answer_example={
            "id": "job-3",
            "type": "job",
            "description": "",
            "elementInstanceId": 7,
            **_SENT,
            "body": None,
            "disabled": False,
            "disabledReason": "",
            "nextRunDate": "2026-05-05T03:00:00Z",
            "lastRunDate": None,
            "lastRunStatus": "",
            "lastError": "",
            "failures": 0,
            "createdDate": "2026-05-04T10:20:30Z",
        },
        errors=frozenset({403, 409}),
    ),
)
describe(
    jobs_api.JobView,
    get=Described(summary="Read a job", tag=TAG, answer=JOB),
    delete=Described(
        summary="Delete a job",
        description="Of a poll job: polling stops, and goes on where it was once the configuration is changed.",
        tag=TAG,
    ),
)
describe(
    jobs_api.StoppedJobsView,
    get=Described(
        summary="List the poll jobs that went wrong",
        description="Those of which something was stopped by failures or refused credentials.",
        tag=TAG,
        parameters=PAGING,
        answer=list_of(JOB),
        answer_headers=PAGED,
    ),
)
describe(
    jobs_api.StoppedInstancesView,
    get=Described(
        summary="List the instances whose polling was stopped",
        tag=TAG,
        parameters=PAGING,
        answer=list_of(STOPPED_INSTANCE),
        answer_headers=PAGED,
    ),
)
describe(
    jobs_api.PollerRecordsView,
    get=Described(
        summary="List what is polled of the token's instance",
        tag=TAG,
        credentials="both",
        parameters=PAGING,
        answer=list_of(POLLED_RESOURCE),
        answer_headers=PAGED,
    ),
)
