"""The set-up tables: read like any list, and written by nobody."""

from __future__ import annotations

import pytest

from connectors.sandbox import Sandbox


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox.start(contacts=1, companies=1, tickets=1) as running:
        yield running


@pytest.mark.parametrize(
    "path, conditions, found",
    [
        ("/company/communicationTypes", "emailFlag = true and defaultFlag = true", ["Email"]),
        ("/company/communicationTypes", "phoneFlag = true and defaultFlag = true", ["Direct"]),
        ("/company/communicationTypes", "phoneFlag = true", ["Direct", "Cell"]),
        ("/company/communicationTypes", "faxFlag = true and defaultFlag = true", ["Fax"]),
        ("/service/boards", "name = 'help desk'", ["Help Desk"]),
        ("/service/boards/2/statuses", "closedStatus = true", ["Completed", "Closed"]),
        ("/service/boards/2/statuses", "boardId = 1", []),
        ("/service/priorities", "level = 'High'", ["Priority 2 - High"]),
        ("/company/companies/statuses", "defaultFlag = true", ["Active"]),
        ("/company/marketDescriptions", "name like 'retail*'", ["Retail & Hospitality"]),
        ("/company/configurations/types", "id = 2", ["Server"]),
        ("/time/workTypes", "name = 'Regular'", ["Regular"]),
        ("/schedule/types", "identifier = 'S'", ["Service"]),
        ("/system/members", "identifier = 'SANDBOXAPI'", ["SandboxApi"]),
    ],
)
def test_tables_are_found_by_conditions(call, path, conditions, found):
    rows = call.get(path, conditions=conditions).json()
    assert [row.get("description") or row.get("name") or row["identifier"] for row in rows] == found
    assert call.get(f"{path}/count", conditions=conditions).json() == {"count": len(found)}
    assert [call.get(f"{path}/{row['id']}").json() for row in rows] == rows


@pytest.mark.parametrize("method, rest", [("POST", ""), ("PUT", "/1"), ("PATCH", "/1"), ("DELETE", "/1")])
@pytest.mark.parametrize("path", ["/company/communicationTypes", "/service/boards/1/statuses", "/system/members"])
def test_tables_are_not_written(call, path, method, rest):
    before = call.get(path).json()
    assert call(method, f"{path}{rest}", json={"name": "x"}).status_code == 405
    assert call.get(path).json() == before


def test_members_are_found_by_identifier_too(call):
    assert call.get("/system/members/MGarcia").json() == call.get("/system/members/102").json()
    assert call.get("/system/members/102").json()["lastName"] == "García"
    missing = call.get("/system/members/nobody")
    assert (missing.status_code, missing.json()["message"]) == (404, "Member nobody not found")


@pytest.mark.parametrize(
    "path, message",
    [
        ("/service/boards/9/statuses", "Board 9 not found"),
        ("/service/boards/1/statuses/20", "BoardStatus 20 not found"),
        ("/service/boards/1/types", "The endpoint does not exist."),
        ("/service/boards/jsmith", "The endpoint does not exist."),
        ("/company/companies/statuses/9", "CompanyStatus 9 not found"),
    ],
)
def test_what_is_not_there_is_404(call, path, message):
    answer = call.get(path)
    assert (answer.status_code, answer.json()["message"]) == (404, message)


def test_table_is_changed_by_hand_in_one_sandbox_only(call, sandbox):
    path = "/company/communicationTypes"
    sandbox.tables[path].edit(1, defaultFlag=False)
    try:
        assert call.ids(path, conditions="emailFlag = true and defaultFlag = true") == []
        assert Sandbox(contacts=0, companies=0, tickets=0).tables[path].get(1)["defaultFlag"] is True
    finally:
        sandbox.tables[path].edit(1, defaultFlag=True)
