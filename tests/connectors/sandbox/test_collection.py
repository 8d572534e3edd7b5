"""What tests and people do to the records, and how the API shows it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.sandbox import Sandbox
from tests.connectors.sandbox.conftest import Caller

CONTACTS = "/company/contacts"
AT = datetime(2024, 5, 1, 12, 0, 0, tzinfo=UTC)


def stamp_of(record) -> Any:
    return record["_info"].get("lastUpdated")


def test_added_record_looks_real_and_carries_what_was_said(sandbox, call):
    record = sandbox.contacts.add(at=AT, firstName="Zoë", title=None)
    assert record["firstName"] == "Zoë"
    assert "title" not in record
    assert record["communicationItems"]
    assert stamp_of(record) == "2024-05-01T12:00:00Z"
    assert record["id"] == max(sandbox.contacts.ids())
    assert call.get(f"{CONTACTS}/{record['id']}").json() == record == sandbox.contacts.get(record["id"])


def test_id_may_be_chosen_but_not_twice(sandbox):
    assert sandbox.contacts.add(id=500)["id"] == 500
    assert sandbox.contacts.add()["id"] == 501
    with pytest.raises(ValueError, match="Contact 500 exists"):
        sandbox.contacts.add(id=500)


def test_edit_changes_what_was_said_and_the_stamp(sandbox):
    before = sandbox.tickets.get(1)
    after = sandbox.tickets.edit(1, at=AT, summary="New")
    assert after["summary"] == "New"
    assert stamp_of(after) == "2024-05-01T12:00:00Z"
    assert after["_info"]["dateEntered"] == before["_info"]["dateEntered"]
    kept = {name: value for name, value in before.items() if name not in ("summary", "_info")}
    assert kept.items() <= after.items()


def test_stamps_come_from_the_sandbox_s_clock_in_whole_seconds(sandbox):
    sandbox.clock.freeze(AT + timedelta(milliseconds=999))
    assert stamp_of(sandbox.contacts.edit(1)) == "2024-05-01T12:00:00Z"
    sandbox.clock.advance(timedelta(milliseconds=1))
    assert stamp_of(sandbox.contacts.edit(1)) == "2024-05-01T12:00:01Z"


@pytest.mark.parametrize("at", ["2099-12-31T23:59:59Z", datetime(2099, 12, 31, 23, 59, 59, tzinfo=UTC)])
def test_stamp_may_lie_in_the_far_future(sandbox, call, at):
    sandbox.contacts.edit(1, at=at)
    assert stamp_of(call.get(f"{CONTACTS}/1").json()) == "2099-12-31T23:59:59Z"
    assert call.ids(CONTACTS, conditions="lastUpdated > [2099-01-01T00:00:00Z]") == [1]


@pytest.mark.parametrize("at", ["not a date", "", None])
def test_record_with_a_spoiled_stamp_is_found_under_the_moment_of_its_save(sandbox, call, at):
    sandbox.clock.freeze(AT)
    sandbox.contacts.edit(1, at=at)
    assert stamp_of(call.get(f"{CONTACTS}/1").json()) == at
    assert call.ids(CONTACTS, conditions="lastUpdated >= [2024-05-01T12:00:00Z]") == [1]


def test_info_is_taken_as_it_is_given(sandbox):
    assert sandbox.contacts.edit(1, _info={"lastUpdated": "x"})["_info"] == {"lastUpdated": "x"}
    assert "_info" not in sandbox.contacts.edit(1, _info=None)
    assert stamp_of(sandbox.contacts.edit(1, at=AT)) == "2024-05-01T12:00:00Z"


def test_many_records_may_share_one_stamp(sandbox, call):
    ids = [sandbox.contacts.add(at=AT + timedelta(days=900))["id"] for _ in range(30)]
    assert call.ids(CONTACTS, conditions="lastUpdated = [2026-10-18T12:00:00Z]") == ids


def test_hidden_record_appears_with_its_old_stamp_when_it_is_revealed(sandbox, call):
    record = sandbox.contacts.add(at=AT, is_hidden=True)
    assert call.get(f"{CONTACTS}/{record['id']}").status_code == 404
    assert record["id"] not in call.ids(CONTACTS)
    later = sandbox.contacts.add()
    assert later["id"] > record["id"]

    sandbox.contacts.reveal(record["id"])

    assert stamp_of(call.get(f"{CONTACTS}/{record['id']}").json()) == "2024-05-01T12:00:00Z"
    assert call.ids(CONTACTS)[-2:] == [record["id"], later["id"]]


def test_hidden_edit_leaves_the_old_version_to_be_read(sandbox, call):
    before = sandbox.contacts.get(1)
    sandbox.contacts.edit(1, at=AT, title="late", is_hidden=True)
    assert call.get(f"{CONTACTS}/1").json() == before
    sandbox.contacts.reveal(1)
    assert call.get(f"{CONTACTS}/1").json()["title"] == "late"
    with pytest.raises(KeyError):
        sandbox.contacts.reveal(1)


def test_what_is_returned_is_a_copy(sandbox):
    sandbox.contacts.get(1)["company"]["name"] = "spoiled"
    given = {"id": 1, "name": "given"}
    sandbox.contacts.edit(2, company=given)["company"]["name"] = "spoiled"
    given["name"] = "spoiled"
    assert sandbox.contacts.get(1)["company"]["name"] != "spoiled"
    assert sandbox.contacts.get(2)["company"]["name"] == "given"


def test_deleted_record_is_gone(sandbox, call):
    sandbox.contacts.delete(1)
    assert 1 not in sandbox.contacts.ids()
    assert call.get(f"{CONTACTS}/1").status_code == 404
    for act in (sandbox.contacts.delete, sandbox.contacts.get, sandbox.contacts.edit):
        with pytest.raises(KeyError):
            act(1)


@pytest.mark.parametrize("keeps, found", [(False, []), (True, [1])])
def test_hidden_fractions_bring_a_record_back_behind_its_own_stamp(keeps, found):
    with Sandbox.start(contacts=1, companies=0, tickets=0, hidden_fractions=keeps) as sandbox:
        sandbox.clock.freeze(AT + timedelta(milliseconds=700))
        assert stamp_of(sandbox.contacts.edit(1)) == "2024-05-01T12:00:00Z"
        assert Caller(sandbox).ids(CONTACTS, conditions="lastUpdated > [2024-05-01T12:00:00Z]") == found


def test_links_inside_records_name_another_host(sandbox):
    assert sandbox.contacts.get(1)["_info"]["notes_href"].startswith("https://na.myconnectwise.net/v2025_1//apis/3.0/")
