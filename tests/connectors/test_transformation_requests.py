from __future__ import annotations

from typing import Any

import pytest

from connectors import registry
from connectors.transformation_requests import (
    InvalidTransformation,
    StoredTransformations,
    check_name,
    definition,
    transformation,
)
from connectors.transformations import FieldMapping, Transformation

CRM = registry.element("connectwisecrmrest")
HELP_DESK = registry.element("connectwisehd")


def sent(*fields: Any, **others: Any) -> dict[str, Any]:
    return {"vendorName": "contacts", "fields": list(fields) or [{"path": "id", "vendorPath": "id"}], **others}


def field(path: object = "id", vendor_path: object = "id") -> dict[str, object]:
    return {"path": path, "vendorPath": vendor_path}


def test_what_is_kept_comes_back_as_a_transformation():
    kept = transformation("people", sent(field("name.first", "firstName"), field()), element=CRM)

    assert StoredTransformations({"people": kept})["people"] == Transformation(
        name="people",
        resource="contacts",
        fields=(FieldMapping("name.first", "firstName"), FieldMapping("id", "id")),
    )


@pytest.mark.parametrize("vendor_name", ["contacts", "/company/contacts", "company/contacts"])
def test_resource_is_named_as_the_hub_or_as_the_provider_does(vendor_name):
    assert transformation("people", sent(vendorName=vendor_name), element=CRM)["resource"] == "contacts"


@pytest.mark.parametrize("vendor_name", [None, "", "nothing", 5, ["contacts"], "incidents/comments", "comments"])
def test_unknown_resource_is_refused_with_those_that_there_are(vendor_name):
    with pytest.raises(InvalidTransformation, match=r"vendorName: .*contacts, .*incidents.*organizations"):
        transformation("people", sent(vendorName=vendor_name), element=CRM)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (None, "Send an object"),
        ([], "Send an object"),
        ({"vendorName": "contacts"}, "Send an object"),
        ({"vendorName": "contacts", "fields": {}}, "Send an object"),
        ({"vendorName": "contacts", "fields": []}, "fields: map one"),
        (sent("id"), r"fields\[0\]: send an object"),
        (sent(field(), field("a b", "x")), r"fields\[1\].path"),
        (sent(field("a..b", "x")), r"fields\[0\].path"),
        (sent(field("a.b[*].c", "x")), r"fields\[0\].path"),
        (sent(field("a\x00", "x")), r"fields\[0\].path"),
        (sent(field("a" * 65, "x")), r"fields\[0\].path"),
        (sent(field(".".join("abcdefghi"), "x")), r"fields\[0\].path"),
        (sent(field(None, "x")), r"fields\[0\].path"),
        (sent(field("a", None)), r"fields\[0\].vendorPath"),
        (sent(field("a", "x\x00")), r"fields\[0\].vendorPath"),
        (sent(field("a", "x\ud800")), r"fields\[0\].vendorPath"),
        (sent(field("a", "items[0].x")), r"fields\[0\].vendorPath"),
        (sent(field("a", "x" * 101)), r"fields\[0\].vendorPath"),
        (sent(field("a", "x"), field("A", "y")), "fields: A is there twice"),
        (sent(field("a.b", "x"), field("a", "y")), "fields: a.b lies inside a"),
        (sent(*[field(f"f{n}", "x") for n in range(501)]), "at most 500"),
        (sent(script={"body": "done()"}), "script"),
        (sent(configuration=[{"type": "passThrough", "properties": {"fromVendor": True}}]), "passThrough"),
    ],
)
def test_what_cannot_be_a_transformation_is_refused_by_name(body, named):
    with pytest.raises(InvalidTransformation, match=named):
        transformation("people", body, element=CRM)


def test_fields_of_a_hub_with_words_of_its_own_have_to_be_known():
    transformation("people", sent(field("first", "firstName")), element=HELP_DESK)
    with pytest.raises(InvalidTransformation, match=r"contacts have no field 'nonsense'; they have .*firstName"):
        transformation("people", sent(field("first", "nonsense")), element=HELP_DESK)


def test_only_fields_of_the_definition_can_be_mapped():
    defined = definition({"fields": [{"path": "first", "type": "string"}]})

    transformation("people", sent(field("first", "firstName")), element=CRM, defined=defined)
    with pytest.raises(InvalidTransformation, match=r"last is mapped .* no such field"):
        transformation("people", sent(field("last", "lastName")), element=CRM, defined=defined)


def test_definition_keeps_paths_and_types():
    kept = definition({"fields": [{"path": "first"}, {"path": "a.b", "type": "date", "x": 1}], "level": "instance"})

    assert kept == {"fields": [{"path": "first", "type": "string"}, {"path": "a.b", "type": "date"}]}


@pytest.mark.parametrize("kind", ["", 5, [], "a\x00", "x" * 65])
def test_type_that_is_no_word_is_refused(kind):
    with pytest.raises(InvalidTransformation, match=r"fields\[0\].type"):
        definition({"fields": [{"path": "first", "type": kind}]})


@pytest.mark.parametrize("name", ["", "a b", "a/b", "ä", "a" * 65, "a\n", "objects", "Ping", "HUBS", "instances"])
def test_name_that_leads_elsewhere_is_refused(name):
    with pytest.raises(InvalidTransformation):
        check_name(name)
