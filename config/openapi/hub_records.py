"""The hub API in the document: every resource of every element under its hub, with the schemas of its records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from config.openapi.operations import operation
from connectors import registry
from connectors.element import EVERYTHING, Element, FieldType, Operation, Resource
from instances.describing import PAGING, Described, Parameter, Schema

_TYPES: Mapping[FieldType, Schema] = {
    "text": {"type": ["string", "null"]},
    "number": {"type": ["number", "null"]},
    "boolean": {"type": ["boolean", "null"]},
    "datetime": {"type": ["string", "null"], "description": "ISO 8601 in UTC"},
    "milliseconds": {"type": ["integer", "null"], "description": "Milliseconds since 1970"},
    "reference": {"type": ["object", "null"], "description": "Another record, by its `id` or by its name"},
    "list": {"type": ["array", "null"], "items": {}},
}

LIST_PARAMETERS = (
    Parameter(
        name="where",
        description="Which records, in CEQL: `name='Acme' and lastUpdated>'2026-01-31T00:00:00Z'`",
        schema={"type": "string"},
    ),
    Parameter(
        name="orderBy", description="A field, and `desc` for the other way: `name desc`", schema={"type": "string"}
    ),
    Parameter(
        name="fields", description="Names of fields, with commas between; `id` comes along", schema={"type": "string"}
    ),
    Parameter(
        name="returnCount",
        description="`true`: count what the query finds, for `Elements-Total-Count`",
        schema={"type": "string", "enum": ["true", "false"]},
    ),
    *PAGING,
)
LIST_HEADERS = {
    "Elements-Returned-Count": "Records of this page",
    "Elements-Total-Count": "What the query finds altogether, where `returnCount` asks for it",
    "Elements-Next-Page-Token": "For the next page, as `nextPage`; absent on the last one",
    "Elements-Error": "What was passed over or clipped in the request; the answer is good all the same",
    "Elements-Element-Instance-Id": "The instance that answered",
}
_INSTANCE_HEADER = {"Elements-Element-Instance-Id": "The instance that answered"}
# Verb and place of each operation; a collection's path, or a record's.
_PLACES: Mapping[Operation, tuple[str, bool]] = {
    "list": ("get", False),
    "create": ("post", False),
    "get": ("get", True),
    "replace": ("put", True),
    "update": ("patch", True),
    "delete": ("delete", True),
}
_ANY_COLLECTION = (
    "`objectName` is a resource of the token's element, one that the instance has under a name of its own "
    "(a transformation), or a collection of the provider's, which is passed through as it is."
)
_SUMMARIES: Mapping[Operation, str] = {
    "list": "List {name}",
    "create": "Create one of {name}",
    "get": "Read one of {name}",
    "replace": "Replace one of {name}: fields that are not sent are emptied",
    "update": "Change fields of one of {name}; null empties one",
    "delete": "Delete one of {name}",
}


def add(*, paths: dict[str, Any], schemas: dict[str, Any]) -> None:
    """The resources of all elements. Where two elements share a hub and a name, either's records are meant."""
    for (hub, key), resources in _by_hub(registry.all_elements()).items():
        records = []
        for element, resource in resources:
            name = f"{element.key}.{resource.key.replace('/', '.')}"
            schemas[name] = record_schema(resource)
            records.append({"$ref": f"#/components/schemas/{name}"})
        record = records[0] if len(records) == 1 else {"anyOf": records}
        example = next((one.examples[key] for one, _ in resources if key in one.examples), None)
        for path, verb, described in _described(resources, record, tag=f"Hub {hub}", example=example):
            paths.setdefault(f"/hubs/{hub}/{path}", {})[verb] = operation(
                described, path=f"/hubs/{hub}/{path}", verb=verb
            )

    for path, verb, described in _passed_through():
        paths.setdefault(path, {})[verb] = operation(described, path=path, verb=verb)


def record_schema(resource: Resource) -> dict[str, Any]:
    """A record, from the resource's fields: dotted names lie inside one another."""
    schema: dict[str, Any] = {"type": "object", "properties": {}}
    for field in sorted(resource.fields, key=lambda one: one.name):
        *outer, name = field.name.split(".")
        place = schema
        for step in outer:
            place = place["properties"].setdefault(step, {})
            # A reference may itself be declared beside what lies inside it.
            place.setdefault("type", ["object", "null"])
            place.setdefault("properties", {})
        shown = dict(_TYPES[field.type])
        if field.longest is not None:
            shown["maxLength"] = field.longest
        if field.is_read_only:
            shown["readOnly"] = True
        place["properties"].setdefault(name, {}).update(shown)
    return schema


def _by_hub(elements: Iterable[Element]) -> dict[tuple[str, str], list[tuple[Element, Resource]]]:
    found: dict[tuple[str, str], list[tuple[Element, Resource]]] = {}
    for element in elements:
        for resource in element.resources:
            found.setdefault((element.hub, resource.key), []).append((element, resource))
    return found


def _described(
    elements: list[tuple[Element, Resource]], record: Schema, *, tag: str, example: Any
) -> Iterable[tuple[str, str, Described]]:
    """Path behind the hub's name, verb and description of all that can be done with a resource."""
    resources = [one for _, one in elements]
    resource = resources[0]
    collection = f"{resource.parent}/{{parentId}}/{resource.name}" if resource.parent else resource.name
    operations = frozenset().union(*(one.operations for one in resources))
    for name, (verb, is_record) in _PLACES.items():
        if name not in operations:
            continue
        described = _operation(name, resource, record, tag=tag, example=example)
        if name != "create":
            yield f"{collection}/{{recordId}}" if is_record else collection, verb, described
            continue
        for creating in sorted(frozenset().union(*(one.created_by for one in resources))):
            yield collection, creating.lower(), described


def _passed_through() -> Iterable[tuple[str, str, Described]]:
    """What any token may ask for: resources of whatever element, and collections of the provider's."""
    resource = Resource(name="records", path="", operations=EVERYTHING)
    for name, (verb, is_record) in _PLACES.items():
        path = "/hubs/{hub}/{objectName}" + ("/{recordId}" if is_record else "")
        described = _operation(name, resource, {"type": "object"}, tag="Hub")
        yield path, verb, replace(described, description=_ANY_COLLECTION, errors=frozenset({405}))


def _operation(name: Operation, resource: Resource, record: Schema, *, tag: str, example: Any = None) -> Described:
    is_written = name in ("create", "replace", "update")
    required = sorted(field.name for field in resource.fields if field.is_required)
    description = "Needed: " + ", ".join(f"`{one}`" for one in required) if name == "create" and required else ""
    return Described(
        summary=_SUMMARIES[name].format(name=resource.key.replace("/", " of ")),
        description=description,
        tag=tag,
        credentials="token",
        parameters=LIST_PARAMETERS if name == "list" else (),
        body=record if is_written else None,
        body_example=example if name in ("create", "replace") else None,
        answer={"type": "array", "items": record} if name == "list" else None if name == "delete" else record,
        answer_headers=LIST_HEADERS if name == "list" else _INSTANCE_HEADER,
    )
