"""Reading through the hub, against a sandbox that refuses what ConnectWise refuses."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors import ceql, hub, nulls, poller
from connectors.connection import Connection
from connectors.elements.connectwisehd.definition import ELEMENT
from connectors.elements.connectwisehd.tables import TABLES
from connectors.errors import InvalidQuery, RecordNotFound
from connectors.sandbox import Sandbox
from connectors.sandbox.collection import Collection
from connectors.vendors.connectwise_conditions import translate
from polling.facts import read_facts
from tests.connectors.elements.connectwisehd.accounts import connection_to

every_resource = pytest.mark.parametrize("name", sorted(name for name in TABLES if "/" not in name))


def collection_of(sandbox: Sandbox, name: str) -> Collection:
    return {
        "contacts": sandbox.contacts,
        "organizations": sandbox.companies,
        "incidents": sandbox.tickets,
        "time-entries": sandbox.time_entries,
    }[name]


def found(connection: Connection, name: str, where: str, **how: Any) -> list[dict[str, Any]]:
    return hub.find(connection, name, where=where, **how).records()


# Whole records


@every_resource
def test_list_is_every_record_once_by_id(connection, sandbox, name):
    page = hub.find(connection, name)

    assert [record["id"] for record in page.records()] == collection_of(sandbox, name).ids()
    assert all(type(record["id"]) is int for record in page.records())
    assert len(page.slices()) == len(page.records())
    assert page.next_page_token is None


@every_resource
def test_pages_are_followed_to_the_end(connection, sandbox, name):
    pages = list(hub.read_all(connection, name, where=None, page_size=3))
    record_ids = [record["id"] for page in pages for record in page.records()]
    assert record_ids == collection_of(sandbox, name).ids()
    assert len(pages) == -(-len(record_ids) // 3)

    first = hub.find(connection, name, page_size=2)
    second = hub.find(connection, name, page_size=2, page_token=first.next_page_token)
    assert [record["id"] for record in first.records() + second.records()] == record_ids[:4]


@every_resource
def test_one_record_is_as_in_the_list(connection, sandbox, name):
    for listed in hub.find(connection, name).records():
        assert hub.get(connection, name, str(listed["id"])).fields == listed
    with pytest.raises(RecordNotFound):
        hub.get(connection, name, "999999")


@every_resource
def test_count_and_highest_id(connection, sandbox, name):
    ids = collection_of(sandbox, name).ids()

    assert hub.count(connection, name, where=None) == len(ids)
    assert hub.count(connection, name, where=f"id > {ids[1]}") == len(ids) - 2
    assert connection.client().highest_id(ELEMENT.resource(name)) == ids[-1]


@every_resource
def test_nulls_are_there_when_they_are_wanted(sandbox, name):
    whole = hub.find(connection_to(sandbox, filters_nulls=False), name).records()
    filtered = hub.find(connection_to(sandbox), name).records()

    assert any(value is None for value in whole[0].values())
    assert {tuple(record) for record in whole} == {tuple(whole[0])}
    assert [nulls.without_nulls(record) for record in whole] == filtered


def test_contact_is_the_one_at_the_provider(connection, sandbox):
    theirs = sandbox.contacts.get(7)
    ours = hub.get(connection, "contacts", "7").fields

    assert ours["firstName"] == theirs["firstName"]
    assert ours["companyIdentifier"] == theirs["company"]["identifier"]
    assert ours["lastUpdated"] == theirs["_info"]["lastUpdated"]
    assert ours["email"] in [item["value"] for item in theirs["communicationItems"]]
    assert not {"company", "_info", "communicationItems", "customFields", "inactiveFlag"} & set(ours)


def test_time_entry_is_the_one_at_the_provider(connection, sandbox):
    theirs = sandbox.time_entries.get(sandbox.time_entries.ids()[0])
    ours = hub.get(connection, "time-entries", str(theirs["id"])).fields

    assert datetime.fromtimestamp(ours["dateStart"] / 1000, UTC) == datetime.fromisoformat(theirs["timeStart"])
    assert ours["ticketId"] == theirs["chargeToId"]
    assert ours["workType"] == theirs["workType"]["name"]
    assert ours["memberIdentifier"] == theirs["member"]["identifier"]


def test_odd_records_do_not_fail_the_page(connection, sandbox):
    sandbox.contacts.edit(7, site={}, company=None)
    odd = [{"id": 3}, {"id": 4, "company": [], "_info": None}, {"id": "5", "communicationItems": [None, {"value": 1}]}]
    sandbox.behave(path="/company/contacts", status=401)
    sandbox.behave(path="/company/contacts", status=200, body=json.dumps(odd), headers={"Link": ""})

    assert hub.find(connection, "contacts").records() == [{"id": 3}, {"id": 4}, {"id": "5"}]
    seven = hub.get(connection, "contacts", "7").fields
    assert not {"siteName", "siteId", "companyName"} & set(seven)


# Polling


@every_resource
def test_default_poll_reads_ids_and_stamps(connection, sandbox, name):
    one = poller.parse(dict(ELEMENT.poller_configuration), element=ELEMENT)[name]
    moment = sandbox.clock.now() + timedelta(hours=1)
    collection = collection_of(sandbox, name)
    changed = collection.ids()[1]
    collection.edit(changed, at=moment)

    (page,) = hub.read_all(connection, name, where=f"lastUpdated>='{moment:%Y-%m-%dT%H:%M:%SZ}'")
    (facts,) = read_facts(page.slices(), poller=one)

    assert facts.object_id == str(changed)
    assert facts.stamp == f"{moment:%Y-%m-%dT%H:%M:%SZ}"
    assert facts.stamped_at == moment.replace(microsecond=0)


# Questions


@pytest.mark.parametrize(
    ("name", "where", "conditions"),
    [
        ("contacts", "companyName = 'Acme'", 'company/name = "Acme"'),
        ("contacts", "COMPANYID='7'", "company/id = 7"),
        ("contacts", "inactive = 'false'", "inactiveFlag = False"),
        ("contacts", "lastUpdated>='2017-08-30T00:00:00Z'", "lastUpdated >= [2017-08-30T00:00:00Z]"),
        ("organizations", "companyName='Acme'", 'name = "Acme"'),
        ("organizations", "defaultAddress.city = 'Tampa'", 'city = "Tampa"'),
        ("organizations", "deleted = true OR statusName IS NULL", "(deletedFlag = True) or (status/name = null)"),
        ("incidents", "board LIKE 'Help%'", 'board/name like "Help%"'),
        ("incidents", "statusName NOT IN ('New', 'Open')", 'status/name not in ("New", "Open")'),
        ("incidents", "contactName = 'Zoë'", 'contactName = "Zoë"'),
        ("incidents", "dateEntered < '2017-08-30'", "dateEntered < [2017-08-30T00:00:00Z]"),
        ("time-entries", "workType = 'Regular'", 'workType/name = "Regular"'),
        ("time-entries", "dateStart>=1504051200000", "timeStart >= [2017-08-30T00:00:00Z]"),
        ("time-entries", "dateStart>='1504051200250'", "timeStart >= [2017-08-30T00:00:00.250000Z]"),
        ("time-entries", "dateEnd < '2017-08-30T02:00:00+02:00'", "timeEnd < [2017-08-30T00:00:00Z]"),
        ("time-entries", "dateStart > 2017-08-30", "timeStart > [2017-08-30T00:00:00Z]"),
        ("time-entries", "dateStart > -1000", "timeStart > [1969-12-31T23:59:59Z]"),
        ("time-entries", "hours > '1.5'", "actualHours > 1.5"),
    ],
)
def test_names_and_values_become_the_providers(name, where, conditions):
    assert translate(ceql.parse(where), resource=ELEMENT.resource(name)).conditions == conditions


TICKETS = 'chargeToType in ("ProjectTicket", "ServiceTicket")'


@pytest.mark.parametrize(
    ("where", "conditions"),
    [
        ("ticketId=5", f"(chargeToId = 5) and ({TICKETS})"),
        ("TICKETID IN (5, '6')", f"(chargeToId in (5, 6)) and ({TICKETS})"),
        ("ticketId IS NOT NULL", TICKETS),
        ("ticketId IS NULL", TICKETS.replace(" in ", " not in ")),
        ("id = 1 OR ticketId = 5", f"(id = 1) or ((chargeToId = 5) and ({TICKETS}))"),
        ("id = 1 AND chargeToId = 5", "(id = 1) and (chargeToId = 5)"),
    ],
)
def test_ticket_of_a_time_entry_is_asked_for_among_those_charged_to_tickets(connection, sandbox, where, conditions):
    hub.find(connection, "time-entries", where=where)

    assert sandbox.requests[-1].query["conditions"] == conditions


def test_questions_find_what_they_ask_for(connection, sandbox):
    entry = hub.find(connection, "time-entries").records()[3]
    ticket = hub.find(connection, "incidents").records()[2]
    company = hub.find(connection, "organizations").records()[1]

    entries = found(connection, "time-entries", f"ticketId='{entry['ticketId']}' AND dateStart >= {entry['dateStart']}")
    assert entry in entries
    assert {one["ticketId"] for one in entries} == {entry["ticketId"]}
    summary = ticket["summary"].replace("'", "''")
    assert ticket in found(connection, "incidents", f"summary='{summary}'")
    assert found(connection, "organizations", f'companyName="{company["companyName"]}"')[0]["id"] == company["id"]
    regular = found(connection, "time-entries", f"workType = '{entry['workType']}'")
    assert {one["workType"] for one in regular} == {entry["workType"]}


@pytest.mark.parametrize("field", ["email", "phone"])
def test_contact_is_found_by_what_lies_in_its_items(connection, field):
    contact = next(one for one in hub.find(connection, "contacts").records() if one.get(field))

    hits = found(connection, "contacts", f"{field}='{contact[field]}' AND id > 0")

    assert contact in hits
    assert len(hits) < 23


@every_resource
def test_every_field_can_be_asked_about_and_sorted_by(connection, sandbox, name):
    resource = ELEMENT.resource(name)
    literals = {"number": "5", "boolean": "'true'", "datetime": "'2024-05-01'", "milliseconds": "5000"}
    for field in resource.provider_names:
        literal = literals.get(resource.field_types.get(field, "text"), "'x'")
        hub.count(connection, name, where=f"{field} = {literal}")
    for field in resource.child_fields:
        hub.count(connection, name, where=f"{field} = 'x'")
    assert {request.endpoint for request in sandbox.requests} == {f"{resource.path}/count"}

    hub.find(connection, name, order_by=", ".join(f"{field} desc" for field in list(resource.provider_names)[:40]))


@every_resource
def test_every_field_can_be_selected(connection, name):
    whole = hub.find(connection, name, order_by="id").records()
    table = TABLES[name]
    for field in (*table.paths(), *table.communications):
        part = hub.find(connection, name, fields=[field]).records()
        outer, _, inner = field.partition(".")
        for record, cut in zip(whole, part, strict=True):
            assert cut["id"] == record["id"]
            assert set(cut) <= {"id", outer}
            theirs, ours = record.get(outer), cut.get(outer)
            assert (ours or {}).get(inner) == (theirs or {}).get(inner) if inner else ours == theirs


def test_fields_follow_the_pages(connection, sandbox):
    first = hub.find(connection, "contacts", fields=["email", "companyName"], page_size=4)
    second = hub.find(
        connection, "contacts", fields=["email", "companyName"], page_size=4, page_token=first.next_page_token
    )

    assert [record["id"] for record in first.records() + second.records()] == sandbox.contacts.ids()[:8]
    assert set().union(*second.records()) <= {"id", "email", "companyName"}
    assert sandbox.requests[-1].query["fields"] == "id,communicationItems,company/name"


def test_order_is_by_hub_names(connection, sandbox):
    records = hub.find(connection, "incidents", order_by="statusName desc, ID asc").records()

    assert sandbox.requests[-1].query["orderby"] == "status/name desc, id asc"
    keys = [record["statusName"].casefold() for record in records]
    assert keys == sorted(keys, reverse=True)


@pytest.mark.parametrize("field", ["shoeSize", "company.name", "_info.lastUpdated", "inactiveFlag", "defaultAddress"])
def test_name_that_the_hub_has_not_is_refused_with_some_that_it_has(connection, sandbox, field):
    for ask in (
        lambda: hub.find(connection, "contacts", where=f"{field} = 'x'"),
        lambda: hub.find(connection, "contacts", order_by=field),
        lambda: hub.find(connection, "contacts", fields=[field]),
        lambda: hub.count(connection, "contacts", where=f"id = 1 AND {field} IS NULL"),
    ):
        with pytest.raises(InvalidQuery, match=r"contacts have no field .*companyId"):
            ask()
    assert sandbox.requests == []


@pytest.mark.parametrize("where", ["dateStart > 'soon'", "dateStart > true", "dateStart > 999999999999999999"])
def test_moment_that_is_none_is_refused(where):
    with pytest.raises(InvalidQuery, match="dateStart is a "):
        translate(ceql.parse(where), resource=ELEMENT.resource("time-entries"))


def test_email_cannot_be_sorted_by(connection):
    with pytest.raises(InvalidQuery, match="lies in a list"):
        hub.find(connection, "contacts", order_by="email")


def test_a_single_incident_may_be_a_project_ticket(connection, sandbox):
    sandbox.behave(
        path="/project/tickets/4711",
        body={"id": 4711, "summary": "Move the servers", "_info": {"lastUpdated": "2026-06-09T21:59:47Z"}},
    )
    record = hub.get(connection, "incidents", "4711")
    assert (record.fields["summary"], record.fields["lastUpdated"]) == ("Move the servers", "2026-06-09T21:59:47Z")

    with pytest.raises(RecordNotFound) as missing:
        hub.get(connection, "incidents", "4711")
    assert missing.value.codes == ("NotFound",)
    sandbox.behave(path="/service/tickets/4711", status=404, body="<html>", content_type="text/html")
    with pytest.raises(RecordNotFound) as missing:
        hub.get(connection, "incidents", "4711")
    assert missing.value.codes == ()
    sandbox.requests.clear()
    with pytest.raises(RecordNotFound):
        hub.get(connection, "contacts", "4711")
    assert {one.endpoint for one in sandbox.requests} == {"/company/contacts/4711"}
