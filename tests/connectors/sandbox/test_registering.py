"""What is taken and what is refused at `/system/callbacks`, and whom a change concerns."""

from __future__ import annotations

import uuid

import pytest

from connectors.sandbox.registering import called_url, concerns

CALLBACKS = "/system/callbacks"
URL = "https://hub.example/webhook?recordId="

TYPES_AND_LEVELS = """
Activity: Owner, Status, Type, Company, Activity
Agreement: Owner, Type, Company, Agreement
Company: Owner, Status, Type, Territory, Company, IntegratorTag
Contact: Owner, Type, Territory, Company, Contact
Configuration: Owner, Type, Status, Configuration
Invoice: Owner, Status, Company, Invoice
Expense: Owner, ChargeToType, Type, Class, Company, Expense
Member: Owner, Location, SecurityRole, Member
Opportunity: Owner, StatusId, Company, Opportunity
ProductCatalog: Owner
Project: Owner, Status, Board, Project
PurchaseOrder: Owner, Status, Vendor, Company, PurchaseOrder
Schedule: Owner, Status, Type, Location, Member, Schedule
Site: Owner, Territory, Company, Site
Ticket: Owner, Board, Project, Phase, Status, Ticket, IntegratorTag
Time: Owner, Company, Time
"""
PAIRS = [
    (type_, level.strip())
    for type_, _, levels in (line.partition(":") for line in TYPES_AND_LEVELS.split("\n") if line)
    for level in levels.split(",")
]
ALL_LEVELS = {level for _, level in PAIRS}


def problems(answer) -> list[tuple[str, str, str]]:
    """(inner code, message, field) of a refusal."""
    assert answer.status_code == 400, answer.text
    said = answer.json()
    assert (said["code"], said["message"]) == ("InvalidObject", "callbackEntry object is invalid")
    assert {problem["resource"] for problem in said["errors"]} == {"callbackEntry"}
    return [(problem["code"], problem["message"], problem["field"]) for problem in said["errors"]]


def test_registration_comes_back_complete(call, sandbox):
    answer = call.register(URL, type="contact", level="owner", objectId=0, description="hd instance 42")

    assert answer.status_code == 201
    made = answer.json()
    assert answer.headers["Location"].endswith(f"{CALLBACKS}/{made['id']}")
    assert uuid.UUID(made.pop("connectWiseID"))
    assert made.pop("_info") == {"lastUpdated": made_at(sandbox, made["id"]), "updatedBy": "SandboxApi"}
    assert made == {
        "id": made["id"],
        "url": URL,
        "description": "hd instance 42",
        "objectId": 1,
        "type": "contact",
        "level": "owner",
        "memberId": 104,
        "payloadVersion": "3.0.0",
        "inactiveFlag": False,
        "isSoapCallbackFlag": False,
        "isSelfSuppressedFlag": False,
    }


def made_at(sandbox, registration_id: int) -> str:
    return str(sandbox.registrations.get(registration_id)["_info"]["lastUpdated"])


def test_every_level_of_every_type_is_taken_in_any_letter_case(call):
    for type_, level in PAIRS:
        assert call.register(URL, type=type_, level=level).status_code == 201, (type_, level)
    for type_, level in PAIRS:
        assert call.register(f"{URL}2", type=type_.lower(), level=level.upper()).status_code == 201, (type_, level)


def test_level_of_another_type_is_refused(call, sandbox):
    for type_ in sorted({type_ for type_, _ in PAIRS}):
        for level in sorted(ALL_LEVELS - {level for one, level in PAIRS if one == type_}):
            ((code, _, field),) = problems(call.register(URL, type=type_, level=level))
            assert (code, field) == ("InvalidObject", "level")
    assert sandbox.registrations.ids() == []


@pytest.mark.parametrize(
    "fields, expected",
    [
        ({"url": "no url"}, ("InvalidField", "Invalid URL", "url")),
        ({"url": "hub.example/webhook"}, ("InvalidField", "Invalid URL", "url")),
        ({"url": "ftp://hub.example/webhook"}, ("InvalidField", "Invalid URL", "url")),
        ({"url": "https:///webhook"}, ("InvalidField", "Invalid URL", "url")),
        ({"url": "https://hub.example:x/webhook"}, ("InvalidField", "Invalid URL", "url")),
        ({"url": "https://hub.example/a b"}, ("InvalidField", "Invalid URL", "url")),
        ({"url": None}, ("MissingRequiredField", "The url field is required.", "url")),
        ({"objectId": None}, ("MissingRequiredField", "The objectId field is required.", "objectId")),
        ({"objectId": 1.5}, ("InvalidField", "The field objectId must be a whole number.", "objectId")),
        ({"type": "nothing"}, ("InvalidObject", "The type nothing is not valid", "type")),
        (
            {"description": "x" * 101},
            (
                "MaxLengthField",
                "The field description must be a string with a maximum length of 100.",
                "description",
            ),
        ),
    ],
)
def test_refusals_name_the_field(call, fields, expected):
    assert problems(call.register(**{"url": URL, **fields})) == [expected]


