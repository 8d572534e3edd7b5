"""Configurations, the tickets they are attached to, opportunities, user-defined fields and schedule entries."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.sandbox import Sandbox
from tests.connectors.sandbox.conftest import Caller

CONFIGURATIONS, OPPORTUNITIES, FIELDS = "/company/configurations", "/sales/opportunities", "/system/userDefinedFields"
SCHEDULE, ATTACHED = "/schedule/entries", "/service/tickets/3/configurations"
LAPTOP = {"name": "LAPTOP-9", "type": {"name": "Workstation"}, "company": {"id": 1}}
DEAL = {"name": "Laptops", "primarySalesRep": {"identifier": "jsmith"}, "company": {"id": 1}, "contact": {"id": 1}}
FIELD = {"podId": "1", "caption": "Floor", "fieldTypeIdentifier": "Text", "sequenceNumber": 4}
VISIT = {"objectId": 3, "type": {"identifier": "S"}, "member": {"identifier": "mgarcia"}}
BODIES: dict[str, dict[str, Any]] = {CONFIGURATIONS: LAPTOP, OPPORTUNITIES: DEAL, FIELDS: FIELD, SCHEDULE: VISIT}


def problems(answer) -> list[tuple[str, str]]:
    assert answer.status_code == 400, answer.text
    return [(problem["code"], problem["field"]) for problem in answer.json()["errors"]]


@pytest.mark.parametrize("path", BODIES)
def test_records_are_made_read_changed_and_deleted(call, path):
    made = call("POST", path, json=BODIES[path])
    assert made.status_code == 201, made.text
    record = made.json()
    mine = f"{path}/{record['id']}"
    assert call.get(mine).json() == record
    assert record["_info"]["updatedBy"] == "SandboxApi"
    assert record["id"] in call.ids(path, conditions="lastUpdated > [2024-01-01T00:00:00Z]")
    name = "caption" if path == FIELDS else "name"
    operations = [{"op": "replace", "path": name, "value": "changed"}]
    if path == OPPORTUNITIES:
        operations.append({"op": "add", "path": "expectedCloseDate", "value": "2026-12-24T00:00:00Z"})
    assert call("PATCH", mine, json=operations).json()[name] == "changed"
    closing = {"expectedCloseDate": "2026-12-31T00:00:00Z"} if path == OPPORTUNITIES else {}
    replaced = call("PUT", mine, json={**BODIES[path], **closing, name: "replaced"})
    assert (replaced.status_code, replaced.json()[name]) == (200, "replaced")
    assert call("DELETE", mine).status_code == 204
    assert call.get(mine).status_code == 404


@pytest.mark.parametrize(
    "path, change, expected",
    [
        *((CONFIGURATIONS, {name: None}, [("MissingRequiredField", name)]) for name in ("name", "type", "company")),
        *((OPPORTUNITIES, {name: None}, [("MissingRequiredField", name)]) for name in ("primarySalesRep", "contact")),
        *((FIELDS, {name: None}, [("MissingRequiredField", name)]) for name in ("podId", "caption", "sequenceNumber")),
        *((SCHEDULE, {name: None}, [("MissingRequiredField", name)]) for name in ("objectId", "type", "member")),
        (CONFIGURATIONS, {"type": {"id": 99}}, [("NotFound", "type/id")]),
        (CONFIGURATIONS, {"name": "x" * 101}, [("MaxLengthField", "name")]),
        (OPPORTUNITIES, {"stage": {"name": "6. Party"}}, [("NotFound", "stage/name")]),
        (OPPORTUNITIES, {"expectedCloseDate": "soon"}, [("InvalidField", "expectedCloseDate")]),
        (FIELDS, {"caption": "x" * 26}, [("MaxLengthField", "caption")]),
        (FIELDS, {"fieldTypeIdentifier": "Novel"}, [("InvalidField", "fieldTypeIdentifier")]),
        (SCHEDULE, {"member": {"identifier": "nobody"}}, [("NotFound", "member/identifier")]),
        (SCHEDULE, {"type": {"identifier": "Z"}}, [("NotFound", "type/identifier")]),
        (SCHEDULE, {"objectId": 999}, [("NotFound", "objectId")]),
    ],
)
def test_post_is_refused_with_its_problems(shared, path, change, expected):
    assert problems(shared("POST", path, json={**BODIES[path], **change})) == expected


@pytest.fixture(scope="module")
def shared():
    """Calls a sandbox of this module's, which every refusal leaves as it was."""
    with Sandbox.start(contacts=1, companies=1, tickets=3) as running:
        yield Caller(running)


