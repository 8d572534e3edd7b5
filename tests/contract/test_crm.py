"""The hub of connectwisecrmrest: every resource with what can be done to it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.contract.platform import CRM, Platform

HUB = "/hubs/crm"
COMPANY = {"company": {"id": 1}}


def fields_of(platform: Platform) -> dict[str, dict[str, Any]]:
    """What clients post, by resource."""
    company_id = platform.hub(CRM, "GET", f"{HUB}/organizations?pageSize=1").json()[0]["id"]
    company = {"company": {"id": company_id}}
    contact_id = platform.hub(CRM, "GET", f"{HUB}/contacts?pageSize=1").json()[0]["id"]
    return {
        "contacts": {"firstName": "Zoë", "lastName": "O'Brien"},
        "organizations": {"identifier": "Contract", "name": "Contract & Sons", "city": "Tampa"},
        "incidents": {"summary": 'Printer "on fire"', **company},
        "opportunities": {
            "name": "New printers",
            "primarySalesRep": {"identifier": "jsmith"},
            "contact": {"id": contact_id},
            "expectedCloseDate": "2026-12-24T00:00:00Z",
            **company,
        },
        "configurations": {"name": "Printer 1", "type": {"id": 1}, **company},
        "time-entries": {
            "notes": "Put it out",
            "chargeToType": "ServiceTicket",
            "chargeToId": platform.hub(CRM, "GET", f"{HUB}/incidents?pageSize=1").json()[0]["id"],
            "timeStart": "2026-11-01T09:00:00Z",
            **company,
        },
        "fields": {"podId": 1, "fieldTypeIdentifier": "Text", "sequenceNumber": 1, "caption": "Floor"},
    }


CHANGES: dict[str, dict[str, Any]] = {
    "contacts": {"lastName": "Jones"},
    "organizations": {"city": "Berlin"},
    "incidents": {"summary": "Printer is out"},
    "opportunities": {"name": "Newer printers", "expectedCloseDate": "2026-12-31T00:00:00Z"},
    "fields": {"caption": "Level"},
}


def created(platform: Platform, resource: str, **more: Any) -> dict[str, Any]:
    body = fields_of(platform)[resource] | more
    record: dict[str, Any] = platform.hub(CRM, "POST", f"{HUB}/{resource}", body).json()
    return record


@pytest.mark.row("GET, POST /hubs/crm/{resource}")
@pytest.mark.row("GET, DELETE /hubs/crm/{resource}/{id}")
@pytest.mark.parametrize(
    "resource",
    ["contacts", "organizations", "incidents", "opportunities", "time-entries", "configurations", "fields"],
)
def test_a_record_is_made_listed_read_and_deleted(platform: Platform, resource):
    record = created(platform, resource)

    assert isinstance(record["id"], int)
    listed = platform.hub(CRM, "GET", f"{HUB}/{resource}?where=id='{record['id']}'").json()
    assert [one["id"] for one in listed] == [record["id"]]
    assert platform.hub(CRM, "GET", f"{HUB}/{resource}/{record['id']}").json()["id"] == record["id"]
    assert platform.hub(CRM, "DELETE", f"{HUB}/{resource}/{record['id']}").content == b""
    platform.hub(CRM, "GET", f"{HUB}/{resource}/{record['id']}", status=404)
    platform.hub(CRM, "DELETE", f"{HUB}/{resource}/{record['id']}", status=404)


@pytest.mark.row("PATCH /hubs/crm/{resource}/{id}")
@pytest.mark.parametrize("resource", ["contacts", "organizations", "incidents", "opportunities", "fields"])
def test_a_record_is_changed_by_what_is_sent(platform: Platform, resource):
    record = created(platform, resource, **({"identifier": "Patched"} if resource == "organizations" else {}))

    changed = platform.hub(CRM, "PATCH", f"{HUB}/{resource}/{record['id']}", CHANGES[resource]).json()

    assert changed.items() >= CHANGES[resource].items()
    kept = set(fields_of(platform)[resource]) - set(CHANGES[resource])
    assert {name: changed[name] for name in kept} == {name: record[name] for name in kept}
    platform.hub(CRM, "PATCH", f"{HUB}/{resource}/999999999", CHANGES[resource], status=404)
    platform.hub(CRM, "PATCH", f"{HUB}/{resource}/{record['id']}", [], status=400)


@pytest.mark.row("PUT /hubs/crm/{resource}/{id}")
@pytest.mark.parametrize("resource", ["contacts", "organizations", "opportunities", "fields"])
def test_a_record_is_replaced_by_what_is_sent(platform: Platform, resource):
    record = created(platform, resource, **({"identifier": "Replaced"} if resource == "organizations" else {}))
    body = fields_of(platform)[resource] | CHANGES[resource]
    if resource == "organizations":
        body["identifier"] = "Replaced"

    replaced = platform.hub(CRM, "PUT", f"{HUB}/{resource}/{record['id']}", body).json()

    assert replaced["id"] == record["id"]
    assert replaced.items() >= CHANGES[resource].items()
    platform.hub(CRM, "PUT", f"{HUB}/{resource}/999999999", body, status=404)


@pytest.mark.row("POST, GET /hubs/crm/incidents/{id}/comments")
@pytest.mark.row("PATCH, DELETE /hubs/crm/incidents/{id}/comments/{cid}")
def test_an_incident_has_comments(platform: Platform):
    ticket = created(platform, "incidents")["id"]
    path = f"{HUB}/incidents/{ticket}/comments"

    note = platform.hub(
        CRM, "POST", path, {"text": "First look", "detailDescriptionFlag": True, "ticketId": ticket}
    ).json()

    assert [one["id"] for one in platform.hub(CRM, "GET", path).json()] == [note["id"]]
    changed = platform.hub(CRM, "PATCH", f"{path}/{note['id']}", {"text": "Second look"}).json()
    assert (changed["text"], changed["detailDescriptionFlag"]) == ("Second look", True)
    assert platform.hub(CRM, "DELETE", f"{path}/{note['id']}").content == b""
    assert platform.hub(CRM, "GET", path).json() == []
    platform.hub(CRM, "GET", f"{HUB}/incidents/999999999/comments", status=404)
    platform.hub(CRM, "PATCH", f"{path}/{note['id']}", {"text": "x"}, status=404)


@pytest.mark.row("GET, PUT /hubs/crm/incidents/{id}/configurations")
def test_a_configuration_is_attached_to_an_incident(platform: Platform):
    ticket = created(platform, "incidents")["id"]
    path = f"{HUB}/incidents/{ticket}/configurations"

    for number in range(2):
        configuration = created(platform, "configurations", name=f"Printer {number}")["id"]
        platform.hub(CRM, "PUT", path, {"id": configuration})

    assert len(platform.hub(CRM, "GET", path).json()) == 2
    assert len(platform.hub(CRM, "GET", f"{path}?page=1&pageSize=1").json()) == 1
    platform.hub(CRM, "PUT", f"{HUB}/incidents/999999999/configurations", {"id": configuration}, status=404)


@pytest.mark.row("GET /hubs/crm/incidents/{id}/time-entries")
def test_time_entries_of_an_incident_are_its_own(platform: Platform):
    ticket = created(platform, "incidents")["id"]
    entry = created(platform, "time-entries", chargeToId=ticket, notes="Only this one")
    path = f"{HUB}/incidents/{ticket}/time-entries"

    for where in (
        f"notes='Only this one' AND enteredBy='{entry['enteredBy']}'",
        "notes='Only this one'",
        "timeStart>='2026-11-01T00:01:00Z'",
    ):
        assert [one["id"] for one in platform.hub(CRM, "GET", f"{path}?where={quote(where)}").json()] == [entry["id"]]
    assert platform.hub(CRM, "GET", f"{path}?where=notes='other'").json() == []
    platform.hub(CRM, "GET", f"{HUB}/incidents/999999999/time-entries", status=404)


def test_a_member_is_assigned_to_an_incident(platform: Platform):
    ticket = created(platform, "incidents")["id"]

    made = platform.hub(CRM, "POST", f"{HUB}/incidents/{ticket}/members", {"member": {"identifier": "jsmith"}}).json()

    assert isinstance(made["id"], int)


@pytest.mark.parametrize(
    "resource, where",
    [
        ("contacts", "email='Test'"),
        ("organizations", "deletedFlag='false'"),
        ("incidents", "approved='false'"),
        ("incidents", "contactPhoneNumber='undefined'"),
        ("incidents", "company.id=1"),
        ("incidents", "lastUpdated>'2016-08-20T18:04:26Z'"),
        ("configurations", "lastUpdated>='2018-04-26T00:00:00Z'"),
        ("incidents", "(summary LIKE '%print%' OR id IN (1, 2)) AND summary IS NOT NULL"),
    ],
)
def test_clauses_that_clients_send_are_understood_raw_and_encoded(platform: Platform, resource, where):
    raw = platform.hub(CRM, "GET", f"{HUB}/{resource}?where={where}").json()
    encoded = platform.hub(CRM, "GET", f"{HUB}/{resource}?where={quote(where, safe='')}").json()

    assert raw == encoded


def test_quoted_values_find_what_post_answered_in_its_type(platform: Platform):
    ticket = created(platform, "incidents", contactPhoneNumber="8135550100")

    for name in ("id", "summary", "contactPhoneNumber"):
        where = quote(f"{name}='{ticket[name]}'", safe="")
        found = platform.hub(CRM, "GET", f"{HUB}/incidents?where={where}").json()
        assert ticket["id"] in [one["id"] for one in found]
        assert {type(one[name]) for one in found} == {type(ticket[name])}
        assert {one[name] for one in found} == {ticket[name]}
    assert "lastUpdated" not in ticket


def test_what_does_not_parse_is_told_with_its_position(platform: Platform):
    message = platform.hub(CRM, "GET", f"{HUB}/contacts?where=id==1", status=400).json()["message"]
    assert message.startswith("Error parsing query")
    assert "position 4" in message
    unknown = platform.hub(CRM, "GET", f"{HUB}/contacts?where=nonsense='1'", status=400).json()
    assert unknown["providerMessage"] != ""


def test_what_the_provider_refuses_comes_back_in_its_words(platform: Platform):
    refused = platform.hub(CRM, "POST", f"{HUB}/contacts", {"lastName": "Nobody"}, status=400).json()
    assert "firstName" in refused["providerMessage"]
    taken = created(platform, "organizations", identifier="Taken")
    body = {"identifier": taken["identifier"], "name": "Twice"}
    assert platform.hub(CRM, "POST", f"{HUB}/organizations", body, status=400).json()["providerMessage"] != ""


def test_a_reference_is_replaced_whole(platform: Platform):
    ticket = created(platform, "incidents")
    [other] = platform.hub(CRM, "GET", f"{HUB}/organizations?pageSize=1&page=2").json()
    path = f"{HUB}/incidents/{ticket['id']}"

    changed = platform.hub(CRM, "PATCH", path, {"company": {"identifier": other["identifier"]}}).json()

    assert changed["company"]["id"] == other["id"]
    assert platform.hub(CRM, "GET", path).json()["company"]["id"] == other["id"]


def test_an_email_address_is_a_communication_item(platform: Platform):
    contact = created(platform, "contacts", email="zoe@contract.example")
    where = quote("email='zoe@contract.example'")

    assert [one["id"] for one in platform.hub(CRM, "GET", f"{HUB}/contacts?where={where}").json()] == [contact["id"]]
    platform.hub(CRM, "PATCH", f"{HUB}/contacts/{contact['id']}", {"email": "other@contract.example"})
    assert platform.hub(CRM, "GET", f"{HUB}/contacts?where={where}").json() == []


@pytest.mark.parametrize(
    "method, path",
    [
        ("PATCH", "/time-entries/1"),
        ("PUT", "/time-entries/1"),
        ("PATCH", "/configurations/1"),
        ("DELETE", "/contacts"),
        ("POST", "/contacts/1"),
        ("POST", "/incidents/1/time-entries"),
        ("POST", "/objects"),
        ("DELETE", "/ping"),
    ],
)
def test_verbs_that_a_resource_has_not_are_405(platform: Platform, method, path):
    assert "Allow" in platform.hub(CRM, method, HUB + path, {}, status=405).headers


@pytest.mark.row("GET /{objectName}, /{objectName}/{id}/{child}")
def test_collections_of_the_providers_own_pass_through(platform: Platform):
    boards = platform.hub(CRM, "GET", f"{HUB}/boards").json()

    assert boards[0].keys() >= {"id", "name"}
    assert platform.hub(CRM, "GET", "/service/boards").json() == boards
    statuses = platform.hub(CRM, "GET", f"/boards/{boards[0]['id']}/statuses").json()
    assert statuses[0].keys() >= {"id", "name"}
    platform.hub(CRM, "GET", "/no-such-thing", status=404)
