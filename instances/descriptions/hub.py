"""What the hub API tells about itself, the catalogue of hubs, and documents in Swagger."""

from __future__ import annotations

from instances.describing import (
    BOOLEAN,
    NUMBER,
    TEXT,
    TIMESTAMP,
    Described,
    Parameter,
    describe,
    list_of,
    named,
    record_of,
)
from instances.descriptions.catalogue import ELEMENT
from instances.hub_catalogue_api import (
    ElementDocsView,
    HubElementsView,
    HubKeysView,
    HubsView,
    InstanceDocsView,
    OAuthUrlView,
    OneHubView,
    TokenDocsView,
)
from instances.hub_introspection import ObjectDocsView, ObjectMetadataView, ObjectsView, PingView

HUB, ELEMENTS, INSTANCES = "Hub", "Elements", "Instances"
_INSTANCE_HEADER = {"Elements-Element-Instance-Id": "The instance that answered"}

OBJECT = named(
    "Object",
    record_of(
        name=TEXT,
        vendorName={"type": "string", "description": "Where it lies at the provider, or which resource it is made of"},
        type={
            "type": "string",
            "enum": ["ceCanonical", "vendor", "vdr"],
            "description": "A resource of the element, a collection of the provider's, or one of the instance's own",
        },
    ),
)
OBJECT_FIELD = named(
    "ObjectField",
    record_of(
        "path",
        "vendorMaxLength",
        type={"type": "string", "enum": ["string", "number", "boolean", "date", "object", "array"]},
        path={"type": "string", "description": "In an instance's own resources: what the field is called there"},
        vendorPath={"type": "string", "description": "Dotted where it lies inside another one"},
        vendorDisplayName=TEXT,
        vendorNativeType=TEXT,
        vendorRequired={"type": "boolean", "description": "When a record is created"},
        vendorReadOnly=BOOLEAN,
        vendorMaxLength=NUMBER,
        hidden=BOOLEAN,
        filterable={"type": "boolean", "description": "Whether `where` may name it"},
        createable=BOOLEAN,
        updateable=BOOLEAN,
        picklistValues={"type": "array", "items": {}},
        method=list_of(record_of(name=TEXT, request=BOOLEAN, response=BOOLEAN)),
    ),
)
SWAGGER = named(
    "SwaggerDocument",
    record_of(
        swagger={"type": "string", "enum": ["2.0"]},
        info={"type": "object"},
        basePath=TEXT,
        paths={"type": "object"},
        definitions={"type": "object"},
    ),
)
HUB_OBJECT = named(
    "Hub",
    record_of(
        "resources",
        "elements",
        key=TEXT,
        name=TEXT,
        description=TEXT,
        active=BOOLEAN,
        beta=BOOLEAN,
        resources=list_of(record_of(name=TEXT, path=TEXT, elements=list_of(TEXT))),
        elements=list_of(ELEMENT),
    ),
)

describe(
    ObjectsView,
    get=Described(
        summary="List the objects that the instance can be asked for",
        description="Answers for a disabled instance, too.",
        tag=HUB,
        credentials="token",
        parameters=(
            Parameter(
                name="Elements-Version",
                place="header",
                description="`Helium`: each object with where it comes from, instead of its name",
                schema={"type": "string"},
            ),
        ),
        answer={"anyOf": [list_of(TEXT), list_of(OBJECT)]},
        answer_example=["contacts", "incidents", "organizations"],
        answer_headers=_INSTANCE_HEADER,
    ),
)
describe(
    ObjectMetadataView,
    get=Described(
        summary="Describe the fields of an object",
        tag=HUB,
        credentials="token",
        parameters=(
            Parameter(
                name="customFieldsOnly",
                description="`true`: without the fields that the element declares",
                schema={"type": "string", "enum": ["true", "false"]},
            ),
        ),
        answer=record_of(fields=list_of(OBJECT_FIELD)),
        answer_headers=_INSTANCE_HEADER,
        errors=frozenset({403}),
    ),
)
describe(
    ObjectDocsView,
    get=Described(
        summary="Read the part of the Swagger document that is about one object",
        tag=HUB,
        credentials="token",
        answer=record_of(paths={"type": "object"}, definitions={"type": "object"}),
        answer_headers=_INSTANCE_HEADER,
        errors=frozenset({403}),
    ),
)
describe(
    PingView,
    get=Described(
        summary="Ask the provider whether the credentials are good",
        tag=HUB,
        credentials="token",
        answer=record_of(endpoint=TEXT, valid=BOOLEAN, dateTime=TIMESTAMP),
        answer_example={"endpoint": "connectwisecrmrest", "valid": True, "dateTime": "2026-05-04T10:20:30Z"},
        answer_headers=_INSTANCE_HEADER,
        errors=frozenset({400, 403, 429, 502}),
    ),
)
describe(
    HubsView,
    get=Described(
        summary="List the hubs",
        tag=ELEMENTS,
        credentials="none",
        parameters=(
            Parameter(
                name="hydrate",
                description="`true`: with the resources and elements of each",
                schema={"type": "string", "enum": ["true", "false"]},
            ),
        ),
        answer=list_of(HUB_OBJECT),
    ),
)
describe(
    HubKeysView,
    get=Described(
        summary="List the keys of the hubs",
        tag=ELEMENTS,
        credentials="none",
        answer=list_of(TEXT),
        answer_example=["crm", "helpdesk"],
    ),
)
describe(OneHubView, get=Described(summary="Read a hub", tag=ELEMENTS, credentials="none", answer=HUB_OBJECT))
describe(
    HubElementsView,
    get=Described(summary="List the elements of a hub", tag=ELEMENTS, credentials="none", answer=list_of(ELEMENT)),
)
describe(
    ElementDocsView,
    get=Described(
        summary="Describe the hub of an element in Swagger 2.0", tag=ELEMENTS, credentials="none", answer=SWAGGER
    ),
)
describe(
    InstanceDocsView,
    get=Described(
        summary="Describe the hub of an instance in Swagger 2.0, with its transformations",
        tag=INSTANCES,
        answer=SWAGGER,
    ),
)
describe(
    TokenDocsView,
    get=Described(
        summary="Describe the hub of the token's instance in Swagger 2.0, with its transformations",
        tag=INSTANCES,
        credentials="both",
        answer=SWAGGER,
    ),
)
_NO_OAUTH = "Elements that use OAuth would answer `{oauthUrl, element}`. None does: this is always 400."
describe(
    OAuthUrlView,
    get=Described(
        summary="Ask where people sign in for an element",
        description=_NO_OAUTH,
        tag=ELEMENTS,
        answer=record_of(oauthUrl=TEXT, element=TEXT),
        errors=frozenset({400}),
    ),
    post=Described(
        summary="Ask where people sign in for an element, with the application's keys in the body",
        description=_NO_OAUTH,
        tag=ELEMENTS,
        body={"type": "object"},
        body_example={"apiKey": "...", "apiSecret": "...", "callbackUrl": "https://app.example.com/signed-in"},
        answer=record_of(oauthUrl=TEXT, element=TEXT),
        errors=frozenset({400}),
    ),
)
