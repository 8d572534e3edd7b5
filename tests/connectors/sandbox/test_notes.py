"""Notes of tickets: theirs alone, and a save of the ticket each time."""

from __future__ import annotations

from datetime import timedelta

import pytest

NOTES = "/service/tickets/3/notes"
SAID = {"text": "Zoë called", "detailDescriptionFlag": True}


@pytest.fixture
def note(call) -> int:
    answer = call("POST", NOTES, json={**SAID, "ticketId": 4, "createdBy": "somebody"})
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"].endswith(f"{NOTES}/{answer.json()['id']}")
    return int(answer.json()["id"])


def test_note_belongs_to_the_ticket_of_its_path(sandbox, call, note):
    made = call.get(f"{NOTES}/{note}").json()
    assert made == sandbox.notes.get(note)
    assert (made["ticketId"], made["text"], made["createdBy"]) == (3, "Zoë called", "SandboxApi")
    assert made["dateCreated"] == made["_info"]["lastUpdated"]
    assert (made["internalFlag"], made["externalFlag"], made["member"]["identifier"]) == (False, True, "SandboxApi")
    elsewhere = call.get(f"/service/tickets/4/notes/{note}")
    assert (elsewhere.status_code, elsewhere.json()["message"]) == (404, f"ServiceNote {note} not found")
    for method in ("PUT", "PATCH", "DELETE"):
        assert call(method, f"/service/tickets/4/notes/{note}", json=[]).status_code == 404


def test_lists_and_counts_hold_the_notes_of_one_ticket(sandbox, call, note):
    other = sandbox.notes.add(ticketId=4, text="of another")["id"]
    mine = [number for number in sandbox.notes.ids() if sandbox.notes.get(number)["ticketId"] == 3]
    assert note in mine
    assert other not in mine
    assert call.ids(NOTES) == mine
    assert call.ids(NOTES, conditions="text contains 'Zoë'") == [note]
    assert call.get(f"{NOTES}/count").json() == {"count": len(mine)}
    first = call.get(NOTES, pageSize=1, headers={"pagination-type": "forward-only"})
    assert [one["id"] for one in first.json()] == mine[:1]
    second = call.get(NOTES, pageSize=1, pageId=mine[0], headers={"pagination-type": "forward-only"})
    assert [one["id"] for one in second.json()] == mine[1:2]
    found = call("POST", f"{NOTES}/search", json={"conditions": f"id = {note}"}).json()
    assert [one["id"] for one in found] == [note]
    assert call.ids("/service/tickets/4/notes", conditions="text = 'of another'") == [other]


@pytest.mark.parametrize("method, rest", [("GET", ""), ("GET", "/count"), ("POST", ""), ("DELETE", "/1")])
def test_ticket_that_is_not_there_is_404(call, method, rest):
    answer = call(method, f"/service/tickets/999/notes{rest}", json=SAID if method == "POST" else None)
    assert (answer.status_code, answer.json()["message"]) == (404, "Ticket 999 not found")


@pytest.mark.parametrize(
    "body, field",
    [
        ({"detailDescriptionFlag": True}, "text"),
        ({**SAID, "text": ""}, "text"),
        ({"text": "nowhere to stand"}, "detailDescriptionFlag"),
        ({**SAID, "member": {"identifier": "nobody"}}, "member/identifier"),
        ({**SAID, "contact": {"id": 999}}, "contact/id"),
        ({**SAID, "resolutionFlag": "perhaps"}, "resolutionFlag"),
    ],
)
def test_note_is_refused_with_its_problem_and_saves_nothing(sandbox, call, body, field):
    before = sandbox.tickets.get(3), sandbox.notes.ids()
    answer = call("POST", NOTES, json=body)
    assert (answer.status_code, answer.json()["message"]) == (400, "serviceNote object is invalid")
    assert [problem["field"] for problem in answer.json()["errors"]] == [field]
    assert (sandbox.tickets.get(3), sandbox.notes.ids()) == before


def test_patch_and_put_keep_the_ticket_and_who_wrote_the_note_when(sandbox, call, note):
    before = sandbox.notes.get(note)
    sandbox.clock.advance(seconds=60)
    patched = call("PATCH", f"{NOTES}/{note}", json=[{"op": "replace", "path": "text", "value": "again"}]).json()
    replaced = call("PUT", f"{NOTES}/{note}", json={"text": "new", "internalAnalysisFlag": True}).json()
    assert (patched["text"], patched["detailDescriptionFlag"]) == ("again", True)
    assert (replaced["text"], replaced["detailDescriptionFlag"], replaced["internalFlag"]) == ("new", False, True)
    for saved in (patched, replaced):
        assert [saved[name] for name in ("ticketId", "createdBy", "dateCreated")] == [
            before[name] for name in ("ticketId", "createdBy", "dateCreated")
        ]
        assert saved["_info"]["lastUpdated"] > before["_info"]["lastUpdated"]
    moved = call("PATCH", f"{NOTES}/{note}", json=[{"op": "replace", "path": "ticketId", "value": 4}])
    assert moved.status_code == 400


def test_every_change_of_a_note_saves_its_ticket(sandbox, call, note):
    def saved() -> tuple[str, str]:
        info = sandbox.tickets.get(3)["_info"]
        return info["lastUpdated"], info["updatedBy"]

    changes = [
        lambda: call("PATCH", f"{NOTES}/{note}", json=[{"op": "replace", "path": "text", "value": "again"}]),
        lambda: sandbox.notes.edit(note, text="by hand"),
        lambda: call("DELETE", f"{NOTES}/{note}"),
    ]
    seen = [saved()]
    for change in changes:
        sandbox.clock.advance(timedelta(minutes=1))
        change()
        seen.append(saved())
    assert [by for _, by in seen] == ["SandboxApi", "SandboxApi", "jsmith", "SandboxApi"]
    assert [at for at, _ in seen] == sorted({at for at, _ in seen})
    assert call.get(f"{NOTES}/{note}").status_code == 404


def test_note_is_told_by_a_callback_about_its_ticket(sandbox, call, listener):
    assert call.register(listener.url, type="ticket").status_code == 201
    call("POST", NOTES, json=SAID)
    listener.wait_for(1)
    assert [(body["Type"], body["Action"], body["ID"]) for body in listener.bodies] == [("ticket", "updated", 3)]


def test_deleted_ticket_takes_its_notes_along(sandbox, call, note):
    others = [number for number in sandbox.notes.ids() if sandbox.notes.get(number)["ticketId"] != 3]
    assert call("DELETE", "/service/tickets/3").status_code == 204
    assert sandbox.notes.ids() == others


def test_description_of_a_new_ticket_becomes_its_first_note(sandbox, call):
    body = {"summary": "Fire", "company": {"id": 1}, "initialDescription": "hot", "initialInternalAnalysis": "arson?"}
    made = call("POST", "/service/tickets", json=body).json()
    assert made == sandbox.tickets.get(made["id"])
    assert not {"initialDescription", "initialInternalAnalysis"} & set(made)
    notes = call.get(f"/service/tickets/{made['id']}/notes").json()
    flags = [(note["text"], note["detailDescriptionFlag"], note["internalAnalysisFlag"]) for note in notes]
    assert flags == [("hot", True, False), ("arson?", False, True)]


def test_description_that_is_no_text_makes_no_ticket(sandbox, call):
    before = sandbox.tickets.ids()
    answer = call("POST", "/service/tickets", json={"summary": "x", "company": {"id": 1}, "initialDescription": [1]})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "initialDescription")
    assert sandbox.tickets.ids() == before