def test_description_of_100_characters_is_taken(call):
    assert call.register(URL, description="x" * 100).status_code == 201


def test_second_identical_registration_is_refused(call):
    assert call.register(URL).status_code == 201
    refused = [("ObjectExists", "A matching callback entry already exists", "objectId")]
    assert problems(call.register(URL)) == refused
    assert problems(call.register(URL, type="Contact", level="OWNER", objectId=0)) == refused
    for other in ({"url": f"{URL}2"}, {"type": "ticket"}, {"level": "company"}, {"objectId": 2}):
        assert call.register(**{"url": URL, **other}).status_code == 201


def test_registration_cannot_be_changed_into_a_second_identical_one(call):
    call.register(URL)
    other = call.register(URL, type="ticket").json()["id"]
    answer = call("PATCH", f"{CALLBACKS}/{other}", json=[{"op": "replace", "path": "type", "value": "contact"}])
    assert problems(answer)[0][0] == "ObjectExists"


def test_registrations_are_found_by_their_url_and_paged(call):
    ids = [call.register(f"https://hub.example/{name}?recordId=").json()["id"] for name in "abc"]
    assert call.ids(CALLBACKS, conditions='url contains "HUB.example/b"') == [ids[1]]
    assert call.ids(CALLBACKS, conditions='type="Contact" and level="owner" and inactiveFlag=False') == ids
    assert call.ids(CALLBACKS, conditions='objectId=1 and url like "%/c?%"') == [ids[2]]
    assert call.get(f"{CALLBACKS}/count").json() == {"count": 3}
    page = call.get(CALLBACKS, pageSize=2)
    assert 'rel="next"' in page.headers["Link"]
    assert call.get(f"{CALLBACKS}/{ids[0]}").json() == page.json()[0]


def test_registration_is_disabled_enabled_replaced_and_deleted(call):
    made = call.register(URL).json()
    path = f"{CALLBACKS}/{made['id']}"

    for value in (True, False):
        answer = call("PATCH", path, json=[{"op": "replace", "path": "/inactiveFlag", "value": value}])
        assert answer.json()["inactiveFlag"] is value
    body = {"url": f"{URL}2", "objectId": 3, "type": "ticket", "level": "board"}
    replaced = call("PUT", path, json=body).json()
    assert {name: replaced[name] for name in body} == body
    assert replaced["connectWiseID"] == made["connectWiseID"]

    assert call("DELETE", path).status_code == 204
    assert call("DELETE", path).status_code == 404
    assert call.get(path).json() == {"code": "NotFound", "message": f"CallbackEntry {made['id']} not found"}


def test_patch_needs_an_array_and_leaves_read_only_fields_alone(call):
    path = f"{CALLBACKS}/{call.register(URL).json()['id']}"
    assert call("PATCH", path, json={"op": "replace", "path": "inactiveFlag", "value": True}).status_code == 400
    for name in ("memberId", "payloadVersion", "connectWiseID", "InactiveFlag"):
        answer = call("PATCH", path, json=[{"op": "replace", "path": name, "value": "5"}])
        assert problems(answer)[0][0] == "InvalidField"


@pytest.mark.parametrize(
    "registered, called",
    [
        ("https://h/p", "https://h/p?7601&action=updated"),
        ("https://h/p?a=5&b=6", "https://h/p?a=5&b=67601&action=updated"),
        ("https://h/p?a=5&recordId=", "https://h/p?a=5&recordId=7601&action=updated"),
        ("https://h/p&recordId=", "https://h/p&recordId=7601&action=updated"),
        ("https://h", "https://h?7601&action=updated"),
    ],
)
def test_record_and_action_are_glued_to_the_url(registered, called):
    assert called_url(registered, record_id=7601, action="updated") == called


TICKET = {
    "id": 7,
    "board": {"id": 2},
    "status": {"id": 21},
    "company": {"id": 5},
    "types": [{"id": 3}, {"id": 4}],
    "site": {},
    "integratorTags": ["x"],
}


@pytest.mark.parametrize(
    "registration, is_concerned",
    [
        (("ticket", "owner", 1), True),
        (("Ticket", "OWNER", 999), True),
        (("contact", "owner", 1), False),
        (("ticket", "ticket", 7), True),
        (("ticket", "ticket", 8), False),
        (("ticket", "board", 2), True),
        (("ticket", "board", 3), False),
        (("ticket", "Status", 21), True),
        (("ticket", "company", 5), True),
        (("ticket", "type", 4), True),
        (("ticket", "type", 5), False),
        (("ticket", "project", 1), False),
        (("ticket", "site", None), False),
        (("ticket", "integratortag", 1), False),
    ],
)
def test_level_says_which_records_are_concerned(registration, is_concerned):
    fields = dict(zip(("type", "level", "objectId"), registration, strict=True))
    assert concerns(fields, type_="ticket", record=TICKET) is is_concerned
