"""What clients write through the hub, against a ConnectWise on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from connectors import hub
from connectors.connection import Connection
from connectors.elements.connectwisecrmrest.definition import ELEMENT
from connectors.errors import (
    InvalidQuery,
    InvalidRecord,
    OperationNotSupported,
    PermissionRefused,
    RateLimited,
    RecordNotFound,
    RequestRefused,
    TryLater,
)
from connectors.sandbox import Sandbox
from tests.connectors.vendors.clients import configuration


@pytest.fixture(scope="module")
def company() -> Iterator[Sandbox]:
    with Sandbox.start(contacts=9, companies=4, tickets=6, time_entries=5) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(company) -> Iterator[Sandbox]:
    yield company
    company.behave_well()


@pytest.fixture
def connection(sandbox) -> Connection:
    return Connection(element=ELEMENT, configuration=configuration(sandbox))


@pytest.fixture
def ticket(connection) -> str:
    return str(hub.create(connection, "incidents", {"summary": "Printer", "company": {"id": 2}}).fields["id"])


@pytest.fixture
def contact(connection) -> str:
    sent = {"firstName": "Zoë", "title": "CTO", "company": {"id": 2}, "email": "zoe@acme.example", "phone": "813"}
    return str(hub.create(connection, "contacts", sent).fields["id"])


def values(record: Any) -> list[tuple[str, str, bool]]:
    return [
        (item["communicationType"], item["value"], item["defaultFlag"]) for item in record.fields["communicationItems"]
    ]


def listed(connection: Connection, collection: str, where: str | None = None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = orjson.loads(hub.find(connection, collection, where=where).body)
    return found


def last_call(sandbox: Sandbox) -> tuple[str, str, Any]:
    call = sandbox.requests[-1]
    return call.method, call.endpoint, orjson.loads(call.body or b"null")


WRITTEN: dict[str, dict[str, Any]] = {
    "contacts": {"firstName": "Zoë"},
    "organizations": {"identifier": "NewOne", "name": "New One"},
    "incidents": {"summary": "No paper", "company": {"identifier": "Acme"}},
    "configurations": {"name": "Laptop", "type": {"id": 1}, "company": {"id": 2}},
    "opportunities": {
        "name": "Printers",
        "company": {"id": 2},
        "contact": {"id": 1},
        "primarySalesRep": {"identifier": "jsmith"},
        "expectedCloseDate": "2027-01-01T00:00:00Z",
    },
    "time-entries": {
        "notes": "Done",
        "chargeToType": "ServiceTicket",
        "chargeToId": 1,
        "timeStart": "2026-01-01T10:00:00Z",
    },
    "fields": {"podId": 1, "fieldTypeIdentifier": "Text", "sequenceNumber": 1, "caption": "Region"},
}
CHANGED: dict[str, dict[str, Any]] = {
    "contacts": {"lastName": "O'Brien"},
    "organizations": {"city": "Tampa"},
    "incidents": {"summary": "Paper jam"},
    "opportunities": {"notes": "Call them"},
    "fields": {"caption": "Area"},
}


@pytest.mark.parametrize("name", WRITTEN)
def test_record_is_created_read_changed_and_deleted(connection, sandbox, name):
    sent = {**WRITTEN[name]}
    if name == "incidents":
        sent["company"] = {"id": 2}

    made = hub.create(connection, name, sent).fields
    record_id = str(made["id"])
    assert {**made, **{key: value for key, value in sent.items() if not isinstance(value, dict)}} == made
    assert hub.get(connection, name, record_id).fields == made
    if name in CHANGED:
        updated = hub.update(connection, name, record_id, CHANGED[name]).fields
        assert CHANGED[name].items() <= updated.items()
        # A whole record that was read can be sent back, with what only the provider fills in.
        replaced = hub.replace(connection, name, record_id, updated).fields
        assert CHANGED[name].items() <= replaced.items()
    hub.delete(connection, name, record_id)

    with pytest.raises(RecordNotFound):
        hub.get(connection, name, record_id)
    with pytest.raises(RecordNotFound):
        hub.delete(connection, name, record_id)


@pytest.mark.parametrize("write", [hub.update, hub.replace])
@pytest.mark.parametrize("record_id", ["999999", "abc", "1-2"])
def test_record_that_is_not_there_is_not_found(connection, write, record_id):
    with pytest.raises(RecordNotFound):
        write(connection, "contacts", record_id, {"firstName": "Zoë"})
    with pytest.raises(RecordNotFound):
        write(connection, "contacts", record_id, {"email": "zoe@acme.example"})


@pytest.mark.parametrize("name", ["configurations", "time-entries"])
def test_what_a_resource_does_not_declare_is_refused(connection, name):
    with pytest.raises(OperationNotSupported):
        hub.update(connection, name, "1", {"notes": "x"})


# Contacts


def test_email_phone_and_fax_of_a_new_contact_become_items(connection):
    sent = {"firstName": "Zoë", "email": "zoe@acme.example", "phone": "813", "fax": None}

    record = hub.create(connection, "contacts", sent)

    assert values(record) == [("Email", "zoe@acme.example", True), ("Phone", "813", True)]
    assert [one["id"] for one in listed(connection, "contacts", "phone='813' AND firstName='Zoë'")][-1:] == [
        record.fields["id"]
    ]
    hub.delete(connection, "contacts", str(record.fields["id"]))


def test_communication_values_change_come_and_go(connection, contact, sandbox):
    record = hub.update(connection, "contacts", contact, {"email": "new@acme.example", "phone": None, "fax": "814"})

    assert values(record) == [("Email", "new@acme.example", True), ("Fax", "814", True)]
    method, endpoint, changes = last_call(sandbox)
    assert (method, endpoint) == ("PATCH", f"/company/contacts/{contact}")
    assert [(change["op"], change["path"]) for change in changes] == [
        ("replace", "/communicationItems/0/value"),
        ("add", "/communicationItems/-"),
        ("remove", "/communicationItems/1"),
    ]


def test_null_empties_a_field_and_the_others_stay(connection, contact):
    before = hub.get(connection, "contacts", contact).fields
    after = hub.update(connection, "contacts", contact, {"title": None}).fields

    assert "title" in before
    assert "title" not in after
    assert after["company"]["id"] == 2
    assert after["communicationItems"] == before["communicationItems"]


def test_replaced_contact_has_what_was_sent_and_keeps_its_items(connection, contact, sandbox):
    before = hub.get(connection, "contacts", contact).fields

    after = hub.replace(connection, "contacts", contact, {"firstName": "Zoe", "lastName": "O'Brien"}).fields

    assert last_call(sandbox)[0] == "PATCH"
    assert (after["firstName"], after["lastName"]) == ("Zoe", "O'Brien")
    assert not {"title", "company"} & set(after)
    for kept in ("communicationItems", "portalSecurityLevel", "disablePortalLoginFlag"):
        assert after[kept] == before[kept], kept


@pytest.mark.parametrize("write", [hub.update, hub.replace])
def test_one_change_in_a_whole_contact_changes_that_alone(connection, write):
    whole = hub.find(connection, "contacts").records()[0]

    written = write(connection, "contacts", str(whole["id"]), whole | {"nickName": write.__name__}).fields

    assert {**written, "_info": None} == {**whole, "_info": None, "nickName": write.__name__}


@pytest.mark.parametrize("name", ["organizations", "incidents", "opportunities", "fields"])
def test_whole_record_can_be_changed(connection, name):
    whole = hub.find(connection, name).records()[0]
    field = {"organizations": "website", "incidents": "summary", "opportunities": "notes", "fields": "caption"}[name]

    written = hub.update(connection, name, str(whole["id"]), whole | {field: "Other"}).fields

    assert {**written, "_info": None} == {**whole, "_info": None, field: "Other"}


def test_change_of_nothing_is_no_call_that_writes(connection, contact, sandbox):
    hub.update(connection, "contacts", contact, {"id": 5, "_info": {"lastUpdated": "x"}})

    assert last_call(sandbox)[0] == "GET"


# References, and what ConnectWise says against them


def test_reference_is_replaced_whole(connection, ticket):
    identifier = hub.get(connection, "organizations", "3").fields["identifier"]

    record = hub.update(connection, "incidents", ticket, {"company": {"identifier": identifier}}).fields

    assert record["company"]["id"] == 3


def test_path_into_a_reference_is_refused_before_it_changes_nothing(connection, ticket, sandbox):
    calls = len(sandbox.requests)

    with pytest.raises(InvalidRecord, match="written whole"):
        hub.update(connection, "incidents", ticket, {"company/id": 3})

    assert len(sandbox.requests) == calls


@pytest.mark.parametrize(
    ("sent", "field"),
    [({"status": {"id": 999}}, "status/id"), ({"company": 7}, "company"), ({"summary": "x" * 101}, "summary")],
)
def test_refusal_brings_the_words_of_the_provider_and_its_field(connection, ticket, sent, field):
    with pytest.raises(RequestRefused) as refusal:
        hub.update(connection, "incidents", ticket, sent)

    assert refusal.value.status == 400
    assert field in refusal.value.provider_message


def test_secrets_are_cut_out_of_what_the_provider_says(connection, sandbox):
    sandbox.behave(method="POST", status=400, body={"message": f"Wrong: {sandbox.private_key}", "errors": []})

    with pytest.raises(RequestRefused) as refusal:
        hub.create(connection, "contacts", {"firstName": "Zoë"})

    assert refusal.value.provider_message == "Wrong: ********"


def test_what_json_cannot_carry_is_refused(connection):
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    for value in ("\ud800", nested):
        with pytest.raises(InvalidRecord, match="half a character"):
            hub.create(connection, "contacts", {"firstName": value})


# Answers that were lost


@pytest.mark.parametrize(
    "behaviour", [{"status": 502, "body": "<h1>Bad Gateway</h1>"}, {"status": 201, "body": "{"}, {"cut_after": 40}]
)
def test_create_without_an_answer_says_that_it_may_be_done(connection, sandbox, behaviour):
    sandbox.behave(method="POST", path="/company/contacts", **behaviour)
    calls = len(sandbox.requests)

    with pytest.raises(TryLater, match="may have been created"):
        hub.create(connection, "contacts", {"firstName": "Zoë"})

    assert len(sandbox.requests) == calls + 1


def test_create_beyond_the_rate_limit_was_not_done(connection, sandbox):
    sandbox.behave(method="POST", status=429, headers={"Retry-After": "7"})

    with pytest.raises(RateLimited) as refusal:
        hub.create(connection, "contacts", {"firstName": "Zoë"})

    assert "may have been" not in str(refusal.value)


# What belongs to a ticket


def test_comments_of_a_ticket(connection, ticket):
    collection = f"incidents/{ticket}/comments"

    note = hub.create(connection, collection, {"text": "One", "detailDescriptionFlag": True, "ticketId": 1}).fields
    note_id = str(note["id"])

    assert (note["text"], note["ticketId"]) == ("One", int(ticket))
    assert hub.update(connection, collection, note_id, {"text": "Two"}).fields["text"] == "Two"
    assert [one["text"] for one in listed(connection, collection, "detailDescriptionFlag='true'")] == ["Two"]
    hub.delete(connection, collection, note_id)
    assert listed(connection, collection) == []
    with pytest.raises(OperationNotSupported):
        hub.replace(connection, collection, note_id, {"text": "Three"})


def test_configuration_is_attached_to_a_ticket(connection, ticket):
    made = hub.create(connection, "configurations", WRITTEN["configurations"]).fields

    attached = hub.create(connection, f"incidents/{ticket}/configurations", {"id": made["id"]}).fields

    assert attached["id"] == made["id"]
    assert [one["id"] for one in listed(connection, f"incidents/{ticket}/configurations")] == [made["id"]]


def test_time_entries_of_a_ticket_are_its_own(connection, ticket):
    mine = hub.create(connection, "time-entries", {**WRITTEN["time-entries"], "chargeToId": int(ticket)}).fields
    hub.create(connection, "time-entries", WRITTEN["time-entries"])

    found = listed(connection, f"incidents/{ticket}/time-entries", "notes='Done' AND timeStart>='2020-01-01T00:00:00Z'")

    assert [one["id"] for one in found] == [mine["id"]]
    assert hub.count(connection, f"incidents/{ticket}/time-entries", where=None) == 1


@pytest.mark.parametrize("sent", [{"member": {"identifier": "jsmith"}}, {"identifier": "jsmith"}, {"id": 101}])
def test_member_is_put_on_a_ticket(connection, ticket, sandbox, sent):
    record = hub.create(connection, f"incidents/{ticket}/members", sent).fields

    assert (record["member"]["identifier"], record["objectId"]) == ("jsmith", int(ticket))
    method, endpoint, document = last_call(sandbox)
    assert (method, endpoint) == ("POST", "/schedule/entries")
    assert document["type"] == {"identifier": "S"}


@pytest.mark.parametrize("sent", [{}, {"member": {}}, {"member": "jsmith"}, {"name": "x"}])
def test_member_has_to_be_named(connection, ticket, sent):
    with pytest.raises(InvalidRecord, match="member is missing"):
        hub.create(connection, f"incidents/{ticket}/members", sent)


@pytest.mark.parametrize("parent", ["99999", "abc"])
@pytest.mark.parametrize("child", ["comments", "configurations", "time-entries"])
def test_ticket_that_is_not_there_has_nothing(connection, parent, child):
    with pytest.raises(RecordNotFound):
        hub.find(connection, f"incidents/{parent}/{child}")


# What is passed through


def test_collections_of_the_provider_are_read_by_name_and_by_path(connection):
    assert listed(connection, "boards", "name='Help Desk'")[0]["id"] == 1
    assert listed(connection, "service/boards/1/statuses")
    assert hub.get(connection, "boards/1/statuses", "10").fields["name"] == "New"
    assert hub.get(connection, "members", "jsmith").fields["id"] == 101


@pytest.mark.parametrize("path", ["system/callbacks", "System/CallBacks"])
def test_addresses_of_callbacks_are_not_shown(connection, sandbox, path):
    calls = len(sandbox.requests)
    with pytest.raises(PermissionRefused):
        hub.find(connection, path)
    with pytest.raises(PermissionRefused):
        hub.count(connection, path, where=None)
    with pytest.raises(PermissionRefused):
        hub.get(connection, path, "1")
    assert len(sandbox.requests) == calls


def test_what_the_provider_has_not_is_not_found(connection):
    with pytest.raises(RecordNotFound):
        hub.find(connection, "service/nothing")
    with pytest.raises(InvalidQuery):
        hub.find(connection, "nothing")
    with pytest.raises(OperationNotSupported):
        hub.create(connection, "service/boards", {"name": "New"})
