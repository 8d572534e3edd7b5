"""Events, and the settings that decide what becomes of failed deliveries."""

from __future__ import annotations

from dataclasses import replace

from events import api
from instances.describing import (
    PAGED,
    PAGING,
    TIMESTAMP,
    Described,
    describe,
    describe_path,
    list_of,
    named,
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
SETTINGS = named(
    "AccountSettings",
    {
        "type": "object",
        "properties": {
            "notification.webhook.failure.policy": {
                "type": "string",
                "enum": ["retry", "queue"],
                "description": "`retry`: failed deliveries are tried again for days. `queue`: they wait until somebody "
                "asks for them (`PUT /notifications/subscriptions/deliveries`)",
            }
        },
        "additionalProperties": False,
    },
)
_SETTINGS_EXAMPLE = {"notification.webhook.failure.policy": "queue"}

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
    description="For owners.",
    tag="Accounts",
    body=SETTINGS,
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
