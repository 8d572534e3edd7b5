"""Instances: by id, by token, and under their element."""

from __future__ import annotations

from dataclasses import replace

from instances import api
from instances.describing import (
    BOOLEAN,
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
    record_of,
)

TAG = "Instances"

# Defaults of the boolean entries are text in the catalogue, and booleans once they are configured.
_VALUE = {"description": "Text, a boolean, or the JSON of `event.poller.configuration`; secrets are masked"}

INSTANCE = named(
    "Instance",
    record_of(
        "eventsNotificationCallbackUrl",
        "registrationProblem",
        "invalidReason",
        "objects",
        id=NUMBER,
        name=TEXT,
        createdDate=TIMESTAMP,
        token={"type": "string", "description": "The secret behind `Element` in `Authorization`; masked for viewers"},
        element={"type": "object", "description": "As the catalogue has it, without `configuration`"},
        elementId=NUMBER,
        tags=list_of(TEXT),
        valid={
            "type": "boolean",
            "description": "False: the provider refused the credentials",
        },
        disabled=BOOLEAN,
        eventsEnabled=BOOLEAN,
        configuration={"type": "object", "additionalProperties": _VALUE},
        user=record_of(id=NUMBER, emailAddress=TEXT, firstName=TEXT, lastName=TEXT),
        eventsNotificationCallbackUrl=TEXT,
        registrationProblem={"type": "string", "description": "What keeps us from registering at the provider"},
        invalidReason=TEXT,
        objects={"type": "array", "items": {"type": "object"}, "description": "Where a create asks for them"},
    ),
)
SHORT_INSTANCE = named(
    "ShortInstance",
    record_of(
        id=NUMBER,
        name=TEXT,
        createdDate=TIMESTAMP,
        token=TEXT,
        element=record_of(id=NUMBER, key=TEXT, name=TEXT, hub=TEXT),
        elementId=NUMBER,
        tags=list_of(TEXT),
        valid=BOOLEAN,
        disabled=BOOLEAN,
    ),
)
ENTRY = named(
    "ConfigurationEntry",
    record_of(id=NUMBER, key=TEXT, name=TEXT, propertyValue=_VALUE, required=BOOLEAN, elementInstanceId=NUMBER),
)
_SENT = {
    "name": TEXT,
    "tags": list_of(TEXT),
    "configuration": {
        "type": "object",
        "description": "As `GET /elements/{keyOrId}/configuration` lists them. What is not sent stays as it is",
    },
}
_ELEMENT_NAMED = {
    "type": "object",
    "properties": {"key": TEXT, "id": NUMBER},
    "description": "By key or by id. Not needed under `/elements/{keyOrId}`",
}
NEW_INSTANCE = named(
    "NewInstance",
    {
        "type": "object",
        "properties": {
            "element": _ELEMENT_NAMED,
            **_SENT,
            "retrieveObjectsAfterInstantiation": {"type": "boolean", "description": "Whether `objects` come along"},
        },
        "required": ["name", "configuration"],
    },
)
CHANGED_INSTANCE = named(
    "ChangedInstance",
    {
        "type": "object",
        "description": "What is not sent stays, with PUT as with PATCH. A whole instance may be sent back: masked "
        "secrets in it change nothing.",
        "properties": _SENT,
    },
)
NEW_EXAMPLE = {
    "element": {"key": "connectwisecrmrest"},
    "name": "Acme PSA",
    "configuration": {
        "baseUrl": "https://api-na.myconnectwise.net/v4_6_release/apis/3.0",
        "company": "acme",
        "public.key": "the public key",
        "private.key": "the private key",
        "event.notification.enabled": False,
    },
}

