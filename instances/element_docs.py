"""The hub of an element, or of one instance with its own resources, as a Swagger 2.0 document. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.element import Element, Resource
from connectors.transformations import Transformation
from instances.operation_names import Named, Names
from instances.record_schemas import own_fields, record_schema, required_members

BASE_PATH = "/elements/api-v2/hubs"
_LIST_PARAMETERS = tuple(
    {"name": name, "in": "query", "required": False, "type": kind, "description": description}
    for name, kind, description in (
        ("where", "string", "Which records, in CEQL: name='Acme' and lastUpdated>'2026-01-31T00:00:00Z'"),
        ("orderBy", "string", "A field, and desc for the other way"),
        ("fields", "string", "Names of fields, with commas between"),
        ("page", "integer", "Which page, from 1"),
        ("pageSize", "integer", "Records of a page, 1000 at most"),
        ("nextPage", "string", "The Elements-Next-Page-Token of the page before"),
        ("returnCount", "boolean", "Whether to count, for Elements-Total-Count"),
    )
)
_ERRORS = {"400": "The request cannot be met", "401": "Not authenticated", "403": "Not permitted", "404": "Not found"}


_ERROR: Mapping[str, Any] = {
    "type": "object",
    "required": ["requestId", "message"],
    "properties": {name: {"type": "string"} for name in ("requestId", "message", "providerMessage")},
}


@dataclass(frozen=True, slots=True)
class _Described:
    """One verb of one path."""

    operation_id: str
    summary: str
    answer: Mapping[str, Any] | None
    parameters: tuple[Mapping[str, Any], ...] = ()


def swagger(element: Element, *, transformations: Mapping[str, Transformation] | None = None) -> dict[str, Any]:
    """Everything under the hub of the element."""
    paths: dict[str, Any] = {}
    definitions: dict[str, Any] = {"Error": _ERROR}
    names = Names()
    for resource in _shown(element, transformations or {}):
        _add(resource, None, paths=paths, definitions=definitions, names=names)
    for transformation in (transformations or {}).values():
        resource = element.resource(transformation.resource)
        _add(resource, transformation, paths=paths, definitions=definitions, names=names)
    return {
        "swagger": "2.0",
        "info": {"title": element.name, "description": element.description, "version": "api-v2"},
        "basePath": f"{BASE_PATH}/{element.hub}",
        "consumes": ["application/json"],
        "produces": ["application/json"],
        "securityDefinitions": {
            "Authorization": {
                "type": "apiKey",
                "name": "Authorization",
                "in": "header",
                "description": "User <secret>, Organization <secret>, Element <token>",
            }
        },
        "security": [{"Authorization": []}],
        "tags": [{"name": name} for name in sorted({_top(path) for path in paths})],
        "paths": paths,
        "definitions": dict(sorted(definitions.items())),
    }


def object_docs(
    element: Element, collection: str, *, transformations: Mapping[str, Transformation] | None = None
) -> dict[str, Any]:
    """The paths of one object with what belongs to it, and the definitions that they use."""
    document = swagger(element, transformations=transformations)
    paths = {path: one for path, one in document["paths"].items() if _top(path) == collection}
    used: dict[str, Any] = {}
    waiting = list(_references(paths))
    while waiting:
        if (name := waiting.pop()) not in used:
            used[name] = document["definitions"][name]
            waiting += _references(used[name])
    return {"paths": paths, "definitions": dict(sorted(used.items()))}


def _shown(element: Element, transformations: Mapping[str, Transformation]) -> list[Resource]:
    """What the instance has under a name of its own hides a resource, but not what belongs to its records."""
    return [one for one in element.resources if one.parent or one.name not in transformations]


def _add(
    resource: Resource,
    transformation: Transformation | None,
    *,
    paths: dict[str, Any],
    definitions: dict[str, Any],
    names: Names,
) -> None:
    fields = resource.fields if transformation is None else own_fields(transformation, resource)
    key = resource.key if transformation is None else transformation.name
    called = names.of(key)
    definitions[called.one] = record_schema(fields)
    created = called.one
    if "create" in resource.operations and (required := required_members(fields)):
        created = f"{called.one}Create"
        definitions[created] = {"allOf": [_reference(called.one), {"type": "object", "required": required}]}
    outer = [_in_path("id")] if "/" in key else []
    inner = "childId" if outer else "id"
    collection = "/" + key.replace("/", "/{id}/")
    for verb, is_record, described in _operations(resource, called, created):
        path = f"{collection}/{{{inner}}}" if is_record else collection
        in_path = [*outer, _in_path(inner)] if is_record else outer
        paths.setdefault(path, {})[verb] = _operation(described, in_path, tag=_top(collection))


def _operations(resource: Resource, called: Named, created: str) -> Iterator[tuple[str, bool, _Described]]:
    """Verb, whether it is one of a record, and what it does."""
    operations, key, record = resource.operations, resource.key, _reference(called.one)
    if "list" in operations:
        found = {"type": "array", "items": record}
        yield "get", False, _Described(f"get{called.many}", f"Find {key}", found, _LIST_PARAMETERS)
    for verb in sorted(resource.created_by) if "create" in operations else []:
        suffix = "ByPut" if verb == "PUT" and len(resource.created_by) > 1 else ""
        name = f"create{called.one}{suffix}"
        yield verb.lower(), False, _Described(name, f"Create one of {key}", record, (_in_body(created),))
    if "get" in operations:
        yield "get", True, _Described(f"get{called.one}ById", f"Read one of {key}", record)
    if "replace" in operations:
        summary = f"Replace one of {key}: fields that are not sent are emptied"
        yield "put", True, _Described(f"replace{called.one}ById", summary, record, (_in_body(called.one),))
    if "update" in operations:
        summary = f"Change fields of one of {key}; null empties one"
        yield "patch", True, _Described(f"update{called.one}ById", summary, record, (_in_body(called.one),))
    if "delete" in operations:
        yield "delete", True, _Described(f"delete{called.one}ById", f"Delete one of {key}", None)


def _operation(described: _Described, in_path: list[dict[str, Any]], *, tag: str) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": "Done"}
    if described.answer is not None:
        answer["schema"] = described.answer
    errors = {status: {"description": text, "schema": _reference("Error")} for status, text in _ERRORS.items()}
    return {
        "operationId": described.operation_id,
        "summary": described.summary,
        "tags": [tag],
        "parameters": [*in_path, *described.parameters],
        "responses": {"200": answer, **errors},
    }


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/definitions/{name}"}


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "type": "string"}


def _in_body(name: str) -> dict[str, Any]:
    return {"name": "body", "in": "body", "required": True, "schema": _reference(name)}


def _top(path: str) -> str:
    return path.split("/")[1]


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if isinstance(found := value.get("$ref"), str):
            yield found.removeprefix("#/definitions/")
        for child in value.values():
            yield from _references(child)
    elif isinstance(value, list):
        for child in value:
            yield from _references(child)
