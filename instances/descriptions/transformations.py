"""Objects of an instance's own: definitions and transformations."""

from __future__ import annotations

from dataclasses import replace

from connectors.transformation_requests import MOST_FIELDS
from instances import transformations_api as api
from instances.describing import TEXT, Described, Schema, describe, named, record_of

TAG = "Instances"

_PATH: Schema = {"type": "string", "description": "Dotted, such as `name.first`"}
_DEFINED: Schema = {
    "type": "array",
    "maxItems": MOST_FIELDS,
    "items": record_of("type", path=_PATH, type={"type": "string", "description": "Such as `string` or `date`"}),
}
_MAPPED: Schema = {
    "type": "array",
    "minItems": 1,
    "maxItems": MOST_FIELDS,
    "items": record_of(
        path=_PATH, vendorPath={"type": "string", "description": "Where the resource has it, such as `company.id`"}
    ),
}
_VENDOR_NAME: Schema = {
    "type": "string",
    "description": "A resource of the hub, by its name there or by its path at the provider",
}

NEW_DEFINITION = named("NewDefinition", record_of(fields=_DEFINED))
DEFINITION = named("Definition", record_of(objectName=TEXT, level={"const": "instance"}, fields=_DEFINED))
NEW_TRANSFORMATION = named("NewTransformation", record_of(vendorName=_VENDOR_NAME, fields=_MAPPED))
TRANSFORMATION = named(
    "Transformation",
    record_of(objectName=TEXT, level={"const": "instance"}, vendorName=_VENDOR_NAME, fields=_MAPPED),
)
DEFINITION_EXAMPLE = {"fields": [{"path": "id", "type": "number"}, {"path": "name.first", "type": "string"}]}
TRANSFORMATION_EXAMPLE = {
    "vendorName": "contacts",
    "fields": [{"path": "id", "vendorPath": "id"}, {"path": "name.first", "vendorPath": "firstName"}],
}


def _by_name(schema: Schema) -> Schema:
    return {"type": "object", "description": "By the object's name", "additionalProperties": schema}


_LIST_DEFINITIONS = Described(
    summary="List the object definitions of an instance", tag=TAG, answer=_by_name(DEFINITION), errors=frozenset({404})
)
_LIST_TRANSFORMATIONS = Described(
    summary="List the transformations of an instance",
    tag=TAG,
    answer=_by_name(TRANSFORMATION),
    errors=frozenset({404}),
)
_READ_DEFINITION = Described(
    summary="Read an object definition of an instance", tag=TAG, answer=DEFINITION, errors=frozenset({404})
)
_CREATE_DEFINITION = Described(
    summary="Define an object of an instance",
    description="Which fields an object under a name of its own has. Its transformation may map these only.",
    tag=TAG,
    body=NEW_DEFINITION,
    body_example=DEFINITION_EXAMPLE,
    answer=DEFINITION,
    errors=frozenset({404, 409}),
)
_REPLACE_DEFINITION = replace(_CREATE_DEFINITION, summary="Replace an object definition of an instance", description="")
_DELETE_DEFINITION = Described(
    summary="Delete an object definition of an instance", tag=TAG, errors=frozenset({400, 404, 409})
)
_READ_TRANSFORMATION = Described(
    summary="Read a transformation of an instance", tag=TAG, answer=TRANSFORMATION, errors=frozenset({404})
)
_CREATE_TRANSFORMATION = Described(
    summary="Create a transformation of an instance",
    description="From then on the hub API and polls know the resource under this name, with these fields. It hides a "
    "resource of the same name.",
    tag=TAG,
    body=NEW_TRANSFORMATION,
    body_example=TRANSFORMATION_EXAMPLE,
    answer=TRANSFORMATION,
    errors=frozenset({404, 409}),
)
_REPLACE_TRANSFORMATION = replace(
    _CREATE_TRANSFORMATION,
    summary="Replace a transformation of an instance",
    description="409 while a poller reads it and it would become another one.",
)
_DELETE_TRANSFORMATION = Described(
    summary="Delete a transformation of an instance",
    description="409 while a poller reads it.",
    tag=TAG,
    errors=frozenset({400, 404, 409}),
)


def _by_token(described: Described) -> Described:
    summary = described.summary.replace("an instance", "the instance of the token")
    return replace(described, summary=summary, credentials="both")


describe(api.DefinitionsView, get=_LIST_DEFINITIONS)
describe(api.TokenDefinitionsView, get=_by_token(_LIST_DEFINITIONS))
describe(api.TransformationsView, get=_LIST_TRANSFORMATIONS)
describe(api.TokenTransformationsView, get=_by_token(_LIST_TRANSFORMATIONS))
describe(
    api.DefinitionView,
    get=_READ_DEFINITION,
    post=_CREATE_DEFINITION,
    put=_REPLACE_DEFINITION,
    delete=_DELETE_DEFINITION,
)
describe(
    api.TokenDefinitionView,
    get=_by_token(_READ_DEFINITION),
    post=_by_token(_CREATE_DEFINITION),
    put=_by_token(_REPLACE_DEFINITION),
    delete=_by_token(_DELETE_DEFINITION),
)
describe(
    api.TransformationView,
    get=_READ_TRANSFORMATION,
    post=_CREATE_TRANSFORMATION,
    put=_REPLACE_TRANSFORMATION,
    delete=_DELETE_TRANSFORMATION,
)
describe(
    api.TokenTransformationView,
    get=_by_token(_READ_TRANSFORMATION),
    post=_by_token(_CREATE_TRANSFORMATION),
    put=_by_token(_REPLACE_TRANSFORMATION),
    delete=_by_token(_DELETE_TRANSFORMATION),
)
