"""What clients send to make a job, checked: a call of the hub API and the times at which to make it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from connectors import hub_paths
from connectors.element import Element, Operation
from connectors.errors import InvalidQuery, UnknownResource
from connectors.hub_paths import Target
from connectors.transformations import Transformation
from instances.errors import InvalidRequest
from polling import cron

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
LONGEST_NAME = 255
LONGEST_TEXT = 4_000
MOST_PARAMETERS = 50
_BASE_PATH = re.compile(r"^/?elements/api-v2(?=/)", re.IGNORECASE)
_HUB = re.compile(r"^/?hubs/[A-Za-z0-9_-]+/(?=.)")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """A job as it was asked for."""

    name: str
    description: str
    method: str
    uri: str
    """A path of the hub API as it was sent, without its query string."""
    query: Mapping[str, str] = field(repr=False)
    body: Mapping[str, Any] | None = field(repr=False)
    cron: str


def parse(
    sent: object, *, element: Element, transformations: Mapping[str, Transformation], now: datetime
) -> JobRequest:
    """Raises InvalidRequest naming the field, and what the hub says of the path."""
    if not isinstance(sent, dict):
        raise InvalidRequest("Send a JSON object with name, method, uri and trigger")
    method = _text(sent, "method", default="GET").upper()
    if method not in METHODS:
        raise InvalidRequest(f"method: send one of {', '.join(METHODS)}")
    uri, _, query_string = _text(sent, "uri").partition("?")
    query = _parameters(query_string)
    query |= _query(sent.get("query"))
    try:
        operation_of(hub_paths.locate(element, path_of(uri), transformations=transformations), method)
    except UnknownResource as error:
        raise InvalidRequest(f"uri: {error}") from error
    trigger = sent.get("trigger")
    expression = trigger.get("cron") if isinstance(trigger, dict) else None
    if not isinstance(expression, str) or not expression.strip():
        raise InvalidRequest('trigger: send {"cron": "0 0/15 * * * ?"}')
    cron.check(expression, now=now)
    return JobRequest(
        name=_text(sent, "name", default=f"{method} {uri}"[:LONGEST_NAME], longest=LONGEST_NAME),
        description=_text(sent, "description", default=""),
        method=method,
        uri=uri,
        query=query,
        body=_body(sent.get("body"), method),
        cron=" ".join(expression.split()),
    )


def operation_of(target: Target, method: str) -> Operation:
    """What a verb does with this path. Raises InvalidRequest where it cannot be done."""
    operation = {str(verb): what for verb, what in target.verbs().items()}.get(method)
    if operation is None:
        raise InvalidRequest(f"method: {method} cannot be used for {target.collection[:60]}")
    return operation


def path_of(uri: str) -> str:
    """The path behind the hub's name, of any form in which clients write one. Raises InvalidRequest."""
    path = _HUB.sub("", _BASE_PATH.sub("", uri.strip())).strip("/")
    if not path or "://" in path or path.partition("/")[0] == "hubs":
        raise InvalidRequest("uri: send a path such as /hubs/crm/contacts; a job calls the hub of its own instance")
    return path


def _parameters(query_string: str) -> dict[str, str]:
    try:
        return _checked(hub_paths.parse_query(query_string))
    except InvalidQuery as error:
        raise InvalidRequest(f"uri: {error}") from error


def _query(sent: object) -> dict[str, str]:
    if sent in (None, ""):
        return {}
    if not isinstance(sent, dict) or len(sent) > MOST_PARAMETERS:
        raise InvalidRequest(f"query: send a JSON object with {MOST_PARAMETERS} parameters at the most")
    if not all(isinstance(value, str | int | bool) for value in sent.values()):
        raise InvalidRequest("query: send parameters as text")
    return _checked({name: _parameter(value) for name, value in sent.items()})


def _parameter(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _checked(query: dict[str, str]) -> dict[str, str]:
    for name, value in query.items():
        if "\x00" in name + value:
            raise InvalidRequest("query: a NUL character cannot be stored")
        if len(value) > LONGEST_TEXT * 4:
            raise InvalidRequest(f"query: {name[:40]} is longer than {LONGEST_TEXT * 4} characters")
    return query


def _body(sent: object, method: str) -> dict[str, Any] | None:
    if sent in (None, "", {}) and method in ("GET", "DELETE"):
        return None
    if not isinstance(sent, dict):
        raise InvalidRequest(f"body: send a JSON object for {method}")
    return sent


def _text(sent: Mapping[str, Any], name: str, *, default: str | None = None, longest: int = LONGEST_TEXT) -> str:
    value = sent.get(name)
    if value in (None, "") and default is not None:
        return default
    if not isinstance(value, str) or not value.strip():
        raise InvalidRequest(f"{name} is missing; send text")
    if len(value) > longest:
        raise InvalidRequest(f"{name}: it is longer than {longest} characters")
    return value.strip()
