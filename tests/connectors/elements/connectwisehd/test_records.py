"""From the provider's records to the hub's, as values."""

from __future__ import annotations

import importlib.resources
import json
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.elements.connectwisehd import records
from connectors.elements.connectwisehd.records import hub_page, hub_record
from connectors.elements.connectwisehd.tables import TABLES
from connectors.errors import InvalidQuery, UnusableAnswer
from connectors.nulls import without_nulls

CONTACT: dict[str, Any] = {
    "id": 57960,
    "firstName": "Zoë",
    "lastName": "O'Brien",
    "company": {"id": 250, "identifier": "Acme", "name": "Acme Ltd", "_info": {}},
    "site": {"id": 1000, "name": "Main", "_info": {}},
    "inactiveFlag": False,
    "defaultPhoneNbr": "8135550199",
    "defaultPhoneExtension": "7",
    "communicationItems": [
        {"id": 1, "value": "old@acme.example", "defaultFlag": False, "communicationType": "Email"},
        {"id": 2, "value": "zoe@acme.example", "defaultFlag": True, "communicationType": "Email"},
        {"id": 3, "value": "8135550100", "defaultFlag": False, "communicationType": "Phone"},
        {"id": 4, "value": "8135550101", "defaultFlag": False, "communicationType": "Phone"},
    ],
    "customFields": [{"id": 15, "caption": "Region", "value": None}],
    "_info": {"lastUpdated": "2026-06-09T21:59:47Z", "updatedBy": "jsmith", "notes_href": "https://..."},
}


def hub_paths(resource: str) -> list[str]:
    return [*TABLES[resource].paths(), *TABLES[resource].communications]