_LIST = Described(
    summary="List the instances",
    description="404 when there is none. With `hydrate=false`, short ones.",
    tag=TAG,
    parameters=(
        Parameter(
            name="tags[]", description="Those with any of these tags", schema=list_of(TEXT), example=["production"]
        ),
        Parameter(name="searchText", description="Part of the name, or of the element's key", schema=TEXT),
        Parameter(
            name="hydrate",
            description="`false`: without configuration",
            schema={"type": "string", "enum": ["true", "false"]},
        ),
        *PAGING,
    ),
    answer=list_of({"anyOf": [INSTANCE, SHORT_INSTANCE]}),
    answer_headers=PAGED,
    errors=frozenset({404}),
)
_CREATE = Described(
    summary="Create an instance",
    description="The credentials are tried at the provider first; they are kept encrypted.",
    tag=TAG,
    body=NEW_INSTANCE,
    body_example=NEW_EXAMPLE,
    answer=INSTANCE,
    # Whatever the provider answers when the credentials are tried.
    errors=frozenset({404, 429, 502}),
)
_CHANGE = Described(
    summary="Change an instance",
    tag=TAG,
    body=CHANGED_INSTANCE,
    body_example={"name": "Acme PSA", "tags": ["production"]},
    answer=INSTANCE,
    errors=frozenset({404, 409, 429, 502}),
)
_READ = Described(summary="Read an instance", tag=TAG, answer=INSTANCE)
_DELETE = Described(
    summary="Delete an instance",
    description="With its events and what waits to be delivered. Its token is worth nothing from then on.",
    tag=TAG,
)
_ENABLE = Described(summary="Enable an instance", tag=TAG, answer=INSTANCE)
_DISABLE = Described(
    summary="Disable an instance",
    description="The hub API answers 403, and nothing is polled or delivered for it, until it is enabled again.",
    tag=TAG,
    answer=INSTANCE,
)
_ENTRIES = Described(summary="List the configuration of an instance", tag=TAG, answer=list_of(ENTRY))
_ENTRY = Described(summary="Read one entry of the configuration", tag=TAG, answer=ENTRY, errors=frozenset({404}))
_CHANGE_ENTRY = Described(
    summary="Change one entry of the configuration",
    tag=TAG,
    body=record_of(propertyValue=_VALUE),
    body_example={"propertyValue": "15"},
    answer=ENTRY,
    errors=frozenset({404, 409, 429, 502}),
)


def by_token(described: Described) -> Described:
    """The same of the instance of the token."""
    return replace(
        described, summary=described.summary.replace("an instance", "the instance of the token"), credentials="both"
    )


describe(api.InstancesView, get=_LIST, post=_CREATE, put=by_token(_CHANGE), patch=by_token(_CHANGE))
_UNDER = "/elements/{keyOrId}/instances"
describe_path(
    _UNDER,
    get=replace(
        _LIST, summary="List the instances of an element", description="With `hydrate=false`, short ones; [] if none."
    ),
    post=replace(
        _CREATE,
        summary="Create an instance of an element",
        body_example={name: value for name, value in NEW_EXAMPLE.items() if name != "element"},
    ),
    put=None,
    patch=None,
)
describe(api.InstanceView, get=_READ, put=_CHANGE, patch=_CHANGE, delete=_DELETE)
describe(api.EnabledView, put=_ENABLE, delete=_DISABLE)
describe(api.TokenEnabledView, put=by_token(_ENABLE), delete=by_token(_DISABLE))
describe(api.ConfigurationView, get=_ENTRIES)
describe(api.TokenConfigurationView, get=by_token(_ENTRIES))
describe(api.ConfigurationEntryView, get=_ENTRY, patch=_CHANGE_ENTRY)
describe(api.TokenConfigurationEntryView, get=by_token(_ENTRY), patch=by_token(_CHANGE_ENTRY))
describe(
    api.InstanceCountView,
    get=Described(
        summary="Count the instances by element",
        tag=TAG,
        answer=record_of(
            totalInstances=NUMBER,
            elementInstances=list_of(record_of(element=record_of(id=NUMBER, key=TEXT, name=TEXT), instances=NUMBER)),
        ),
        answer_example={
            "totalInstances": 3,
            "elementInstances": [
                {"element": {"id": 3012, "key": "connectwisecrmrest", "name": "ConnectWise REST"}, "instances": 3}
            ],
        },
    ),
)
