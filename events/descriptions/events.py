"""Events, and the settings that decide what becomes of failed deliveries."""

from __future__ import annotations

from dataclasses import replace

from events import api
from instances import account_settings, retry_schedules
from instances.describing import (
    PAGED,
    PAGING,
    TEXT,
    TIMESTAMP,
    Described,
    describe,
    describe_path,
    list_of,
    named,
    nullable,
    record_of,
)

EVENT = named(
    "Event",
    record_of(
        "notifiedData",
        "provenance",
        id={"type": "string", "description": "A text of digits"},
        eventDate=TIMESTAMP,
        status={
            "type": "string",
            "enum": ["CONSUMED", "NOTIFIED"],
            "description": "NOTIFIED once a receiver has taken it",
        },
        providerData={"type": "string", "description": "What the provider said, as JSON in a text; blank for viewers"},
        notifiedData={"type": "array", "items": {"type": "object"}, "description": "The notification, once delivered"},
        provenance={"description": "How each change was noticed; of a single event only"},
    ),
)
_POLICY = {
    "type": "string",
    "enum": ["retry", "queue"],
    "description": "`retry`: failed deliveries are tried again for days. `queue`: they wait until somebody "
    "asks for them (`PUT /notifications/subscriptions/deliveries`)",
}
_SCHEDULE_SAYS = (
    f"When failed deliveries are tried again: {', '.join(f'`{name}`' for name in retry_schedules.PRESETS)}, or seconds "
    "after the first failure, such as `10,60,600`. An instance may have its own"
)
_RETENTION_SAYS = "For how many days events are kept; null: as long as the platform keeps them"
_DAYS = {"type": "integer", "minimum": 1, "maximum": account_settings.LONGEST_RETENTION_DAYS}
_STEPS = {
    "type": "array",
    "items": {"type": "integer", "minimum": 1, "maximum": retry_schedules.LONGEST_SECONDS},
    "minItems": 1,
    "maxItems": retry_schedules.MOST_STEPS,
}
SETTINGS = named(
    "AccountSettings",
    record_of(
        **{
            account_settings.FAILURE_POLICY: _POLICY,
            account_settings.RETRY_SCHEDULE: {**TEXT, "description": _SCHEDULE_SAYS},
            account_settings.RETENTION_DAYS: {**nullable(TEXT), "description": _RETENTION_SAYS},
        }
    ),
)
NEW_SETTINGS = named(
    "NewAccountSettings",
    {
        "type": "object",
        "properties": {
            account_settings.FAILURE_POLICY: _POLICY,
            account_settings.RETRY_SCHEDULE: {"anyOf": [TEXT, _STEPS], "description": _SCHEDULE_SAYS},
            account_settings.RETENTION_DAYS: {"anyOf": [TEXT, _DAYS, {"type": "null"}], "description": _RETENTION_SAYS},
        },
        "additionalProperties": False,
    },
)
_SETTINGS_EXAMPLE = {
    account_settings.FAILURE_POLICY: "retry",
    account_settings.RETRY_SCHEDULE: "standard-webhooks",
    account_settings.RETENTION_DAYS: "90",
}

_LIST = Described(
    summary="List the events of an instance, newest first",
    tag="Events",
    parameters=PAGING,
    answer=list_of(EVENT),
    answer_headers=PAGED,
)
_READ = Described(summary="Read an event", tag="Events", answer=EVENT)
describe(api.InstanceEventsView, get=_LIST)
describe_path(
    "/instances/events",
    get=replace(_LIST, summary="List the events of the instance of the token, newest first", credentials="both"),
)
describe(api.EventView, get=_READ)

_CHANGE_SETTINGS = Described(
    summary="Change the settings of the account",
    description="For owners. What is not sent stays; null stands for the default.",
    tag="Accounts",
    body=NEW_SETTINGS,
    body_example=_SETTINGS_EXAMPLE,
    answer=SETTINGS,
    answer_example=_SETTINGS_EXAMPLE,
)
describe(
    api.AccountSettingsView,
    get=Described(
        summary="Read the settings of the account", tag="Accounts", answer=SETTINGS, answer_example=_SETTINGS_EXAMPLE
    ),
    patch=_CHANGE_SETTINGS,
    post=_CHANGE_SETTINGS,
)