def mapped(resource: str, record: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = without_nulls(hub_record(resource, record))
    return found


def test_contact_has_the_names_of_this_hub_and_nothing_else():
    assert mapped("contacts", CONTACT) == {
        "id": 57960,
        "firstName": "Zoë",
        "lastName": "O'Brien",
        "companyId": 250,
        "companyIdentifier": "Acme",
        "companyName": "Acme Ltd",
        "siteId": 1000,
        "siteName": "Main",
        "inactive": False,
        "email": "zoe@acme.example",
        "phone": "8135550100",
        "phoneExtension": "7",
        "lastUpdated": "2026-06-09T21:59:47Z",
        "updatedBy": "jsmith",
    }


def test_phone_without_items_is_the_copy_that_the_record_carries():
    bare = {name: value for name, value in CONTACT.items() if name != "communicationItems"}

    assert hub_record("contacts", bare)["phone"] == "8135550199"
    assert hub_record("contacts", bare)["email"] is None
    assert hub_record("contacts", bare | {"communicationItems": []})["phone"] is None


def test_organization_has_its_address_inside():
    company = {
        "id": 250,
        "identifier": "Acme",
        "name": "Acme Ltd",
        "status": {"id": 1, "name": "Active"},
        "addressLine1": "1 Main St",
        "city": "Tampa",
        "country": {"id": 1, "name": "United States"},
        "site": {"id": 3, "name": "Main"},
        "market": {"id": 8, "name": "Retail"},
        "faxNumber": "",
        "deletedFlag": True,
        "_info": {"dateEntered": "2024-01-01T00:00:00Z", "lastUpdated": "2024-05-01T12:00:00Z"},
    }

    assert mapped("organizations", company) == {
        "id": 250,
        "companyName": "Acme Ltd",
        "companyIdentifier": "Acme",
        "statusId": 1,
        "statusName": "Active",
        "faxNumber": "",
        "marketId": 8,
        "market": "Retail",
        "defaultAddress": {
            "siteName": "Main",
            "addressLine1": "1 Main St",
            "city": "Tampa",
            "country": "United States",
        },
        "deleted": True,
        "dateEntered": "2024-01-01T00:00:00Z",
        "lastUpdated": "2024-05-01T12:00:00Z",
    }


def test_incident_prefers_the_names_of_its_own():
    references = {"id": 9, "contact": {"id": 7, "name": "Zoë O'Brien"}, "site": {"id": 3, "name": "Main"}}
    own = {"contactName": "Z. O'Brien", "siteName": "Yard"}

    assert mapped("incidents", references) == {
        "id": 9,
        "contactId": 7,
        "contactName": "Zoë O'Brien",
        "siteId": 3,
        "siteName": "Main",
    }
    assert mapped("incidents", references | own)["contactName"] == "Z. O'Brien"
    assert mapped("incidents", references | own)["siteName"] == "Yard"


def test_incident_tells_board_status_and_priority_by_name():
    ticket = {
        "id": 9,
        "summary": "Printer",
        "board": {"id": 1, "name": "Help Desk"},
        "status": {"id": 17, "name": "New"},
        "priority": {"id": 4, "name": "Low", "sort": 9},
        "owner": {"id": 2, "identifier": "jsmith", "name": "John Smith"},
        "closedFlag": False,
    }

    assert mapped("incidents", ticket) == {
        "id": 9,
        "summary": "Printer",
        "boardId": 1,
        "board": "Help Desk",
        "statusId": 17,
        "statusName": "New",
        "priorityId": 4,
        "priority": "Low",
        "owner": "jsmith",
        "ownerName": "John Smith",
        "closed": False,
    }


@pytest.mark.parametrize(
    ("charge_to_type", "ticket_id"),
    [("ServiceTicket", 5), ("ProjectTicket", 5), ("ChargeCode", None), ("Activity", None), (None, None), ([], None)],
)
def test_time_entry_belongs_to_a_ticket_only_when_it_is_charged_to_one(charge_to_type, ticket_id):
    record = hub_record("time-entries", {"id": 1, "chargeToId": 5, "chargeToType": charge_to_type})

    assert (record["ticketId"], record["chargeToId"]) == (ticket_id, 5)


@pytest.mark.parametrize(
    ("stamp", "milliseconds"),
    [
        ("2017-08-30T00:00:00Z", 1504051200000),
        ("2017-08-30T02:00:00+02:00", 1504051200000),
        ("2017-08-30T00:00:00", 1504051200000),
        ("2017-08-30T00:00:00.250Z", 1504051200250),
        ("1969-12-31T23:59:59Z", -1000),
        ("0001-01-01T00:00:00+05:00", None),
        ("soon", None),
        ("", None),
        (None, None),
        (5, None),
        ({}, None),
    ],
)
def test_start_and_end_of_a_time_entry_are_milliseconds(stamp, milliseconds):
    record = hub_record("time-entries", {"timeStart": stamp, "timeEnd": stamp})

    assert record["dateStart"] == record["dateEnd"] == milliseconds
    assert milliseconds is None or type(record["dateStart"]) is int


@pytest.mark.parametrize("resource", sorted(TABLES))
def test_empty_record_has_every_field_as_null(resource):
    names = {name.partition(".")[0] for name in hub_paths(resource)}

    record = hub_record(resource, {})

    assert set(record) == names
    assert next(iter(record)) == "id"
    assert {value for value in record.values() if not isinstance(value, dict)} == {None}


@pytest.mark.parametrize("resource", sorted(TABLES))
def test_readme_lists_every_field(resource):
    readme = importlib.resources.files("connectors.elements.connectwisehd").joinpath("README.md").read_text()
    section = readme.partition(f"### Fields of `{resource}`")[2].partition("\n#")[0]
    names = [name.rpartition(".")[2] for name in hub_paths(resource)]

    ranges = [f"userDefinedField{number}" for number in range(2, 10)]
    assert [name for name in names if f"`{name}`" not in section and name not in ranges] == []


def test_resource_that_is_not_mapped_is_a_key_error():
    with pytest.raises(KeyError):
        hub_record("invoices", {"id": 1})


PROVIDER_NAMES = sorted(
    {path.partition(".")[0] for table in TABLES.values() for both in table.paths().values() for path in both.split("|")}
    | {"communicationItems", "defaultPhoneNbr"}
)
odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "name", "identifier", "lastUpdated", "communicationType"]), inner)
    ),
    max_leaves=6,
)
odd_records = st.dictionaries(st.sampled_from(PROVIDER_NAMES), odd, max_size=8)


