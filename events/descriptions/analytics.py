"""Analytics: events counted by time, and how their notifications went."""

from __future__ import annotations

from events import analytics_api
from events.buckets import INTERVALS, MOST_BUCKETS
from instances.describing import (
    NUMBER,
    PAGED,
    PAGING,
    TEXT,
    TIMESTAMP,
    Described,
    Parameter,
    Schema,
    describe,
    list_of,
    named,
    record_of,
)

TAG = "Events"

_MOMENT = {"type": "string"}
_SPAN = (
    Parameter(
        name="from",
        description="ISO 8601; in UTC unless it says otherwise. A day before `to`, unless it is given",
        schema=_MOMENT,
        example="2026-05-04T10:00:00Z",
    ),
    Parameter(
        name="to",
        description="Likewise, included to the end of its second. Now, unless it is given",
        schema=_MOMENT,
        example="2026-05-04T11:00:00Z",
    ),
    Parameter(
        name="accountIds[]",
        description="Your own account's id, the only one you may ask for",
        schema={"type": "array", "items": {"type": "string"}},
    ),
)
_INTERVAL = Parameter(
    name="interval",
    description=f"How long a bucket is; chosen by the time between `from` and `to`, unless it is given. At most "
    f"{MOST_BUCKETS} buckets",
    schema={"type": "string", "enum": list(INTERVALS)},
    example="minute",
)


def _buckets(name: str, owner: str) -> Schema:
    record = record_of(
        **{owner: NUMBER},
        count=NUMBER,
        success={**NUMBER, "description": "Events that a receiver has taken"},
        failed={**NUMBER, "description": "Events that no receiver has taken, and where an attempt failed or waits"},
    )
    return list_of(
        named(name, record_of(timestamp=TIMESTAMP, total=NUMBER, count=NUMBER, records=list_of(record))),
    )


describe(
    analytics_api.CountsView,
    get=Described(
        summary="Count events by time",
        description="Every bucket is there, those without events with 0. They begin at full hours, days and so on, by "
        "UTC; the first and the last count only what lies between `from` and `to`.",
        tag=TAG,
        parameters=(*_SPAN, _INTERVAL),
        answer=list_of(named("EventCount", record_of(timestamp=TIMESTAMP, count=NUMBER))),
        answer_example=[{"timestamp": "2026-05-04T10:00:00Z", "count": 12}],
        errors=frozenset({403}),
    ),
)
describe(
    analytics_api.InstancesView,
    get=Described(
        summary="Count events by time and instance",
        tag=TAG,
        parameters=(*_SPAN, _INTERVAL),
        answer=_buckets("EventCountByInstance", "instanceId"),
        errors=frozenset({403}),
    ),
)
describe(
    analytics_api.AccountsView,
    get=Described(
        summary="Count events by time and account",
        tag=TAG,
        parameters=(*_SPAN, _INTERVAL),
        answer=_buckets("EventCountByAccount", "accountId"),
        errors=frozenset({403}),
    ),
)
describe(
    analytics_api.DispositionsView,
    get=Described(
        summary="List how the notifications of events went, newest first",
        description="A message for each attempt. Events of which nothing was tried yet are not listed.",
        tag=TAG,
        parameters=(*_SPAN, *PAGING),
        answer=list_of(
            named(
                "Disposition",
                record_of(eventId=TEXT, elementInstanceId=NUMBER, notificationData=list_of(record_of(message=TEXT))),
            )
        ),
        answer_headers=PAGED,
        errors=frozenset({403}),
    ),
)
