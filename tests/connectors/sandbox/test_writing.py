"""POST, PUT, PATCH and DELETE: what is taken and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

CONTACTS, COMPANIES, TICKETS = "/company/contacts", "/company/companies", "/service/tickets"
NOW = datetime(2026, 6, 9, 21, 59, 47, tzinfo=UTC)


@pytest.fixture(autouse=True)
def frozen(sandbox):
    sandbox.clock.freeze(NOW)


def problems(answer) -> list[tuple[str, str]]:
    """(inner code, field) of a validation error."""
    assert answer.status_code == 400, answer.text
    assert answer.json()["code"] == "InvalidObject"
    return [(problem["code"], problem["field"]) for problem in answer.json()["errors"]]


def patch(call, path, *operations):
    return call("PATCH", path, json=list(operations))


# POST


def test_post_creates_a_record_with_defaults_and_a_place(sandbox, call):
    body = {
        "firstName": "Zoë",
        "company": {"id": "1"},
        "unknownField": 5,
        "id": 99_999,
        "lastName": None,
        "communicationItems": [{"type": {"id": 1}, "value": "zoe@acme.example", "defaultFlag": True}],
    }
    answer = call("POST", CONTACTS, json=body)

    assert answer.status_code == 201
    made = answer.json()
    assert answer.headers["Location"].endswith(f"{CONTACTS}/{made['id']}")
    assert made["id"] == max(sandbox.contacts.ids()) != 99_999
    assert made["company"]["identifier"] == sandbox.companies.get(1)["identifier"]
    assert made["inactiveFlag"] is False
    assert "lastName" not in made
    assert "unknownField" not in made
    assert made["communicationItems"][0]["domain"] == "@acme.example"
    assert made["communicationItems"][0]["communicationType"] == "Email"
    assert made["_info"]["lastUpdated"] == "2026-06-09T21:59:47Z"
    assert made["_info"]["updatedBy"] == "SandboxApi"
    assert "dateEntered" not in made["_info"]
    assert call.get(f"{CONTACTS}/{made['id']}").json() == made


def test_post_of_a_ticket_says_who_entered_it_when(call):
    made = call("POST", TICKETS, json={"summary": "Fire", "company": {"id": 1}, "initialDescription": "hot"}).json()
    assert made["_info"]["dateEntered"] == made["_info"]["lastUpdated"] == "2026-06-09T21:59:47Z"
    assert made["_info"]["enteredBy"] == "SandboxApi"
    assert (made["board"]["id"], made["status"]["name"], made["closedFlag"]) == (1, "New", False)
    assert "initialDescription" not in made


def test_post_answers_with_the_fields_asked_for(call):
    made = call("POST", f"{CONTACTS}?fields=firstName", json={"firstName": "Ann"}).json()
    assert made == {"firstName": "Ann"}


@pytest.mark.parametrize(
    "path, body, expected",
    [
        (CONTACTS, {}, [("MissingRequiredField", "firstName")]),
        (CONTACTS, {"firstName": ""}, [("MissingRequiredField", "firstName")]),
        (COMPANIES, {"city": "Tampa"}, [("MissingRequiredField", "identifier"), ("MissingRequiredField", "name")]),
        (TICKETS, {"summary": "x"}, [("MissingRequiredField", "company")]),
        (CONTACTS, {"firstName": "x" * 31}, [("MaxLengthField", "firstName")]),
        (TICKETS, {"summary": "x" * 101, "company": {"id": 1}}, [("MaxLengthField", "summary")]),
        (CONTACTS, {"firstName": "A", "company": {"id": 999}}, [("NotFound", "company/id")]),
        (CONTACTS, {"firstName": "A", "company": {"identifier": "?"}}, [("NotFound", "company/identifier")]),
        (CONTACTS, {"firstName": "A", "company": 1}, [("InvalidField", "company")]),
        (CONTACTS, {"firstName": {"a": 1}}, [("InvalidField", "firstName")]),
        (CONTACTS, {"firstName": "A", "inactiveFlag": "perhaps"}, [("InvalidField", "inactiveFlag")]),
        (CONTACTS, {"firstName": "A", "portalSecurityLevel": "high"}, [("InvalidField", "portalSecurityLevel")]),
        (CONTACTS, {"firstName": "A", "birthDay": "soon"}, [("InvalidField", "birthDay")]),
        (CONTACTS, {"firstName": "A", "communicationItems": "x"}, [("InvalidField", "communicationItems")]),
        (
            CONTACTS,
            {"firstName": "A", "communicationItems": [{"type": {"id": 77}, "value": "x"}]},
            [("NotFound", "communicationItems/type/id")],
        ),
        (TICKETS, {"summary": "x", "company": {"id": 1}, "board": {"id": 77}}, [("NotFound", "board/id")]),
        (TICKETS, {"summary": "x", "company": {"id": 1}, "status": {"name": "Lost"}}, [("NotFound", "status/name")]),
        (COMPANIES, {"identifier": "N", "name": "N", "market": {"name": "Moon"}}, [("NotFound", "market/name")]),
        (CONTACTS, {"firstName": "A", "portalSecurityLevel": 10**15}, [("InvalidField", "portalSecurityLevel")]),
    ],
)
def test_post_is_refused_with_its_problems(sandbox, call, path, body, expected):
    before = [collection.ids() for collection in sandbox.collections.values()]
    assert problems(call("POST", path, json=body)) == expected
    assert [collection.ids() for collection in sandbox.collections.values()] == before


def test_messages_are_those_of_connectwise(call):
    answer = call("POST", CONTACTS, json={}).json()
    assert answer["message"] == "contact object is invalid"
    assert answer["errors"][0]["message"] == "The firstName field is required."
    assert answer["errors"][0]["resource"] == "contact"
    answer = call("POST", TICKETS, json={"summary": "x" * 101, "company": {"id": 1}}).json()
    expected = "The field summary must be a string with a maximum length of 100."
    assert answer["errors"][0]["message"] == expected


def test_company_identifier_is_taken_once(call):
    body = {"identifier": "NewCo", "name": "New Co", "addressLine1": "1 Street"}
    assert call("POST", COMPANIES, json=body).status_code == 201
    assert problems(call("POST", COMPANIES, json=body | {"identifier": "newco"})) == [("ObjectExists", "identifier")]


@pytest.mark.parametrize("number", [b"1e400", b"-Infinity", b"NaN"])
def test_number_that_is_none_is_refused(call, number):
    body = b'{"firstName":"A","portalSecurityLevel":%s}' % number
    answer = call("POST", CONTACTS, data=body, headers={"Content-Type": "application/json"})
    assert problems(answer) == [("InvalidField", "portalSecurityLevel")]


@pytest.mark.parametrize("body", [b"", b"{", b"[1,", b"null", b"[]", b'"text"', b'{"firstName":"\\ud800"}', b"\xff"])
def test_body_that_is_no_json_object_is_refused(call, body):
    answer = call("POST", CONTACTS, data=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400


# PATCH


def test_patch_needs_an_array_even_for_one_operation(call):
    operation = {"op": "replace", "path": "title", "value": "CFO"}
    assert call("PATCH", f"{CONTACTS}/1", json=operation).status_code == 400
    assert patch(call, f"{CONTACTS}/1", operation).json()["title"] == "CFO"


def test_patch_takes_paths_with_and_without_slash_and_moves_the_stamp(sandbox, call):
    before = sandbox.contacts.get(1)
    answer = patch(
        call,
        f"{CONTACTS}/1",
        {"op": "replace", "path": "/title", "value": "CFO"},
        {"op": "add", "path": "nickName", "value": "Z"},
        {"op": "remove", "path": "lastName"},
    )
    assert answer.status_code == 200
    record = answer.json()
    assert (record["title"], record["nickName"]) == ("CFO", "Z")
    assert "lastName" not in record
    assert record["_info"]["lastUpdated"] == "2026-06-09T21:59:47Z" > before["_info"]["lastUpdated"]
    assert sandbox.contacts.get(1) == record


def test_patch_that_changes_nothing_is_a_save(sandbox, call):
    title = sandbox.contacts.get(1)["title"]
    patch(call, f"{CONTACTS}/1", {"op": "replace", "path": "title", "value": title})
    assert sandbox.contacts.get(1)["_info"]["lastUpdated"] == "2026-06-09T21:59:47Z"


@pytest.mark.parametrize("reference", [{"id": 2}, {"identifier": "$"}, {"id": "2"}])
def test_reference_is_replaced_whole(sandbox, call, reference):
    company = sandbox.companies.get(2)
    reference = {key: company["identifier"] if value == "$" else value for key, value in reference.items()}
    answer = patch(call, f"{CONTACTS}/1", {"op": "replace", "path": "company", "value": reference})
    assert answer.json()["company"]["name"] == company["name"]


def test_path_into_a_reference_is_answered_200_and_changes_nothing(sandbox, call):
    before = sandbox.contacts.get(1)["company"]
    answer = patch(call, f"{CONTACTS}/1", {"op": "replace", "path": "company/identifier", "value": "Other"})
    assert answer.status_code == 200
    assert answer.json()["company"] == before


@pytest.mark.parametrize("path", ["Title", "nonsense", "/id", "_info", "_info/lastUpdated", ""])
def test_path_of_the_wrong_case_or_of_a_read_only_field_is_refused(sandbox, call, path):
    before = sandbox.contacts.get(1)
    assert problems(patch(call, f"{CONTACTS}/1", {"op": "replace", "path": path, "value": "x"}))[0][0] == "InvalidField"
    assert sandbox.contacts.get(1) == before


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "title", "value": "x"},
        {"op": "move", "path": "title", "from": "nickName"},
        {"path": "title", "value": "x"},
        {"op": "replace", "value": "x"},
        {"op": "replace", "path": "/communicationItems/9/value", "value": "x"},
        {"op": "replace", "path": "/communicationItems/x", "value": {}},
        {"op": "remove", "path": f"/communicationItems/{'9' * 5000}"},
        {"op": "add", "path": "/communicationItems/-", "value": "x"},
        "text",
    ],
)
def test_operation_that_cannot_be_is_refused_and_changes_nothing(sandbox, call, operation):
    before = sandbox.contacts.get(1)
    first = {"op": "replace", "path": "title", "value": "changed"}
    assert patch(call, f"{CONTACTS}/1", first, operation).status_code == 400
    assert sandbox.contacts.get(1) == before


def test_removing_what_is_required_is_refused(call):
    operation = {"op": "remove", "path": "firstName"}
    assert problems(patch(call, f"{CONTACTS}/1", operation)) == [("MissingRequiredField", "firstName")]


def test_items_are_reached_by_their_index(sandbox, call):
    path = f"{CONTACTS}/1"
    patch(call, path, {"op": "replace", "path": "/communicationItems/1/value", "value": "555"})
    assert sandbox.contacts.get(1)["communicationItems"][1]["value"] == "555"
    patch(
        call, path, {"op": "remove", "path": "/communicationItems/1"}, {"op": "remove", "path": "/communicationItems/0"}
    )
    assert sandbox.contacts.get(1)["communicationItems"] == []


def test_new_default_item_clears_the_old_one_of_its_type(sandbox, call):
    value = {"type": {"id": 1}, "value": "new@acme.example", "defaultFlag": True}
    record = patch(call, f"{CONTACTS}/1", {"op": "add", "path": "/communicationItems/-", "value": value}).json()
    emails = [item for item in record["communicationItems"] if item["communicationType"] == "Email"]
    assert [(item["value"], item["defaultFlag"]) for item in emails][-1] == ("new@acme.example", True)
    assert [item["defaultFlag"] for item in emails].count(True) == 1
    assert [item["defaultFlag"] for item in record["communicationItems"] if item["communicationType"] == "Phone"] == [
        True
    ]
    assert len({item["id"] for item in record["communicationItems"]}) == len(record["communicationItems"])


def test_custom_fields_that_are_not_named_keep_their_value(call):
    def values(record) -> dict[int, object]:
        return {item["id"]: item["value"] for item in record["customFields"]}

    def set_to(value):
        return {"op": "replace", "path": "customFields", "value": value}

    before = values(patch(call, f"{CONTACTS}/1", set_to([{"id": 15, "value": "West"}])).json())
    after = values(patch(call, f"{CONTACTS}/1", set_to([{"id": 16, "value": True}])).json())
    assert after == before | {16: True}
    assert values(patch(call, f"{CONTACTS}/1", set_to([])).json()) == after


def test_status_belongs_to_its_board(call):
    made = call("POST", TICKETS, json={"summary": "x", "company": {"id": 1}}).json()
    path = f"{TICKETS}/{made['id']}"
    answer = patch(call, path, {"op": "replace", "path": "board", "value": {"id": 2}})
    assert problems(answer) == [("NotFound", "status/id")]
    assert answer.json()["errors"][0]["message"] == "Service Status 10 not found for Service Board 2"
    answer = patch(
        call,
        path,
        {"op": "replace", "path": "board", "value": {"id": 2}},
        {"op": "replace", "path": "status", "value": {"id": 24}},
    )
    assert answer.json()["closedFlag"] is True


def test_status_is_found_by_its_name_on_the_board_of_the_ticket(call):
    body = {"summary": "x", "company": {"id": 1}, "board": {"name": "alerts"}, "status": {"name": "closed"}}
    made = call("POST", TICKETS, json=body).json()
    assert (made["status"]["id"], made["status"]["name"], made["closedFlag"]) == (44, "Closed", True)
    path = f"{TICKETS}/{made['id']}"
    changes = [("status", {"name": "New"}), ("board", {"id": 2})]  # in whatever order
    record = patch(call, path, *({"op": "replace", "path": name, "value": value} for name, value in changes)).json()
    assert (record["board"]["id"], record["status"]["id"]) == (2, 20)


# PUT, DELETE, what is not there


def test_put_replaces_everything_but_who_entered_it(sandbox, call):
    entered = sandbox.tickets.get(1)["_info"]["dateEntered"]
    answer = call("PUT", f"{TICKETS}/1", json={"summary": "New", "company": {"id": 1}})
    assert answer.status_code == 200
    record = answer.json()
    assert (record["id"], record["summary"], record["severity"]) == (1, "New", "Medium")
    assert "requiredDate" not in record
    assert record["_info"]["dateEntered"] == entered
    assert record["_info"]["lastUpdated"] == "2026-06-09T21:59:47Z"
    assert problems(call("PUT", f"{TICKETS}/1", json={"summary": "New"})) == [("MissingRequiredField", "company")]


def test_delete_is_204_once(sandbox, call):
    answer = call("DELETE", f"{CONTACTS}/1")
    assert (answer.status_code, answer.content) == (204, b"")
    assert 1 not in sandbox.contacts.ids()
    assert call("DELETE", f"{CONTACTS}/1").status_code == 404


@pytest.mark.parametrize(
    "method, options", [("GET", {}), ("DELETE", {}), ("PUT", {"json": {}}), ("PATCH", {"json": []})]
)
def test_record_that_is_not_there_is_404(call, method, options):
    answer = call(method, f"{CONTACTS}/57919", **options)
    assert answer.status_code == 404
    assert answer.json() == {"code": "NotFound", "message": "Contact 57919 not found"}


def test_company_in_use_is_not_deleted(sandbox, call):
    company = call("POST", COMPANIES, json={"identifier": "Free", "name": "Free"}).json()
    sandbox.contacts.add(company={"id": company["id"], "name": "Free"})
    assert call("DELETE", f"{COMPANIES}/{company['id']}").status_code == 409
    sandbox.contacts.delete(max(sandbox.contacts.ids()))
    assert call("DELETE", f"{COMPANIES}/{company['id']}").status_code == 204
