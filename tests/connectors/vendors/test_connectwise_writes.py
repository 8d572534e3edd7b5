from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.element import Field, Resource
from connectors.elements.connectwisecrmrest.definition import ATTACHED_CONFIGURATIONS, COMMENTS, CONTACTS, MEMBERS
from connectors.errors import InvalidRecord, RateLimited, TryLater, UnusableAnswer
from connectors.vendors import connectwise_writes as writes

names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
values = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.fixed_dictionaries({"id": st.integers()})


def test_changes_replace_members_whole_and_remove_nulls():
    document: writes.Document = {
        "summary": "New",
        "company": {"identifier": "Acme"},
        "title": None,
        "approved": False,
        "types": [],
    }

    assert writes.changes(document) == [
        {"op": "replace", "path": "/summary", "value": "New"},
        {"op": "replace", "path": "/company", "value": {"identifier": "Acme"}},
        {"op": "remove", "path": "/title"},
        {"op": "replace", "path": "/approved", "value": False},
        {"op": "replace", "path": "/types", "value": []},
    ]


@settings(max_examples=50)
@given(st.dictionaries(names, values, max_size=6))
def test_changes_carry_every_member_once(document: writes.Document):
    changes = writes.changes(document)

    assert {change["path"].removeprefix("/"): change.get("value") for change in changes} == document
    assert [change["op"] == "remove" for change in changes] == [value is None for value in document.values()]
    assert writes.without_nulls(document) == {name: value for name, value in document.items() if value is not None}


def test_what_the_provider_fills_in_is_passed_over_and_unknown_fields_are_not():
    sent = {"id": 7, "_info": {}, "defaultPhoneNbr": "1", "mobileGuid": "g", "firstName": "Zoë", "companyFoo": 1}

    assert writes.without_read_only(sent, resource=CONTACTS) == {"firstName": "Zoë", "companyFoo": 1}
    assert writes.without_read_only({"text": "x", "ticketId": 9}, resource=COMMENTS) == {"text": "x"}


def test_id_that_is_required_is_sent():
    assert writes.without_read_only({"id": 7, "_info": {}}, resource=ATTACHED_CONFIGURATIONS) == {"id": 7}


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("company/id", '{"company": {"id": ...}}'),
        ("company.id", '{"company": {"id": ...}}'),
        ("", "no field name"),
        ("first name", "no field name"),
        ("x\n", "no field name"),
    ],
)
def test_name_that_is_none_is_refused(name, hint):
    with pytest.raises(InvalidRecord) as refusal:
        writes.check_names({"summary": "x", name: 1})

    assert hint in str(refusal.value)


def test_record_belongs_to_its_parent_whatever_was_sent():
    resource = Resource(
        name="members",
        path=MEMBERS.path,
        fields=MEMBERS.fields,
        of_parent={"objectId": "5", "type.identifier": "S"},
    )

    document = writes.with_parent({"objectId": 9, "member": {"id": 1}, "type": {"id": 3}}, resource=resource)

    assert document == {"objectId": 5, "member": {"id": 1}, "type": {"identifier": "S"}}


# A replacement made of changes

PEOPLE = Resource(
    name="people",
    path="/people",
    fields=(
        Field(name="id", type="number"),
        Field(name="firstName", is_required=True),
        Field(name="title"),
        Field(name="seenAt", type="datetime", is_read_only=True),
        Field(name="age", type="number"),
        Field(name="isIn", type="boolean"),
        Field(name="types", type="list"),
        Field(name="site", type="reference"),
        Field(name="companyId", type="number", provider_name="company.id"),
        Field(name="changedBy", provider_name="_info.updatedBy"),
    ),
)
PERSON = {
    "id": 7,
    "firstName": "Zoë",
    "title": "CTO",
    "seenAt": "2026-01-01T00:00:00Z",
    "age": 40,
    "isIn": True,
    "types": [1],
    "site": {"id": 1},
    "company": {"id": 2},
    "other": "unknown here",
    "_info": {"updatedBy": "x"},
}


def test_replacing_empties_what_was_not_sent_and_keeps_what_cannot_be_told():
    assert writes.replacing({"firstName": "Zoe"}, record=PERSON, resource=PEOPLE) == {
        "firstName": "Zoe",
        "title": None,
        "age": None,
        "site": None,
        "company": None,
    }


def test_replacing_sends_what_was_sent_and_empties_only_what_is_there():
    record = {name: value for name, value in PERSON.items() if name not in ("age", "site")}
    sent = {"title": "CFO", "company": {"id": 3}, "isIn": False}

    assert writes.replacing(sent, record=record, resource=PEOPLE) == sent


# Answers that were lost


@pytest.mark.parametrize("kind", [TryLater, UnusableAnswer])
def test_lost_answer_says_that_the_record_may_be_there(kind):
    error = kind("The provider failed (502)", provider_message="Bad", status=502, retry_after=timedelta(seconds=7))
    error.codes = ("Timeout",)

    told = writes.perhaps_done(error)

    assert type(told) is kind
    assert str(told).startswith("The provider failed (502). The record may have been created")
    assert (told.provider_message, told.status, told.retry_after) == ("Bad", 502, timedelta(seconds=7))
    assert told.codes == ("Timeout",)


def test_call_that_was_one_too_many_was_not_carried_out():
    error = RateLimited("Wait", status=429)

    assert writes.perhaps_done(error) is error
