"""The whole document."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson

from config.openapi import hub_records, responses
from config.openapi.paths import PREFIX, Generator, add_paths_described_by_hand
from instances.describing import SCHEMAS

APPS = ("instances", "events", "polling")

_TITLE = "Switchyard"
_DESCRIPTION = """\
A self-hosted connector instance platform that speaks the Cloud Elements / SAP Open Connectors API.

Every call but the catalogue's carries `Authorization` with the secrets that its path asks for, in any order:
`User <secret>, Organization <secret>[, Element <token>]`. *Authorize* has a field for each kind of path: type the
line as it is. One with all three is good in each of the first three fields.

Every success is 200. Every error is `{requestId, message, providerMessage?}`. Timestamps are UTC in whole seconds.
Trailing and double slashes are passed over. Paths under `/hubs/{hub}` are there without `/hubs/{hub}` as well."""

_SECURITY_SCHEMES = {
    "UserAndOrganization": ("The platform API", "User <userSecret>, Organization <organizationSecret>"),
    "UserAndElement": ("The hub API: the token chooses the instance", "User <userSecret>, Element <token>"),
    "AllThree": (
        "Paths of the platform API that choose the instance by its token",
        "User <userSecret>, Organization <organizationSecret>, Element <token>",
    ),
}


@dataclass(frozen=True, slots=True)
class Document:
    """The document, and which verbs of which paths nobody has described."""

    content: dict[str, Any]
    undescribed: tuple[str, ...]

    def served(self) -> bytes:
        return orjson.dumps(self.content)

    def committed(self) -> str:
        """As it lies in docs/openapi.json: line by line, so that a change can be read."""
        return orjson.dumps(self.content, option=orjson.OPT_INDENT_2).decode() + "\n"


@cache
def document() -> Document:
    _collect_descriptions()
    generator = Generator()
    paths = generator.get_schema(public=True)["paths"]  # type: ignore[no-untyped-call]
    add_paths_described_by_hand(paths=paths)
    schemas: dict[str, Any] = {"Error": responses.ERROR_SCHEMA}
    hub_records.add(paths=paths, schemas=schemas)
    schemas |= SCHEMAS
    content = {
        "openapi": "3.1.0",
        "info": {"title": _TITLE, "description": _DESCRIPTION, "version": "2"},
        "servers": [{"url": PREFIX}],
        "tags": [{"name": name} for name in sorted(_tags(paths))],
        "paths": {path: dict(sorted(paths[path].items())) for path in sorted(paths)},
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "responses": responses.components(),
            "headers": {"Elements-Request-Id": responses.REQUEST_ID_HEADER},
            "securitySchemes": _security_schemes(),
        },
    }
    return Document(_plain(content), tuple(generator.undescribed))


def _collect_descriptions() -> None:
    """Imports every `<app>/descriptions/<subject>.py`: each says its part when it is imported."""
    for app in APPS:
        if importlib.util.find_spec(f"{app}.descriptions") is None:
            continue
        package = importlib.import_module(f"{app}.descriptions")
        for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda found: found.name):
            importlib.import_module(f"{package.__name__}.{module.name}")


def _security_schemes() -> dict[str, Any]:
    schemes: dict[str, Any] = {
        name: {"type": "apiKey", "in": "header", "name": "Authorization", "description": f"{use}: `{value}`"}
        for name, (use, value) in _SECURITY_SCHEMES.items()
    }
    schemes["Login"] = {"type": "http", "scheme": "bearer", "description": "The token of `POST /authentication`"}
    return schemes


def _tags(paths: dict[str, Any]) -> set[str]:
    return {tag for verbs in paths.values() for operation in verbs.values() for tag in operation["tags"]}


def _plain(value: Any) -> Any:
    """Mappings as dictionaries and tuples as lists, at every depth."""
    return orjson.loads(orjson.dumps(value, default=dict))
