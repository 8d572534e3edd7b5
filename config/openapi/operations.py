"""One operation of the document, from the description of a view's verb."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from drf_spectacular.openapi import AutoSchema

from config.openapi import responses
from instances.describing import DESCRIPTIONS, PATHS, Credentials, Described, Parameter

SECURITY: Mapping[Credentials, tuple[str, ...]] = {
    "none": (),
    "user": ("UserAndOrganization",),
    "token": ("UserAndElement",),
    "both": ("AllThree",),
    "bearer": ("Login",),
}

_PARAMETER = re.compile(r"\{(\w+)\}")
_WORD = re.compile(r"[A-Za-z0-9]+")

PARAMETER_DESCRIPTIONS: Mapping[str, str] = {
    "accountId": "The account's id, which is the organization's",
    "bulkId": "The id of a bulk download",
    "entryId": "The id of a configuration entry, from the list of entries",
    "eventId": "The event's id, a text of digits",
    "hub": "The hub's name, such as `crm`. Any name will do: the token chooses the element",
    "instanceId": "The instance's id",
    "jobId": "The job's id, such as `job-3` or `poll-7`",
    "keyOrId": "The element's key, such as `connectwisecrmrest`, or its id in the catalogue",
    "notificationId": "The notification's id, which is its event's",
    "objectName": "A collection: a resource of the element, or one of the provider's",
    "parentId": "The id of the record that these belong to",
    "recordId": "The record's id, as the provider has it",
    "subscriptionId": "The subscription's id",
}
"""By name. A parameter that is not here is shown by its name alone."""


class DescribedSchema(AutoSchema):
    """What drf-spectacular asks for an operation: all of it comes from the view's description."""

    def get_operation(
        self, path: str, path_regex: str, path_prefix: str, method: str, registry: Any
    ) -> dict[str, Any] | None:
        # A weak proxy stands for the view, which hides its class from `type`.
        described = described_of(self.view.__class__, path, method)
        return None if described is None else operation(described, path=path, verb=method)


def described_of(view: type, path: str, method: str) -> Described | None:
    """What was said of this verb on this path, None where nothing was or the path has not got it."""
    verb: Any = method.lower()
    if (path, verb) in PATHS:
        return PATHS[path, verb]
    return DESCRIPTIONS.get((view, verb))


def operation(described: Described, *, path: str, verb: str) -> dict[str, Any]:
    verb = verb.lower()
    built: dict[str, Any] = {
        "operationId": operation_id(path, verb),
        "summary": described.summary,
        "tags": [described.tag],
        "responses": {"200": _success(described)} | responses.references(_errors(described, path=path, verb=verb)),
        "security": [{name: []} for name in SECURITY[described.credentials]],
    }
    if described.description:
        built["description"] = described.description
    if parameters := [*_path_parameters(path), *map(_parameter, described.parameters)]:
        built["parameters"] = parameters
    if described.body is not None:
        content: dict[str, Any] = {"schema": described.body}
        if described.body_example is not None:
            content["example"] = described.body_example
        built["requestBody"] = {"content": {"application/json": content}, "required": True}
    return built


def operation_id(path: str, verb: str) -> str:
    """`getInstancesInstanceIdEvents`: the verb and every word of the path."""
    return verb + "".join(word[0].upper() + word[1:] for word in _WORD.findall(path))


def _errors(described: Described, *, path: str, verb: str) -> frozenset[int]:
    usual = responses.errors_of(
        verb=verb,
        credentials=described.credentials,
        has_path_parameters="{" in path,
        has_query=any(one.place == "query" for one in described.parameters),
        has_body=described.body is not None,
    )
    return usual | described.errors


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string"},
            **({"description": PARAMETER_DESCRIPTIONS[name]} if name in PARAMETER_DESCRIPTIONS else {}),
        }
        for name in _PARAMETER.findall(path)
    ]


def _parameter(parameter: Parameter) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.description,
        "schema": parameter.schema,
    }
    if parameter.is_required:
        shown["required"] = True
    if parameter.example is not None and parameter.is_required:
        shown["example"] = parameter.example
    elif parameter.example is not None:
        # Browsers of the document fill examples in, and send them: a filter that nobody asked for.
        values = parameter.example if isinstance(parameter.example, list) else [parameter.example]
        shown["description"] += "; for example " + ", ".join(f"`{value}`" for value in values)
    return shown


def _success(described: Described) -> dict[str, Any]:
    headers: dict[str, Any] = {"Elements-Request-Id": {"$ref": "#/components/headers/Elements-Request-Id"}}
    for name, description in (described.answer_headers or {}).items():
        headers[name] = {"description": description, "schema": {"type": "string"}}
    answer: dict[str, Any] = {"description": "Done", "headers": headers}
    if described.answer is not None:
        content: dict[str, Any] = {"schema": described.answer}
        if described.answer_example is not None:
            content["example"] = described.answer_example
        answer["content"] = dict.fromkeys(described.answer_types, content)
    return answer
