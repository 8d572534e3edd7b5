from __future__ import annotations

import re
from collections import Counter
from typing import Any

import jsonschema_rs
import pytest
from schemathesis.specs.openapi.definitions import SWAGGER_20

from connectors import registry
from connectors.hub_paths import locate
from connectors.transformations import FieldMapping, Transformation
from instances.element_docs import object_docs, swagger
from instances.object_metadata import object_metadata
from tests.api_client import Api
from tests.factories import InstanceFactory

ANYBODY = Api(None)
ELEMENTS = registry.all_elements()
every_element = pytest.mark.parametrize("element", ELEMENTS, ids=lambda element: element.key)
PEOPLE = {
    "people": Transformation(
        name="people",
        resource="contacts",
        fields=(FieldMapping("number", "id"), FieldMapping("called.first", "firstName")),
    ),
    "contactById": Transformation(name="contactById", resource="contacts", fields=(FieldMapping("id", "id"),)),
}


def operations_of(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, verb, one) for path, verbs in document["paths"].items() for verb, one in verbs.items()]


def references(value: Any) -> set[str]:
    return set(re.findall(r"'#/definitions/(\w+)'", str(value)))


@every_element
@pytest.mark.parametrize("transformations", [{}, PEOPLE], ids=["plain", "transformed"])
def test_document_holds_together(element, transformations):
    document = swagger(element, transformations=transformations)
    operations = operations_of(document)
    jsonschema_rs.validator_for(SWAGGER_20).validate(document)

    assert (document["swagger"], document["basePath"]) == ("2.0", f"/elements/api-v2/hubs/{element.hub}")
    assert max(Counter(one["operationId"] for _, _, one in operations).values()) == 1
    assert references(document) <= set(document["definitions"])
    for path, verb, one in operations:
        in_path = [each["name"] for each in one["parameters"] if each["in"] == "path"]
        assert in_path == re.findall(r"\{(\w+)\}", path), (verb, path)
        assert len(set(in_path)) == len(in_path)
        assert sum(each["in"] == "body" for each in one["parameters"]) == (verb in ("post", "put", "patch"))
        assert all(
            each["type"] in ("string", "integer", "boolean") for each in one["parameters"] if each["in"] != "body"
        )
        assert all(answer["description"] for answer in one["responses"].values())


@every_element
def test_document_has_what_the_element_declares_and_nothing_else(element):
    paths = swagger(element)["paths"]

    for resource in element.resources:
        collection = f"/{resource.key.replace('/', '/{id}/')}"
        record = collection + ("/{childId}" if resource.parent else "/{id}")
        assert ("get" in paths.get(collection, {})) == ("list" in resource.operations)
        assert ("delete" in paths.get(record, {})) == ("delete" in resource.operations)
    assert len({path.split("/")[1] for path in paths}) == len({one.key.split("/")[0] for one in element.resources})


def test_own_resources_of_an_instance_are_described_with_their_own_fields():
    document = swagger(registry.element("connectwisecrmrest"), transformations=PEOPLE)

    assert document["definitions"]["People"]["properties"] == {
        "called": {"type": "object", "properties": {"first": {"type": "string", "maxLength": 30}}},
        "number": {"type": "number", "readOnly": True},
    }
    assert "/people/{id}" in document["paths"]


def test_own_resource_hides_the_one_of_its_name():
    contacts = Transformation(name="contacts", resource="organizations", fields=(FieldMapping("id", "id"),))

    document = swagger(registry.element("connectwisecrmrest"), transformations={"contacts": contacts})

    assert set(document["definitions"]["Contact"]["properties"]) == {"id"}


@every_element
def test_docs_of_one_object_stand_for_themselves(element):
    part = object_docs(element, "incidents")

    assert {"/incidents", "/incidents/{id}", "/incidents/{id}/comments"} <= set(part["paths"])
    assert all(path.split("/")[1] == "incidents" for path in part["paths"])
    assert references(part) == set(part["definitions"])


# Over HTTP


@every_element
def test_documents_are_found_by_element_by_instance_and_by_token(api, stranger, element):
    instance = InstanceFactory.create(user=api.user, element_key=element.key)

    document = ANYBODY.get(f"/elements/{element.key}/docs").json()

    assert document == ANYBODY.get(f"/elements/{element.id}/docs").json()
    assert document == api.get(f"/instances/{instance.pk}/docs").json()
    assert document == api.through(instance).get("/instances/docs").json()
    assert Api(stranger).get(f"/instances/{instance.pk}/docs").status_code == 404
    assert Api(stranger).through(instance).get("/instances/docs").status_code == 401
    assert api.get("/instances/-1/docs").status_code == 404
    assert api.get("/instances/docs").status_code == 401


# Metadata


def metadata_of(name: str, **given: Any) -> dict[str, dict[str, Any]]:
    target = locate(registry.element("connectwisecrmrest"), [name], transformations=PEOPLE)
    return {field.get("path", field["vendorPath"]): field for field in object_metadata(target, **given)["fields"]}


def test_fields_are_described_by_what_may_be_done_with_them():
    fields = metadata_of("contacts")

    assert fields["id"]["vendorReadOnly"] is True
    assert (fields["id"]["createable"], fields["id"]["updateable"], fields["id"]["type"]) == (False, False, "number")
    first = fields["firstName"]
    assert (first["vendorRequired"], first["createable"], first["vendorMaxLength"]) == (True, True, 30)
    assert first["vendorDisplayName"] == "First Name"
    assert [one["name"] for one in first["method"] if one["request"]] == ["POST", "PUT", "PATCH"]
    assert fields["communicationItems"]["filterable"] is False
    assert fields["email"]["filterable"] is True


def test_own_fields_say_where_they_come_from():
    fields = metadata_of("people")

    assert set(fields) == {"number", "called.first"}
    assert (fields["number"]["vendorPath"], fields["number"]["type"]) == ("id", "number")
    assert (fields["called.first"]["vendorPath"], fields["called.first"]["vendorRequired"]) == ("firstName", True)


def test_no_declared_field_is_custom():
    assert metadata_of("contacts", custom_only=True) == {}
    assert metadata_of("people", custom_only=True) == {}


@pytest.mark.parametrize("hub", ["", "/hubs/crm", "/hubs/any"])
def test_objects_are_described_under_every_hub(api, hub):
    caller = api.through(InstanceFactory.create(user=api.user))

    fields = caller.get(f"{hub}/objects/contacts/metadata").json()["fields"]

    assert fields == list(metadata_of("contacts").values())
    assert caller.get(f"{hub}/objects/contacts/metadata", customFieldsOnly="true").json() == {"fields": []}
    assert caller.get(f"{hub}/objects/incidents/comments/metadata").json()["fields"]
    assert caller.get(f"{hub}/objects/boards/metadata").json() == {"fields": []}
    assert set(caller.get(f"{hub}/objects/contacts/docs").json()) == {"paths", "definitions"}


@pytest.mark.parametrize("name", ["nothing", "contacts/1", "a/b/c", "service/boards", ".."])
@pytest.mark.parametrize("what", ["metadata", "docs"])
def test_unknown_object_is_404(api, name, what):
    caller = api.through(InstanceFactory.create(user=api.user))

    answer = caller.get(f"/objects/{name}/{what}")

    assert answer.status_code == 404
    assert set(answer.json()) == {"requestId", "message"}