def test_closing_date_of_an_opportunity_is_required_once_it_is_changed(call):
    made = call("POST", OPPORTUNITIES, json=DEAL).json()
    rename = [{"op": "replace", "path": "name", "value": "Tablets"}]
    required = [("MissingRequiredField", "expectedCloseDate")]
    assert problems(call("PATCH", f"{OPPORTUNITIES}/{made['id']}", json=rename)) == required
    assert problems(call("PUT", f"{OPPORTUNITIES}/{made['id']}", json=DEAL)) == required


def test_contact_is_referred_to_by_name_where_there_is_one_of_it(sandbox, call):
    sandbox.contacts.add(firstName="Una", lastName="Única")
    for _ in range(2):
        sandbox.contacts.add(firstName="Ann", lastName="Twin")
    made = call("POST", OPPORTUNITIES, json={**DEAL, "contact": {"name": "una única"}})
    assert made.json()["contact"]["name"] == "Una Única"
    twins = call("POST", OPPORTUNITIES, json={**DEAL, "contact": {"name": "Ann Twin"}})
    assert problems(twins) == [("NotFound", "contact/name")]
    assert twins.json()["errors"][0]["message"] == "More than one Contact has the name ann twin"


def test_configurations_are_attached_to_a_ticket_and_detached(sandbox, call):
    before = sandbox.attachments.of(3)
    made = call("POST", CONFIGURATIONS, json={**LAPTOP, "deviceIdentifier": "D9"}).json()["id"]
    attached = call("POST", ATTACHED, json={"id": made})
    assert (attached.status_code, attached.json()["id"], attached.json()["deviceIdentifier"]) == (201, made, "D9")
    assert attached.json()["_info"]["name"] == "LAPTOP-9"
    assert problems(call("POST", ATTACHED, json={"id": made})) == [("ObjectExists", "id")]
    assert sandbox.attachments.of(3) == call.ids(ATTACHED) == [*before, made]
    assert call.get(f"{ATTACHED}/count").json() == {"count": len(before) + 1}
    assert call.get(ATTACHED, conditions="deviceIdentifier = 'd9'").json() == [attached.json()]
    assert call.get(f"{ATTACHED}/{made}").json() == attached.json()
    assert len(call.get(ATTACHED, page=1, pageSize=1).json()) == 1

    assert call("DELETE", f"{ATTACHED}/{made}").status_code == 204
    assert call("DELETE", f"{ATTACHED}/{made}").status_code == 404
    call("POST", ATTACHED, json={"id": made})
    call("DELETE", f"{CONFIGURATIONS}/{made}")
    assert sandbox.attachments.of(3) == call.ids(ATTACHED) == before


@pytest.mark.parametrize("body", [{}, {"id": 999}, {"id": "x"}, {"id": None}, {"id": [1]}])
def test_configuration_that_is_not_there_is_not_attached(shared, body):
    assert problems(shared("POST", ATTACHED, json=body)) == [("NotFound", "id")]


def test_configurations_of_a_ticket_that_is_not_there_are_404(shared):
    path = "/service/tickets/999/configurations"
    for method, place in (("GET", path), ("POST", path), ("DELETE", f"{path}/1")):
        answer = shared(method, place, json={"id": 1})
        assert (answer.status_code, answer.json()["message"]) == (404, "Ticket 999 not found")
    assert shared("PATCH", f"{ATTACHED}/1", json=[]).status_code == 405


def test_scheduled_member_becomes_a_resource_of_the_ticket(sandbox, call):
    sandbox.tickets.edit(3, resources="jsmith")
    made = call("POST", SCHEDULE, json=VISIT).json()
    assert made["name"].endswith("/ Ticket #3")
    assert (made["member"]["name"], made["type"]["name"]) == ("María García", "Service")
    assert sandbox.tickets.get(3)["resources"] == "jsmith, mgarcia"
    call("POST", SCHEDULE, json=VISIT)
    assert sandbox.tickets.get(3)["resources"] == "jsmith, mgarcia"


@pytest.mark.parametrize("type_, path", [("configuration", CONFIGURATIONS), ("opportunity", OPPORTUNITIES)])
def test_changes_are_called_back(call, listener, type_, path):
    level = "status" if type_ == "configuration" else "statusId"
    assert call.register(listener.url, type=type_, level=level, objectId=1).status_code == 201
    made = call("POST", path, json=BODIES[path]).json()["id"]
    listener.wait_for(1)
    assert [(body["Type"], body["Action"], body["ID"]) for body in listener.bodies] == [(type_, "added", made)]