@settings(max_examples=60)
@given(st.sampled_from(sorted(TABLES)), odd_records)
def test_no_shape_makes_a_record_fail(resource, record):
    assert list(hub_record(resource, record)) == list(hub_record(resource, {}))


@settings(max_examples=40)
@given(st.sampled_from(sorted(TABLES)), st.lists(odd_records, max_size=4))
def test_page_keeps_order_and_number_whatever_it_holds(resource, page):
    body = json.dumps([{"id": number} | record for number, record in enumerate(page)]).encode()

    found = msgspec.json.decode(hub_page(resource, body))

    assert [record["id"] for record in found] == [record["id"] for record in json.loads(body)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Legal, and no text: half of a surrogate pair.
        (b'{"id":2,"firstName":"\\ud800!"}', "\ufffd!"),
        (b'{"id":2,"firstName":"x","title":"\\udc00"}', "x"),
        (b'{"id":2,"firstName":' + b"9" * 400 + b"}", int("9" * 400)),
    ],
)
def test_record_that_quick_readers_refuse_is_mapped_among_the_others(text, expected):
    body = b'[{"id":1,"firstName":"a"},' + text + b',{"id":3,"firstName":"c"}]'

    page = hub_page("contacts", body)

    found = [json.loads(bytes(raw)) for raw in msgspec.json.decode(page, type=list[msgspec.Raw])]
    assert [record["id"] for record in found] == [1, 2, 3]
    assert [record["firstName"] for record in found] == ["a", expected, "c"]


def test_page_nested_without_end_is_unusable():
    deep = b'{"id":2,"customFields":' + b"[" * 5000 + b"]" * 5000 + b"}"

    with pytest.raises(UnusableAnswer):
        hub_page("contacts", b'[{"id":1,"firstName":"a"},' + deep + b"]")


def test_page_is_json_without_spaces_with_nulls():
    body = hub_page("contacts", b'[{"id":1}]')

    assert body.startswith(b'[{"id":1,')
    assert orjson.loads(body) == [hub_record("contacts", {"id": 1})]


# Some fields


@pytest.mark.parametrize(
    ("resource", "asked", "needed", "found"),
    [
        ("contacts", ["id"], ["id"], {"id": 57960}),
        ("contacts", ["COMPANYNAME"], ["id", "company.name"], {"id": 57960, "companyName": "Acme Ltd"}),
        ("contacts", ["email", "email"], ["id", "communicationItems"], {"id": 57960, "email": "zoe@acme.example"}),
        ("contacts", ["phone"], ["id", "communicationItems", "defaultPhoneNbr"], {"id": 57960, "phone": "8135550100"}),
        (
            "contacts",
            ["lastUpdated", "id"],
            ["id", "_info.lastUpdated"],
            {"id": 57960, "lastUpdated": "2026-06-09T21:59:47Z"},
        ),
        ("organizations", ["defaultAddress.city"], ["id", "city"], {"id": 57960, "defaultAddress": {"city": None}}),
        ("time-entries", ["ticketId"], ["id", "chargeToId", "chargeToType"], {"id": 57960, "ticketId": None}),
    ],
)
def test_fields_are_those_asked_for_and_the_id(resource, asked, needed, found):
    assert records.provider_fields(resource, asked) == needed
    assert records.cut(resource, hub_record(resource, CONTACT), asked) == found


def test_address_is_all_of_its_fields():
    cut = records.cut("organizations", hub_record("organizations", {"id": 1, "zip": "33602"}), ["defaultAddress"])

    assert list(cut) == ["id", "defaultAddress"]
    assert set(cut["defaultAddress"]) == {"siteName", "addressLine1", "addressLine2", "city", "state", "zip", "country"}


@pytest.mark.parametrize("name", ["shoeSize", "company.name", "", "companyName.x", "default"])
def test_field_that_is_none_is_refused_with_some_that_are(name):
    with pytest.raises(InvalidQuery, match=r"contacts have no field .*firstName"):
        records.provider_fields("contacts", ["id", name])
