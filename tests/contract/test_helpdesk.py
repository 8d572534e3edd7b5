"""The hub of connectwisehd: fields as in the days of SOAP, over today's API."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.contract.platform import HELP_DESK, Platform

HUB = "/hubs/helpdesk"
TICKET = {"board": "Help Desk", "summary": "Printer on fire", "statusName": "New"}
CHANGES: dict[str, dict[str, Any]] = {
    "contacts": {"lastName": "Jones", "email": "jones@contract.example"},
    "organizations": {"phoneNumber": "8135550111", "defaultAddress": {"city": "Berlin"}},
    "incidents": {"summary": "Printer is out", "statusName": "In Progress"},
    "time-entries": {"notes": "Put it out twice"},
}
READ_ONLY: dict[str, Any] = {"lastUpdated": "2020-01-01T00:00:00Z"}


def fields_of(platform: Platform, resource: str, unique: str) -> dict[str, Any]:
    organization = platform.hub(HELP_DESK, "GET", f"{HUB}/organizations?pageSize=1").json()[0]
    if resource == "contacts":
        return {"firstName": "Zoë", "lastName": "O'Brien", "email": "zoe@contract.example"}
    if resource == "organizations":
        return {
            "companyName": "Contract & Sons",
            "companyIdentifier": unique,
            "defaultAddress": {"siteName": "Main", "city": "Tampa", "state": "FL", "zip": "33602"},
            "market": platform.hub(HELP_DESK, "GET", "/company/marketDescriptions").json()[0]["name"],
            "phoneNumber": "8135550100",
        }
    if resource == "incidents":
        return TICKET | {"companyIdentifier": organization["companyIdentifier"], "contactName": "Ann Example"}
    ticket = platform.hub(HELP_DESK, "GET", f"{HUB}/incidents?pageSize=1").json()[0]
    return {"dateStart": 1_793_523_600_000, "ticketId": ticket["id"], "notes": "Put it out", "workType": "Regular"}


def created(platform: Platform, resource: str, unique: str) -> dict[str, Any]:
    record: dict[str, Any] = platform.hub(
        HELP_DESK, "POST", f"{HUB}/{resource}", fields_of(platform, resource, unique)
    ).json()
    return record


def is_in(part: Any, whole: Any) -> bool:
    if isinstance(part, dict):
        return all(name in whole and is_in(value, whole[name]) for name, value in part.items())
    return bool(part == whole)


@pytest.mark.row("GET, POST /hubs/helpdesk/{resource}")
@pytest.mark.row("GET, PATCH, DELETE /hubs/helpdesk/{resource}/{id}")
@pytest.mark.parametrize("resource", ["contacts", "incidents", "organizations", "time-entries"])
def test_a_record_is_made_read_changed_and_deleted_in_the_hubs_words(platform: Platform, resource):
    sent = fields_of(platform, resource, f"Made{resource}"[:30])
    made = platform.hub(HELP_DESK, "POST", f"{HUB}/{resource}", sent).json()
    path = f"{HUB}/{resource}/{made['id']}"

    assert is_in(sent, made)
    assert platform.hub(HELP_DESK, "GET", path).json() == made
    listed = platform.hub(HELP_DESK, "GET", f"{HUB}/{resource}?where=id='{made['id']}'").json()
    assert listed == [made]
    changed = platform.hub(HELP_DESK, "PATCH", path, CHANGES[resource] | READ_ONLY).json()
    assert is_in(CHANGES[resource], changed)
    assert changed["lastUpdated"] != READ_ONLY["lastUpdated"]
    assert platform.hub(HELP_DESK, "DELETE", path).content == b""
    for method in ("GET", "DELETE"):
        platform.hub(HELP_DESK, method, path, status=404)
    platform.hub(HELP_DESK, "PATCH", path, CHANGES[resource], status=404)


@pytest.mark.row("PUT, GET /hubs/helpdesk/incidents/{id}/comments")
@pytest.mark.row("GET, PATCH /hubs/helpdesk/incidents/{id}/comments/{cid}")
def test_comments_are_made_by_put_and_by_post(platform: Platform):
    ticket = created(platform, "incidents", "")["id"]
    path = f"{HUB}/incidents/{ticket}/comments"
    sent = {
        "noteText": "First look",
        "isPartOfDetailDescription": True,
        "isPartOfInternalAnalysis": False,
        "isPartOfResolution": False,
        "isExternalNote": False,
    }

    notes = [platform.hub(HELP_DESK, verb, path, sent).json() for verb in ("PUT", "POST")]

    assert is_in(sent, notes[0])
    listed = platform.hub(HELP_DESK, "GET", path).json()
    assert [one["id"] for one in listed] == [note["id"] for note in notes]
    assert platform.hub(HELP_DESK, "GET", f"{path}/{notes[0]['id']}").json()["noteText"] == "First look"
    changed = platform.hub(HELP_DESK, "PATCH", f"{path}/{notes[0]['id']}", {"noteText": "Second look"}).json()
    assert (changed["noteText"], changed["isPartOfDetailDescription"]) == ("Second look", True)
    platform.hub(HELP_DESK, "DELETE", f"{path}/{notes[0]['id']}", status=405)
    platform.hub(HELP_DESK, "GET", f"{path}/999999999", status=404)
    platform.hub(HELP_DESK, "GET", f"{HUB}/incidents/999999999/comments", status=404)


@pytest.mark.parametrize(
    "resource, name, where",
    [
        ("contacts", "email", "email='zoe@contract.example'"),
        ("incidents", "summary", "summary='Printer on fire'"),
        ("organizations", "companyName", "companyName='Contract & Sons'"),
        ("time-entries", "workType", "workType = 'Regular'"),
    ],
)
def test_clauses_that_clients_send_find_what_was_posted(platform: Platform, resource, name, where):
    made = created(platform, resource, f"Found{resource}"[:30])

    found = platform.hub(HELP_DESK, "GET", f"{HUB}/{resource}?where={quote(where, safe='')}").json()

    assert made["id"] in [one["id"] for one in found]
    assert {one[name] for one in found} == {made[name]}


@pytest.mark.parametrize(
    "resource, body, word",
    [
        ("contacts", {"lastName": "Nobody"}, "firstName"),
        ("contacts", {"firstName": "Ann", "shoeSize": 7}, "shoeSize"),
        ("incidents", TICKET | {"companyIdentifier": "no such company"}, "companyIdentifier"),
        ("incidents", TICKET | {"companyIdentifier": {"id": 1}}, "companyIdentifier"),
        ("time-entries", {"dateStart": "yesterday", "ticketId": 1}, "dateStart"),
    ],
)
def test_what_cannot_be_written_names_the_hubs_field(platform: Platform, resource, body, word):
    assert word in platform.hub(HELP_DESK, "POST", f"{HUB}/{resource}", body, status=400).json()["message"]
