"""The catalogue of elements."""

from __future__ import annotations

from instances.catalogue_api import (
    ElementConfigurationView,
    ElementKeysView,
    ElementMetadataView,
    ElementsMetadataView,
    ElementsView,
    ElementView,
)
from instances.describing import (
    BOOLEAN,
    NUMBER,
    TEXT,
    Described,
    Parameter,
    describe,
    list_of,
    named,
    record_of,
)

TAG = "Elements"

ENTRY = named(
    "CatalogueEntry",
    record_of(
        "defaultValue",
        id=NUMBER,
        key=TEXT,
        name=TEXT,
        description=TEXT,
        type={
            "type": "string",
            "description": "What a form shows for it: `PASSWORD`, `BOOLEAN`, ...",
        },
        defaultValue={"type": "string", "description": "Absent where there is none"},
        required=BOOLEAN,
        hideFromConsole=BOOLEAN,
        displayOrder=NUMBER,
        active=BOOLEAN,
        internal=BOOLEAN,
        resellerConfig=BOOLEAN,
        companyConfig=BOOLEAN,
        groupControl=BOOLEAN,
    ),
)
ELEMENT = named(
    "Element",
    record_of(
        "configuration",
        id=NUMBER,
        key=TEXT,
        name=TEXT,
        description=TEXT,
        hub={"type": "string", "description": "The family of elements with the same resources, such as `crm`"},
        active=BOOLEAN,
        image=TEXT,
        authentication={"type": "object"},
        transformationsEnabled=BOOLEAN,
        bulkDownloadEnabled=BOOLEAN,
        bulkUploadEnabled=BOOLEAN,
        typeOauth=BOOLEAN,
        configuration={**list_of(ENTRY), "description": "What an instance of it is configured by; in lists and alone"},
    ),
)
METADATA = named(
    "ElementMetadata",
    record_of(
        "resources",
        id=NUMBER,
        key=TEXT,
        name=TEXT,
        description=TEXT,
        events=record_of(
            "polling",
            supported=BOOLEAN,
            methods=list_of({"type": "string", "enum": ["polling", "webhook"]}),
            polling={"type": "object", "description": "The default `event.poller.configuration`"},
        ),
        resources={"type": "array", "items": {"type": "object"}, "description": "With `expand=true`"},
    ),
)

EXPAND = Parameter(
    name="expand",
    description="`true`: also what the element is made of",
    schema={"type": "string", "enum": ["true", "false"]},
)

describe(
    ElementsView,
    get=Described(summary="List the elements", tag=TAG, credentials="none", answer=list_of(ELEMENT)),
)
describe(
    ElementKeysView,
    get=Described(
        summary="List the keys of the elements",
        tag=TAG,
        credentials="none",
        answer=list_of(TEXT),
        answer_example=["connectwisecrmrest", "connectwisehd"],
    ),
)
describe(
    ElementsMetadataView,
    get=Described(
        summary="Tell what every element can do",
        tag=TAG,
        credentials="none",
        parameters=(EXPAND,),
        answer=list_of(METADATA),
    ),
)
describe(ElementView, get=Described(summary="Read an element", tag=TAG, credentials="none", answer=ELEMENT))
describe(
    ElementConfigurationView,
    get=Described(
        summary="List what an instance of an element is configured by",
        tag=TAG,
        credentials="none",
        answer=list_of(ENTRY),
    ),
)
describe(
    ElementMetadataView,
    get=Described(
        summary="Tell what an element can do", tag=TAG, credentials="none", parameters=(EXPAND,), answer=METADATA
    ),
)
