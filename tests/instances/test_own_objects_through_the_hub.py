"""Resources of an instance's own, read and written through the hub against the sandbox."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.sandbox import Sandbox
from instances.models import Instance
from tests.api_client import Api
from tests.factories import InstanceFactory

FIELDS = {
    "id": "id",
    "name.first": "firstName",
    "name.last": "lastName",
    "job": "title",
    "firm": "company",
    "firmId": "company.id",
    "changed": "_info.lastUpdated",
}
MAIL = {"path": "mail", "vendorPath": "email"}
PEOPLE: dict[str, Any] = {
    "vendorName": "contacts",
    "fields": [{"path": own, "vendorPath": hub} for own, hub in FIELDS.items()],
}


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox.start(contacts=12, companies=3, tickets=2) as running:
        yield running


@pytest.fixture
def caller(owner, credentials) -> Api:
    instance: Instance = InstanceFactory.create(user=owner, sent=credentials)
    caller = Api(owner).through(instance)
    assert caller.post("/instances/transformations/people", PEOPLE).status_code == 200
    return caller


def test_list_shows_the_mapped_fields_of_every_record(caller):
    plain = caller.get("/hubs/crm/contacts").json()
    own = caller.get("/hubs/crm/people")

    assert own.status_code == 200, own.content
    assert [one["name"] for one in own.json()] == [
        {"first": one["firstName"], "last": one["lastName"]} for one in plain
    ]
    assert [one["firmId"] for one in own.json()] == [one["company"]["id"] for one in plain]
    assert {key for one in own.json() for key in one} <= {"id", "name", "job", "firm", "firmId", "changed"}
    assert caller.get(f"/people/{plain[0]['id']}").json() == own.json()[0]


def test_pages_fields_order_and_where_go_by_the_own_names(caller):
    everyone = caller.get("/people").json()
    first = caller.get("/people", pageSize="5")
    second = caller.get("/people", pageSize="5", nextPage=first.headers["Elements-Next-Page-Token"])
    someone = everyone[3]

    assert first.json() + second.json() == everyone[:10]
    found = caller.get("/people", where=f"name.first='{someone['name']['first']}' AND firm.id={someone['firmId']}")
    assert someone in found.json()
    assert len(found.json()) < len(everyone)
    assert caller.get("/people", fields="name.first", pageSize="1").json() == [
        {"id": everyone[0]["id"], "name": {"first": everyone[0]["name"]["first"]}}
    ]
    ordered = caller.get("/people", orderBy="id desc").json()
    assert [one["id"] for one in ordered] == [one["id"] for one in reversed(everyone)]


@pytest.mark.parametrize(
    "asked", [{"where": "firstName='Ada'"}, {"fields": "firstName"}, {"orderBy": "lastName"}, {"where": "nothing=1"}]
)
def test_names_of_the_hub_are_400_there(caller, asked):
    answer = caller.get("/people", **asked)

    assert answer.status_code == 400
    assert "name.first" in answer.json()["message"]


def test_record_is_created_changed_replaced_and_deleted_in_own_words(caller):
    firm = caller.get("/people").json()[0]["firmId"]
    made = caller.post("/people", {"name": {"first": "Ada", "last": "Byron"}, "firmId": firm, "job": "Countess"})
    assert made.status_code == 200, made.content
    place = f"/people/{made.json()['id']}"
    assert caller.get(f"/contacts/{made.json()['id']}").json()["firstName"] == "Ada"

    changed = caller.patch(place, {"name": {"last": "Lovelace"}, "job": None})
    assert changed.status_code == 200, changed.content
    assert changed.json()["name"] == {"first": "Ada", "last": "Lovelace"}
    assert "job" not in changed.json()
    whole = {**changed.json(), "job": "Programmer"}
    replaced = caller.put(place, whole)
    assert replaced.status_code == 200, replaced.content
    assert replaced.json()["job"] == "Programmer"

    assert caller.delete(place).status_code == 200
    assert caller.get(place).status_code == 404


def test_field_that_is_not_mapped_is_400_and_nothing_is_written(caller):
    before = len(caller.get("/contacts").json())

    answer = caller.post("/people", {"firstName": "Ada"})

    assert answer.status_code == 400
    assert "firstName" in answer.json()["message"]
    assert len(caller.get("/contacts").json()) == before


def test_transformation_hides_a_resource_of_its_name_until_it_is_deleted(caller):
    caller.post("/instances/transformations/contacts", PEOPLE)
    assert "name" in caller.get("/contacts").json()[0]

    caller.delete("/instances/transformations/contacts")

    assert "firstName" in caller.get("/contacts").json()[0]


def test_objects_name_what_the_instance_has_of_its_own(caller):
    assert {"contacts", "people"} <= set(caller.get("/objects").json())


@pytest.fixture
def person(caller, sandbox) -> dict[str, Any]:
    """As the hub has it, with fields that `people` does not map."""
    sent = {"firstName": "Ada", "title": "Countess", "city": "London", "nickName": "A", "email": "ada@example.com"}
    made = caller.post("/contacts", sent | {"company": {"id": caller.get("/organizations").json()[0]["id"]}})
    found: dict[str, Any] = made.json()
    return found


@pytest.mark.parametrize("verb", ["PUT", "PATCH"])
def test_one_change_in_a_whole_record_changes_that_alone(caller, person, verb):
    caller.put("/instances/transformations/people", PEOPLE | {"fields": [*PEOPLE["fields"], MAIL]})
    place = f"/people/{person['id']}"
    other = caller.get("/organizations").json()[1]["id"]
    nulls = {"mail": None}  # what instances that show nulls show of it

    assert caller.call(verb, place, caller.get(place).json() | nulls | {"firmId": other}).json()["firmId"] == other
    assert caller.call(verb, place, caller.get(place).json() | nulls | {"job": "CTO"}).json()["job"] == "CTO"

    after = caller.get(f"/contacts/{person['id']}").json()
    assert after["company"]["id"] == other
    moved = {"_info", "company", "title"}
    assert {**after, **dict.fromkeys(moved)} == {**person, **dict.fromkeys(moved)}


def test_replacing_empties_what_is_mapped_and_not_sent(caller, person):
    replaced = caller.put(f"/people/{person['id']}", {"name": {"first": "Augusta"}})

    assert replaced.status_code == 200, replaced.content
    after = caller.get(f"/contacts/{person['id']}").json()
    assert not {"title", "company"} & set(after)
    assert (after["firstName"], after["city"]) == ("Augusta", "London")
