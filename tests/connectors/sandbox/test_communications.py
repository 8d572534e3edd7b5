"""Communication items of contacts: each has a type there is, of the kind it claims to be."""

from __future__ import annotations

import pytest

from connectors.sandbox import Sandbox
from tests.connectors.sandbox.conftest import Caller

CONTACTS = "/company/contacts"
VALUE = {"value": "zoe@acme.example"}


@pytest.fixture(scope="module")
def call():
    with Sandbox.start(contacts=3, companies=1, tickets=1) as running:
        yield Caller(running)


@pytest.mark.parametrize(
    "item, kind, name",
    [
        ({"type": {"id": 1}}, "Email", "Email"),
        ({"type": {"id": "4"}}, "Phone", "Cell"),
        ({"type": {"id": 3}, "communicationType": "Fax"}, "Fax", "Fax"),
        ({"type": {"name": "direct"}, "communicationType": "phone"}, "Phone", "Direct"),
    ],
)
def test_item_takes_its_kind_from_its_type(call, item, kind, name):
    made = call("POST", CONTACTS, json={"firstName": "Zoë", "communicationItems": [VALUE | item]})
    assert made.status_code == 201, made.text
    (kept,) = made.json()["communicationItems"]
    assert (kept["communicationType"], kept["type"]["name"], kept["value"]) == (kind, name, VALUE["value"])


@pytest.mark.parametrize(
    "item, code, field",
    [
        ({}, "MissingRequiredField", "type"),
        ({"communicationType": "Email"}, "MissingRequiredField", "type"),
        ({"type": []}, "MissingRequiredField", "type"),
        ({"type": 5}, "MissingRequiredField", "type"),
        ({"type": {"id": 77}}, "NotFound", "type/id"),
        ({"type": {"id": None}}, "NotFound", "type/id"),
        ({"type": {"name": "Pigeon"}}, "NotFound", "type/name"),
        ({"type": {"id": 2}, "communicationType": "Email"}, "InvalidField", "communicationType"),
    ],
)
def test_item_without_a_type_of_its_kind_is_refused(call, item, code, field):
    answer = call("POST", CONTACTS, json={"firstName": "Zoë", "communicationItems": [VALUE | item]})
    assert answer.status_code == 400
    problems = [(problem["code"], problem["field"]) for problem in answer.json()["errors"]]
    assert problems == [(code, f"communicationItems/{field}")]


@pytest.mark.parametrize("claimed", [1, "x", [1], None])
def test_new_item_gets_an_id_whatever_it_claims(call, claimed):
    item = {"type": {"id": 4}, "value": "555", "id": claimed}
    path = f"{CONTACTS}/1"
    answer = call("PATCH", path, json=[{"op": "add", "path": "/communicationItems/-", "value": item}])
    ids = [one["id"] for one in answer.json()["communicationItems"]]
    assert len(ids) == len(set(ids))
    assert claimed not in ids
    assert all(type(number) is int for number in ids)


def test_put_with_items_is_refused_and_put_without_leaves_none(call):
    whole = call.get(f"{CONTACTS}/2").json()
    refused = call("PUT", f"{CONTACTS}/2", json=whole)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "communicationItems")
    assert call.get(f"{CONTACTS}/2").json() == whole
    del whole["communicationItems"]
    assert call("PUT", f"{CONTACTS}/2", json=whole).json()["communicationItems"] == []
