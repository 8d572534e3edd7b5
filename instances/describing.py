"""Words in which views say what they take and answer, for the OpenAPI document.

A view's code stays free of it: modules named `descriptions` (one per app and subject) call `describe` for their views,
and `config.openapi` turns what was said into the document. Schemas are JSON Schema, as plain dictionaries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rest_framework.views import APIView

Schema = Mapping[str, Any]
Verb = Literal["get", "post", "put", "patch", "delete"]
Credentials = Literal["none", "user", "token", "both", "bearer"]
"""`user`: User and Organization. `token`: User and Element. `both`: all three. `bearer`: the token of a login."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of a query or a header. Parameters of the path are described by their names alone."""

    name: str
    description: str
    schema: Schema
    place: Literal["query", "header"] = "query"
    is_required: bool = False
    example: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """One verb of one view. Errors that every path can answer are added by whoever writes the document."""

    summary: str
    """A sentence without a full stop, beginning with a verb: `List the instances`."""
    tag: str
    """The chapter: `Instances`, `Events`, `Notifications`, `Elements`, `Hub`, `Jobs`, `Bulk`, `Usage`, `Accounts`."""
    description: str = ""
    credentials: Credentials = "user"
    parameters: tuple[Parameter, ...] = ()
    body: Schema | None = None
    body_example: Any = None
    answer: Schema | None = None
    """Of 200. None: the answer has no body."""
    answer_example: Any = None
    answer_types: tuple[str, ...] = ("application/json",)
    errors: frozenset[int] = frozenset()
    """Statuses beside those that every call of this kind can answer."""
    answer_headers: Mapping[str, str] | None = None
    """Name and description of headers that this answer carries beside `Elements-Request-Id`."""


DESCRIPTIONS: dict[tuple[type[APIView], Verb], Described] = {}
PATHS: dict[tuple[str, Verb], Described | None] = {}
SCHEMAS: dict[str, Schema] = {}


def describe(view: type[APIView], **verbs: Described) -> None:
    """Say what a view does, by verb: `describe(InstancesView, get=Described(...), post=Described(...))`."""
    for verb, described in verbs.items():
        DESCRIPTIONS[view, verb] = described  # type: ignore[index]  # the keyword is one of the verbs


def describe_path(path: str, **verbs: Described | None) -> None:
    """The same for one path, as the document shows it: `describe_path("/hubs/{hub}/ping", get=Described(...))`.

    For paths that a view finds its own way through (a regular expression), and for a path on which a view does
    something else than on its others; wins over `describe`. None: the view has the verb, but not on this path.
    """
    for verb, described in verbs.items():
        PATHS[path, verb] = described  # type: ignore[index]  # the keyword is one of the verbs


def named(name: str, schema: Schema) -> Schema:
    """Keep a schema under a name of its own in the document, and refer to it: `named("Instance", {...})`."""
    SCHEMAS[name] = schema
    return {"$ref": f"#/components/schemas/{name}"}


# Words that many schemas are made of.
TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "integer"}
BOOLEAN: Schema = {"type": "boolean"}
TIMESTAMP: Schema = {"type": "string", "format": "date-time", "examples": ["2026-05-04T10:20:30Z"]}
"""ISO 8601 in UTC, whole seconds, with `Z`."""


def nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def list_of(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def record_of(*optional: str, **members: Schema) -> Schema:
    """An object with these members, all of them there but `optional`. Others may come besides."""
    return {
        "type": "object",
        "properties": members,
        "required": [name for name in members if name not in optional],
    }


# What a list says beside its rows: `answer_headers=PAGED`.
PAGED: Mapping[str, str] = {
    "Elements-Returned-Count": "Rows of this page",
    "Elements-Total-Count": "Rows of all pages together",
    "Elements-Next-Page-Token": "For the next page, as `nextPage`; absent on the last one",
    "Elements-Error": "What was passed over or clipped in the request; the answer is good all the same",
}


# Parameters that many lists take.
PAGE = Parameter(name="page", description="Which page, from 1", schema={"type": "integer", "minimum": 1})
PAGE_SIZE = Parameter(
    name="pageSize", description="Rows of a page; more than 1000 is clipped", schema={"type": "integer", "minimum": 1}
)
NEXT_PAGE = Parameter(
    name="nextPage",
    description="The `Elements-Next-Page-Token` of the page before; wins over `page`",
    schema={"type": "string"},
)
PAGING = (PAGE, PAGE_SIZE, NEXT_PAGE)
