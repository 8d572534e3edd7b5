"""Writing through the hub, against a sandbox that refuses what ConnectWise refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from connectors import hub, nulls
from connectors.connection import Connection
from connectors.errors import (
    InvalidRecord,
    OperationNotSupported,
    PermissionRefused,
    RecordNotFound,
    RequestRefused,
    TryLater,
    UnknownResource,
)
from connectors.sandbox import Sandbox
from tests.connectors.elements.connectwisehd.accounts import connection_to

DATE_START = 1504051200000


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(contacts=12, companies=4, tickets=6, time_entries=4) as sandbox:
        yield sandbox


@pytest.fixture(autouse=True)
def requests_of_this_test(sandbox):
    sandbox.requests.clear()


@pytest.fixture
def company(connection) -> dict[str, Any]:
    return hub.find(connection, "organizations").records()[0]


@pytest.fixture
def ticket(connection, company) -> dict[str, Any]:
    return create(connection, "incidents", summary="Printer", companyId=company["id"])


def create(connection: Connection, name: str, **fields: Any) -> dict[str, Any]:
    return hub.create(connection, name, fields).fields


def update(connection: Connection, name: str, record_id: int, **fields: Any) -> dict[str, Any]:
    return hub.update(connection, name, str(record_id), fields).fields


def get(connection: Connection, name: str, record_id: int) -> dict[str, Any]:
    return hub.get(connection, name, str(record_id)).fields


def writes_to(sandbox: Sandbox) -> list[str]:
    return [request.method for request in sandbox.requests if request.method != "GET"]


@pytest.mark.parametrize(
    ("name", "fields", "change"),
    [
        (
            "contacts",
            {"firstName": "Churros", "lastName": "Tester", "email": "churroshd@connectWise.com"},
            {"email": "other@connectwise.com", "title": "CTO", "lastName": None},
        ),
        (
            "organizations",
            {
                "companyName": "Churros Ltd",
                "companyIdentifier": "churros",
                "defaultAddress": {"siteName": "Main", "city": "Tampa", "state": "FL", "zip": "33602"},
                "phoneNumber": "8135550100",
            },
            {"phoneNumber": "8135550101", "defaultAddress": {"city": "Berlin", "zip": None}},
        ),
        (
            "incidents",
            {"board": "Help Desk", "summary": "It is broken", "statusName": "New", "companyId": 250},
            {"statusName": "In Progress", "summary": "It is mended", "poNumber": "7"},
        ),
        (
            "time-entries",
            {"dateStart": DATE_START, "ticketId": None, "workType": "Remote"},
            {"dateStart": DATE_START + 60_000, "notes": "Called", "workType": "Travel"},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_record_is_created_changed_replaced_and_deleted(connection, sandbox, company, name, fields, change):
    if name == "incidents":
        fields = fields | {"companyId": company["id"]}
    if name == "time-entries":
        fields = fields | {"ticketId": hub.find(connection, "incidents").records()[0]["id"]}

    made = create(connection, name, **fields)
    assert type(made["id"]) is int
    assert {key: made.get(key) for key in fields} == fields
    assert get(connection, name, made["id"]) == made

    changed = update(connection, name, made["id"], **change)
    expected = nulls.without_nulls(made | change)
    if isinstance(made.get("defaultAddress"), dict):
        address = made["defaultAddress"] | change["defaultAddress"]
        expected["defaultAddress"] = nulls.without_nulls(address)
    own = {"lastUpdated", "updatedBy", "statusId", "workTypeId"}
    assert {key: changed[key] for key in expected if key not in own} == {
        key: value for key, value in expected.items() if key not in own
    }
    assert get(connection, name, made["id"]) == changed

    replaced = hub.replace(connection, name, str(made["id"]), fields).fields
    assert {key: replaced.get(key) for key in fields} == fields
    assert not {"title", "poNumber", "notes"} & set(replaced)

    hub.delete(connection, name, str(made["id"]))
    with pytest.raises(RecordNotFound):
        get(connection, name, made["id"])


@pytest.mark.parametrize("name", ["contacts", "organizations", "incidents", "time-entries"])
def test_whole_record_can_be_sent_back(sandbox, name):
    connection = connection_to(sandbox, filters_nulls=False)
    record = hub.find(connection, name).records()[-1]

    returned = update(connection, name, record["id"], **record)

    # References are sent by their ids, and the sandbox has no names for those of sites and territories.
    moved = {"lastUpdated", "updatedBy", "siteName", "territory"}
    assert {key: value for key, value in returned.items() if key not in moved} == {
        key: value for key, value in record.items() if key not in moved
    }


@pytest.mark.parametrize("write", [hub.update, hub.replace])
def test_what_has_no_name_here_stays_when_a_whole_record_is_sent(connection, write):
    raw = hub.find(connection, "company/companies").records()[0]
    whole = get(connection, "organizations", raw["id"])

    write(connection, "organizations", str(raw["id"]), whole | {"website": write.__name__})

    after = hub.get(connection, "company/companies", str(raw["id"])).fields
    assert after["website"] == write.__name__
    assert any(one.get("value") for one in raw["customFields"])
    assert after["customFields"] == raw["customFields"]


def test_whole_ticket_keeps_the_name_that_was_no_contact_s(connection, sandbox, ticket, company):
    update(connection, "incidents", ticket["id"], contactName="Nils Holgersson")
    create(connection, "contacts", firstName="Nils", lastName="Holgersson", companyId=company["id"])
    whole = get(connection, "incidents", ticket["id"])

    changed = update(connection, "incidents", ticket["id"], **whole | {"summary": "Scanner"})

    assert changed["summary"] == "Scanner"
    assert (changed["contactName"], changed.get("contactId")) == ("Nils Holgersson", None)


def test_reference_is_replaced_whole(connection, sandbox, ticket):
    other = hub.find(connection, "organizations").records()[1]
    sandbox.requests.clear()

    changed = update(connection, "incidents", ticket["id"], companyIdentifier=other["companyIdentifier"])

    assert (changed["companyId"], changed["companyName"]) == (other["id"], other["companyName"])
    assert json.loads(sandbox.requests[-1].body) == [
        {"op": "replace", "path": "/company", "value": {"identifier": other["companyIdentifier"]}}
    ]


def test_change_within_a_whole_record_counts(connection, sandbox, ticket):
    changed = update(connection, "incidents", ticket["id"], **(ticket | {"statusName": "In Progress"}))
    assert changed["statusName"] == "In Progress"

    sandbox.requests.clear()
    update(connection, "incidents", ticket["id"], statusName="New")
    assert [request.method for request in sandbox.requests] == ["PATCH"]


def test_status_is_that_of_the_board(connection, company):
    made = create(
        connection, "incidents", summary="x", companyId=company["id"], board="Alerts", statusName="In Progress"
    )
    assert (made["board"], made["boardId"], made["statusName"]) == ("Alerts", 4, "In Progress")


def test_time_entry_is_charged_to_the_ticket(connection, sandbox, ticket):
    entry = create(connection, "time-entries", dateStart=DATE_START, ticketId=ticket["id"])

    assert entry["chargeToType"] == "ServiceTicket"
    assert entry["companyId"] == ticket["companyId"]
    assert entry in hub.find(connection, "time-entries", where=f"ticketId = {ticket['id']}").records()


# Contacts by name


@pytest.fixture
def zoe(connection, company) -> Iterator[dict[str, Any]]:
    contact = create(connection, "contacts", firstName="Zoë Mae", lastName="van der O'Brien", companyId=company["id"])
    yield contact
    hub.delete(connection, "contacts", str(contact["id"]))


def test_contact_of_an_incident_is_found_by_name(connection, company, zoe):
    incident = create(
        connection,
        "incidents",
        summary="Printer",
        companyIdentifier=company["companyIdentifier"],
        contactName="Zoë Mae van der O'Brien",
    )

    assert incident["contactId"] == zoe["id"]
    assert incident["contactName"] == "Zoë Mae van der O'Brien"


def test_contact_is_looked_for_in_the_company_that_the_ticket_has(connection, ticket, zoe):
    other = hub.find(connection, "organizations").records()[1]
    changed = update(connection, "incidents", ticket["id"], contactName="Zoë Mae van der O'Brien")
    assert changed["contactId"] == zoe["id"]

    moved = update(connection, "incidents", ticket["id"], companyId=other["id"], contactName="Zoë Mae van der O'Brien")
    assert "contactId" not in moved
    assert moved["contactName"] == "Zoë Mae van der O'Brien"

    emptied = update(connection, "incidents", ticket["id"], contactName=None)
    assert not {"contactId", "contactName"} & set(emptied)


def test_namesake_in_another_company_is_somebody_else(connection, ticket, zoe):
    other = hub.find(connection, "organizations").records()[1]
    names = {"firstName": "Zoë Mae", "lastName": "van der O'Brien"}
    namesake = create(connection, "contacts", companyId=other["id"], **names)

    changed = update(connection, "incidents", ticket["id"], contactName="Zoë Mae van der O'Brien")

    hub.delete(connection, "contacts", str(namesake["id"]))
    assert changed["contactId"] == zoe["id"]


def test_contact_may_have_one_name_only(connection, company):
    reception = create(connection, "contacts", firstName="Reception", companyId=company["id"])
    create(connection, "contacts", firstName="Reception", lastName="Night", companyId=company["id"])

    made = create(connection, "incidents", summary="x", companyId=company["id"], contactName="Reception")

    assert made["contactId"] == reception["id"]


@pytest.mark.parametrize("name", ["Nobody Known", "Zoë", "Both \"kinds' of", "Line\nbreak", " ".join("x" * 20)])
def test_name_of_no_contact_is_kept_as_a_text(connection, ticket, zoe, name):
    changed = update(connection, "incidents", ticket["id"], contactName=name)

    assert changed["contactName"] == name
    assert "contactId" not in changed


def test_name_of_two_contacts_is_nobodys(connection, company, ticket, zoe):
    namesake = create(connection, "contacts", firstName="Zoë", lastName="Mae van der O'Brien", companyId=company["id"])

    changed = update(connection, "incidents", ticket["id"], contactName="Zoë Mae van der O'Brien")

    hub.delete(connection, "contacts", str(namesake["id"]))
    assert "contactId" not in changed


def test_contacts_that_are_closed_to_the_credentials_do_not_stop_a_ticket(connection, sandbox, company):
    sandbox.behave(path="/company/contacts", status=403)

    made = create(connection, "incidents", summary="x", companyId=company["id"], contactName="Zoë O'Brien")

    assert made["contactName"] == "Zoë O'Brien"


def test_contacts_that_cannot_be_asked_now_stop_it_before_anything_is_written(connection, sandbox, company):
    sandbox.behave(path="/company/contacts", status=503)

    with pytest.raises(TryLater):
        create(connection, "incidents", summary="x", companyId=company["id"], contactName="Zoë O'Brien")

    assert writes_to(sandbox) == []


# Comments


def test_comment_is_created_read_and_changed(connection, ticket):
    comments = f"incidents/{ticket['id']}/comments"
    flags = {"isPartOfInternalAnalysis": False, "isPartOfResolution": False, "isExternalNote": False}
    made = create(connection, comments, noteText="Called", isPartOfDetailDescription=True, **flags)
    other = create(connection, comments, noteText="Resolved", isPartOfResolution=True)

    assert made["noteText"] == "Called"
    assert made["isPartOfDetailDescription"] is True
    assert {name: made.get(name) or False for name in flags} == flags
    assert made["ticketId"] == ticket["id"]
    assert made["createdBy"]
    assert made["dateCreated"].endswith("Z")
    assert [one["id"] for one in hub.find(connection, comments).records()] == [made["id"], other["id"]]
    assert get(connection, comments, made["id"]) == made

    changed = update(connection, comments, made["id"], noteText="Called again", isExternalNote="true")
    assert (changed["noteText"], changed["isExternalNote"]) == ("Called again", True)
    assert hub.find(connection, comments, where="noteText = 'Called again'").records() == [changed]
    assert hub.count(connection, comments, where="isPartOfResolution = 'true'") == 1


def test_comment_that_would_show_nowhere_is_refused_by_the_provider(connection, ticket):
    with pytest.raises(RequestRefused, match="look at isPartOfDetailDescription"):
        create(connection, f"incidents/{ticket['id']}/comments", noteText="x", isPartOfDetailDescription=False)


def test_comments_can_neither_be_deleted_nor_replaced(connection, sandbox, ticket):
    comments = f"incidents/{ticket['id']}/comments"
    sandbox.requests.clear()

    with pytest.raises(OperationNotSupported):
        hub.delete(connection, comments, "1")
    with pytest.raises(OperationNotSupported):
        hub.replace(connection, comments, "1", {"noteText": "x"})
    assert sandbox.requests == []


def test_comments_of_no_ticket_are_not_there(connection):
    for ask in (
        lambda: hub.find(connection, "incidents/999999/comments"),
        lambda: create(connection, "incidents/999999/comments", noteText="x", isPartOfDetailDescription=True),
        lambda: get(connection, "incidents/999999/comments", 1),
    ):
        with pytest.raises(RecordNotFound):
            ask()
    with pytest.raises(UnknownResource):
        hub.find(connection, "contacts/1/comments")


# Refusals


@pytest.mark.parametrize(
    ("name", "fields"),
    [("incidents", {"summary": "x"}), ("contacts", {"firstName": "x", "companyId": []}), ("contacts", {"odd": 1})],
)
def test_what_cannot_be_written_is_refused_before_any_call(connection, sandbox, name, fields):
    with pytest.raises(InvalidRecord):
        create(connection, name, **fields)
    assert sandbox.requests == []


@pytest.mark.parametrize(
    ("fields", "named", "said"),
    [
        ({"companyIdentifier": "gone"}, "companyIdentifier", "Company gone not found"),
        ({"statusName": "No such status"}, "statusName", "not found"),
        ({"summary": "x" * 101}, "summary", "maximum length of 100"),
        ({"owner": "nobody"}, "owner", "Member nobody not found"),
        ({"requiredDate": "2024-05-01", "board": "Alerts"}, "statusId, statusName", "not found for Service Board 4"),
    ],
)
def test_refusal_of_the_provider_names_the_field_as_the_hub_does(connection, ticket, fields, named, said):
    with pytest.raises(RequestRefused) as refused:
        update(connection, "incidents", ticket["id"], **fields)

    assert str(refused.value) == f"ConnectWise does not take this for incidents: look at {named}"
    assert said in refused.value.provider_message
    assert refused.value.status == 400


def test_identifier_that_another_company_has_is_refused_by_name(connection, company):
    with pytest.raises(RequestRefused, match=r"look at companyIdentifier$") as refused:
        create(connection, "organizations", companyName="x", companyIdentifier=company["companyIdentifier"])

    assert "ObjectExists" in refused.value.codes


def test_refusal_without_fields_stays_as_it_is(connection, sandbox, ticket):
    sandbox.behave(path=f"/service/tickets/{ticket['id']}", status=403)

    with pytest.raises(PermissionRefused):
        update(connection, "incidents", ticket["id"], summary="x")


def test_collections_of_the_provider_keep_its_names(connection):
    boards = hub.find(connection, "boards").records()

    assert "Help Desk" in [board["name"] for board in boards]
    assert hub.get(connection, "service/boards", str(boards[0]["id"])).fields["name"] == boards[0]["name"]
    contact = hub.find(connection, "company/contacts", where="firstName IS NOT NULL", fields=["firstName"]).records()[0]
    assert set(contact) == {"id", "firstName"}
