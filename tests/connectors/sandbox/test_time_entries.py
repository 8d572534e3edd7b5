"""Time entries: their shape, what a POST fills in, and what it refuses."""

from __future__ import annotations

import pytest

TIME = "/time/entries"
BEGUN = "2026-06-09T08:00:00Z"


def problems(answer) -> list[tuple[str, str]]:
    assert answer.status_code == 400, answer.text
    assert answer.json()["message"] == "timeEntry object is invalid"
    return [(problem["code"], problem["field"]) for problem in answer.json()["errors"]]


def test_who_entered_it_when_stands_outside_of_info(sandbox, call):
    made = call("POST", TIME, json={"timeStart": BEGUN, "enteredBy": "somebody", "dateEntered": BEGUN}).json()
    assert made["enteredBy"] == "SandboxApi"
    assert made["dateEntered"] == made["_info"]["lastUpdated"] != BEGUN
    assert set(made["_info"]) == {"lastUpdated", "updatedBy"}
    assert call.ids(TIME, conditions=f"dateEntered = [{made['dateEntered']}] and enteredBy = 'sandboxapi'") == [
        made["id"]
    ]

    sandbox.clock.advance(seconds=60)
    path = f"{TIME}/{made['id']}"
    call("PATCH", path, json=[{"op": "replace", "path": "notes", "value": "done"}])
    replaced = call("PUT", path, json={"timeStart": BEGUN}).json()
    assert (replaced["dateEntered"], replaced["enteredBy"]) == (made["dateEntered"], "SandboxApi")
    assert replaced["_info"]["lastUpdated"] > made["_info"]["lastUpdated"]
    by_hand = sandbox.time_entries.edit(made["id"], notes="again")
    assert (by_hand["enteredBy"], by_hand["_info"]["updatedBy"]) == ("SandboxApi", "jsmith")


def test_post_fills_in_ticket_company_and_hours(sandbox, call):
    body = {"chargeToId": 3, "timeStart": BEGUN, "timeEnd": "2026-06-09T10:30:00Z", "hoursDeduct": 0.25}
    made = call("POST", TIME, json=body).json()
    assert (made["chargeToType"], made["actualHours"], made["billableOption"]) == ("ServiceTicket", 2.25, "Billable")
    assert (made["ticket"]["id"], made["ticket"]["summary"]) == (3, sandbox.tickets.get(3)["summary"])
    assert made["company"] == sandbox.tickets.get(3)["company"]
    assert (made["status"], made["member"]["identifier"]) == ("Open", "SandboxApi")
    assert call.ids(TIME, conditions=f"ticket/id = 3 and id = {made['id']}") == [made["id"]]


@pytest.mark.parametrize(
    "fields, expected",
    [
        ({"timeStart": None}, [("MissingRequiredField", "timeStart")]),
        ({"timeStart": "soon"}, [("InvalidField", "timeStart")]),
        ({"timeEnd": "2026-06-09T07:00:00Z"}, [("InvalidField", "timeEnd")]),
        ({"chargeToType": "Ticket"}, [("InvalidField", "chargeToType")]),
        ({"billableOption": "Free"}, [("InvalidField", "billableOption")]),
        ({"status": "Lost"}, [("InvalidField", "status")]),
        ({"chargeToId": 9999}, [("NotFound", "chargeToId")]),
        ({"chargeToType": "ServiceTicket"}, [("NotFound", "chargeToId")]),
        ({"member": {"identifier": "nobody"}}, [("NotFound", "member/identifier")]),
    ],
)
def test_post_is_refused_with_its_problems(call, fields, expected):
    assert problems(call("POST", TIME, json={"timeStart": BEGUN, **fields})) == expected


def test_seeded_entries_are_charged_to_tickets_there_are(sandbox):
    entries = [sandbox.time_entries.get(number) for number in sandbox.time_entries.ids()]
    charged = [entry for entry in entries if entry["chargeToType"] == "ServiceTicket"]
    assert len(entries) == 20
    assert 0 < len(charged) < 200
    for entry in charged:
        assert entry["chargeToId"] == entry["ticket"]["id"] in sandbox.tickets.ids()
        assert entry["company"] == sandbox.tickets.get(entry["chargeToId"])["company"]


def test_entries_are_listed_as_other_records(sandbox, call):
    ids = call.ids(TIME, conditions="lastUpdated > [2022-06-01T00:00:00Z]", orderBy="lastUpdated asc,id asc")
    stamps = [(sandbox.time_entries.get(number)["_info"]["lastUpdated"], number) for number in ids]
    assert 0 < len(ids) < 200
    assert stamps == sorted(stamps)
    assert call.get(f"{TIME}/9999").json()["message"] == "TimeEntry 9999 not found"
    assert call("DELETE", f"{TIME}/1").status_code == 204
