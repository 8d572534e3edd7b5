"""The document of the API says what the routes, the views and the elements say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from django.urls import resolve
from drf_spectacular import validation

from config.openapi import hub_records
from config.openapi.document import document
from config.openapi.paths import PREFIX
from connectors import registry
from connectors.element import Field, Resource
from instances.describing import DESCRIPTIONS, PATHS
from instances.hub_api import HubView
from tests.api_client import Api
from tests.factories import InstanceFactory

DOCUMENT = document().content
PAGE = "/elements/api-docs"


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, verbs in DOCUMENT["paths"].items():
        for verb, operation in verbs.items():
            yield path, verb, operation


def filled(path: str) -> str:
    return re.sub(r"\{\w+\}", "0", path)


def validator(schema: dict[str, Any]) -> Any:
    return jsonschema_rs.Draft202012Validator({**schema, "components": DOCUMENT["components"]})


def test_document_is_valid_openapi():
    specification = Path(validation.__file__).parent / "openapi_3_1_schema.json"

    jsonschema_rs.validator_for(orjson.loads(specification.read_bytes())).validate(DOCUMENT)


def test_every_verb_of_every_route_is_described():
    assert document().undescribed == ()


def test_nothing_is_described_that_is_not_there():
    shown = {described for _, _, described in operations_with_summaries()}
    forgotten = {
        f"{view.__qualname__} {verb}" for (view, verb), one in DESCRIPTIONS.items() if one.summary not in shown
    }
    assert forgotten == set()


def operations_with_summaries() -> Iterator[tuple[str, str, str]]:
    return ((path, verb, operation["summary"]) for path, verb, operation in operations())


def test_every_path_that_is_described_by_hand_leads_to_a_view_with_that_verb():
    wrong = set()
    for (path, verb), described in PATHS.items():
        view = getattr(resolve(PREFIX + filled(path)).func, "view_class", None)
        if described is not None and view is not None and (view is HubView or not hasattr(view, verb)):
            wrong.add(f"{verb} {path} leads to {view.__qualname__}")
    assert wrong == set()


def test_every_operation_has_a_name_of_its_own():
    names = [operation["operationId"] for _, _, operation in operations()]
    assert sorted(names) == sorted(set(names))


def test_every_reference_leads_somewhere():
    def references(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                yield node["$ref"]
            for member in node.values():
                yield from references(member)
        elif isinstance(node, list):
            for item in node:
                yield from references(item)

    missing = set()
    for reference in set(references(DOCUMENT)):
        place: Any = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            place = place.get(step, {})
        if not place:
            missing.add(reference)
    assert missing == set()


def test_every_example_fits_its_schema():
    wrong = set()
    for path, verb, operation in operations():
        contents = [operation.get("requestBody", {}), operation["responses"]["200"]]
        for one in (kind for content in contents for kind in content.get("content", {}).values()):
            if "example" in one and (error := next(validator(one["schema"]).iter_errors(one["example"]), None)):
                wrong.add(f"{verb} {path}: {error.message}")
    assert wrong == set()


def test_trying_a_call_sends_no_filter_that_nobody_typed():
    """Swagger UI fills the examples of parameters in: `GET /instances` would find nothing."""
    filled_in = {
        f"{verb} {path}: {parameter['name']}"
        for path, verb, operation in operations()
        for parameter in operation.get("parameters", ())
        if "example" in parameter and not parameter.get("required")
    }
    assert filled_in == set()


def test_every_path_asks_for_the_credentials_that_it_names(owner):
    """And for no others: where a token is not named, none is needed to get past the door."""
    nobody, without_token = Api(None), Api(owner)
    with_token = without_token.through(InstanceFactory.create(user=owner, is_disabled=True))
    wrong = set()
    for path, verb, operation in operations():
        schemes = {name for scheme in operation["security"] for name in scheme}
        callers = {
            "nobody": (nobody, bool(schemes)),
            "user": (without_token, bool(schemes & {"UserAndElement", "AllThree", "Login"})),
            "token": (with_token, bool(schemes & {"Login"})),
        }
        for name, (caller, is_refused) in callers.items():
            if name == "token" and not schemes & {"UserAndElement", "AllThree"}:
                continue
            body: Any = {} if verb in ("post", "put", "patch") else None
            answer = caller.call(verb.upper(), filled(path), body)
            if (answer.status_code == 401) != is_refused and path != "/authentication":
                wrong.add(f"{verb} {path} answers {name} {answer.status_code}")
    assert wrong == set()


def test_every_resource_of_every_element_is_there():
    for element in registry.all_elements():
        for resource in element.resources:
            place = f"{resource.parent}/{{parentId}}/{resource.name}" if resource.parent else resource.name
            collection = DOCUMENT["paths"].get(f"/hubs/{element.hub}/{place}", {})
            record = DOCUMENT["paths"].get(f"/hubs/{element.hub}/{place}/{{recordId}}", {})
            assert ("get" in collection) >= ("list" in resource.operations), resource.key
            for verb, operation in {"get": "get", "put": "replace", "patch": "update", "delete": "delete"}.items():
                assert (verb in record) >= (operation in resource.operations), resource.key


def test_dotted_fields_lie_inside_one_another():
    resource = Resource(
        name="things",
        path="/things",
        fields=(
            Field(name="id", type="number", is_read_only=True),
            Field(name="company", type="reference"),
            Field(name="company.name", longest=50),
        ),
    )

    properties = hub_records.record_schema(resource)["properties"]

    assert properties["id"] == {"type": ["number", "null"], "readOnly": True}
    assert properties["company"]["type"] == ["object", "null"]
    assert properties["company"]["properties"]["name"] == {"type": ["string", "null"], "maxLength": 50}


def test_document_is_served_to_anybody():
    answer = Client().get(f"{PAGE}/openapi.json")

    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/json"
    assert answer.json() == DOCUMENT


@pytest.mark.parametrize("path", [PAGE, f"{PAGE}/"])
def test_page_needs_no_network_and_runs_no_script_of_its_own(path):
    answer = Client().get(path)
    html = answer.content.decode()

    assert answer.status_code == 200
    assert answer["X-Frame-Options"] == "DENY"
    assert "default-src 'self'" in answer["Content-Security-Policy"]
    assert re.findall(r"<script(?![^>]* src=)", html) == []
    loaded = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert f"{PAGE}/openapi.json" in loaded
    for address in loaded:
        assert address.startswith("/elements/") or finders.find(address.removeprefix("/static/")), address


def test_page_is_read_only():
    assert Client().post(PAGE).status_code == 405
