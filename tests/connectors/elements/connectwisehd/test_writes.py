"""From what clients write to the provider's bodies, as values."""

from __future__ import annotations

import importlib.resources
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.elements.connectwisehd.definition import ELEMENT
from connectors.elements.connectwisehd.records import hub_record
from connectors.elements.connectwisehd.tables import TABLES
from connectors.elements.connectwisehd.writes import provider_body, refused_fields, says_things_twice
from connectors.errors import InvalidRecord


def changed(resource: str, **fields: Any) -> dict[str, Any]:
    return provider_body(resource, fields, is_new=False)


@pytest.mark.parametrize(
    ("resource", "sent", "body"),
    [
        (
            "incidents",
            {
                "board": "Help Desk",
                "summary": "Printer",
                "statusName": "New",
                "companyIdentifier": "Acme",
                "contactName": "Zoë O'Brien",
            },
            {
                "board": {"name": "Help Desk"},
                "summary": "Printer",
                "status": {"name": "New"},
                "company": {"identifier": "Acme"},
                "contactName": "Zoë O'Brien",
            },
        ),
        (
            "organizations",
            {
                "companyName": "Acme Ltd",
                "companyIdentifier": "Acme",
                "defaultAddress": {"siteName": "Main", "city": "Tampa", "state": "FL", "zip": 33602},
                "market": "Retail",
                "phoneNumber": "8135550100",
                "website": None,
            },
            {
                "name": "Acme Ltd",
                "identifier": "Acme",
                "site": {"name": "Main"},
                "city": "Tampa",
                "state": "FL",
                "zip": "33602",
                "market": {"name": "Retail"},
                "phoneNumber": "8135550100",
            },
        ),
        (
            "contacts",
            {"firstName": "Zoë", "email": "zoe@acme.example", "fax": None, "inactive": "TRUE", "companyId": "250"},
            {"firstName": "Zoë", "email": "zoe@acme.example", "inactiveFlag": True, "company": {"id": 250}},
        ),
        (
            "time-entries",
            {"dateStart": 1504051200250, "ticketId": 5, "workType": "Regular", "hours": "1.5"},
            {
                "timeStart": "2017-08-30T00:00:00Z",
                "chargeToId": 5,
                "chargeToType": "ServiceTicket",
                "workType": {"name": "Regular"},
                "actualHours": 1.5,
            },
        ),
        (
            "incidents/comments",
            {
                "noteText": "Called back.\nNobody there.",
                "isPartOfDetailDescription": True,
                "isPartOfInternalAnalysis": False,
                "isPartOfResolution": False,
                "isExternalNote": True,
                "ticketId": 5,
            },
            {
                "text": "Called back.\nNobody there.",
                "detailDescriptionFlag": True,
                "internalAnalysisFlag": False,
                "resolutionFlag": False,
                "externalFlag": True,
            },
        ),
    ],
)
def test_new_record_is_written_in_the_providers_words(resource, sent, body):
    assert provider_body(resource, sent, is_new=True) == body


@pytest.mark.parametrize(
    ("sent", "company"),
    [
        ({"companyId": 7, "companyIdentifier": "Acme", "companyName": "Acme Ltd"}, {"id": 7}),
        ({"companyName": "Acme Ltd", "companyIdentifier": "Acme"}, {"identifier": "Acme"}),
        ({"companyId": None, "companyIdentifier": "", "companyName": "Acme Ltd"}, {"name": "Acme Ltd"}),
        ({"companyId": 7.0}, {"id": 7}),
        ({"companyId": None}, None),
        ({"companyIdentifier": "", "companyName": None}, None),
    ],
)
def test_fields_of_one_reference_are_one_reference_by_the_most_exact_of_them(sent, company):
    assert changed("incidents", **sent) == {"company": company}


PRESENT = hub_record(
    "incidents",
    {
        "id": 9,
        "status": {"id": 10, "name": "New"},
        "contact": {"id": 7, "name": "Zoë O'Brien"},
        "site": {"id": 3, "name": "Main"},
    },
)


@pytest.mark.parametrize(
    ("change", "body"),
    [
        ({"statusName": "Closed"}, {"status": {"name": "Closed"}}),
        ({"statusId": 14}, {"status": {"id": 14}}),
        ({"statusId": 14, "statusName": "Closed"}, {"status": {"id": 14}}),
        ({"statusId": 14, "statusName": None}, {"status": {"id": 14}}),
        ({"contactName": "Max"}, {"contactName": "Max", "contact": ...}),
        ({"contactName": None}, {"contactName": None, "contact": None}),
        ({"contactId": 8}, {"contact": {"id": 8}, "contactName": ...}),
        ({"siteName": "Yard"}, {"siteName": "Yard", "site": ...}),
        ({"siteId": 4}, {"site": {"id": 4}, "siteName": ...}),
        ({}, {"status": {"id": 10}, "contact": {"id": 7}, "site": {"id": 3}, "siteName": ...}),
    ],
)
def test_of_a_whole_record_what_was_changed_counts(change, body):
    assert says_things_twice("incidents", PRESENT | change)
    found = provider_body("incidents", PRESENT | change, is_new=False, present=PRESENT)

    assert {name: found.get(name, ...) for name in body} == body


def test_ticket_of_a_whole_time_entry_can_be_changed():
    present = hub_record("time-entries", {"id": 1, "chargeToId": 5, "chargeToType": "ServiceTicket"})

    found = provider_body("time-entries", present | {"ticketId": 6}, is_new=False, present=present)

    assert (found["chargeToId"], found["chargeToType"]) == (6, "ServiceTicket")


def test_partial_bodies_say_nothing_twice():
    assert not says_things_twice("incidents", {"id": 9, "statusName": "New", "contactName": "x", "summary": "x"})
    assert not says_things_twice("organizations", {"defaultAddress": {"city": "Tampa", "siteName": "Main"}})
    assert says_things_twice("time-entries", {"ticketId": 5, "chargeToId": 5})


def test_ids_are_written_as_whole_numbers():
    assert (
        json.dumps(changed("incidents", companyId=7.0, budgetHours=1.5)) == '{"budgetHours": 1.5, "company": {"id": 7}}'
    )


def test_address_is_changed_in_part_or_emptied_whole():
    assert changed("organizations", defaultAddress={"city": "Tampa", "zip": None}) == {"city": "Tampa", "zip": None}
    emptied = changed("organizations", defaultAddress=None)
    assert set(emptied) == {"site", "addressLine1", "addressLine2", "city", "state", "zip", "country"}
    assert set(emptied.values()) == {None}


@pytest.mark.parametrize(
    ("sent", "body"),
    [
        ({"contactId": 7, "contactName": "Zoë O'Brien"}, {"contact": {"id": 7}}),
        ({"contactId": None, "contactName": "Zoë O'Brien"}, {"contact": None, "contactName": "Zoë O'Brien"}),
        ({"contactName": None}, {"contact": None, "contactName": None}),
        ({"contactName": ""}, {"contact": None, "contactName": None}),
        ({"siteName": "Yard"}, {"siteName": "Yard"}),
        ({"siteName": "Yard", "siteId": 3}, {"site": {"id": 3}}),
    ],
)
def test_name_beside_a_reference_stands_for_it_or_is_left_out(sent, body):
    assert changed("incidents", **sent) == body


@pytest.mark.parametrize(
    ("sent", "body"),
    [
        ({"ticketId": 5, "chargeToType": "ProjectTicket"}, {"chargeToId": 5, "chargeToType": "ProjectTicket"}),
        ({"ticketId": 5, "chargeToId": 5}, {"chargeToId": 5, "chargeToType": "ServiceTicket"}),
        (
            {"ticketId": None, "chargeToId": 3, "chargeToType": "ChargeCode"},
            {"chargeToId": 3, "chargeToType": "ChargeCode"},
        ),
        ({"ticketId": None}, {"chargeToId": None}),
    ],
)
def test_ticket_of_a_time_entry_is_what_it_is_charged_to(sent, body):
    assert changed("time-entries", **sent) == body


@pytest.mark.parametrize(
    ("resource", "sent", "message"),
    [
        ("contacts", {"firstNam": "Zoë"}, "contacts have no field 'firstNam'; they have firstName, "),
        ("contacts", {"company": {"id": 7}}, "contacts have no field 'company'; they have companyId, "),
        ("organizations", {"defaultAddress": {"town": "x"}}, "have no field 'defaultAddress.town'"),
        ("organizations", {"defaultAddress": "Tampa"}, "defaultAddress is an object of fields, such as .*city"),
        ("contacts", {"firstName": {"text": "Zoë"}}, "firstName is a text; what was sent is an object"),
        ("contacts", {"email": ["zoe@acme.example"]}, "email is a text; what was sent is a list"),
        ("contacts", {"title": True}, "title is a text; what was sent is true or false"),
        ("contacts", {"inactive": "perhaps"}, "inactive is true or false; what was sent is a text of another form"),
        ("contacts", {"inactive": 1}, "inactive is true or false; what was sent is a number"),
        ("incidents", {"companyId": "Acme"}, "companyId is a number"),
        ("incidents", {"companyId": 2**63}, "companyId is a number"),
        ("incidents", {"companyId": True}, "companyId is a number"),
        ("incidents", {"requiredDate": "soon"}, "requiredDate is a date, written like"),
        ("incidents", {"requiredDate": 1504051200000}, "requiredDate is a date, written like"),
        ("time-entries", {"dateStart": "2017-08-30T00:00:00Z"}, "dateStart is a whole number: milliseconds"),
        ("time-entries", {"dateStart": "1504051200000"}, "dateStart is a whole number: milliseconds"),
        ("time-entries", {"dateStart": 1.5}, "dateStart is a whole number: milliseconds"),
        ("time-entries", {"dateEnd": 10**18}, "dateEnd is a whole number: milliseconds"),
        ("time-entries", {"ticketId": 5, "chargeToId": 6}, "ticketId and chargeToId are the same at ConnectWise"),
        (
            "time-entries",
            {"ticketId": 5, "chargeToType": "Activity"},
            "ticketId needs chargeToType to be ProjectTicket",
        ),
    ],
)
def test_what_cannot_be_written_is_refused_by_name(resource, sent, message):
    with pytest.raises(InvalidRecord, match=message):
        changed(resource, **sent)


def test_refusal_does_not_repeat_what_was_sent():
    with pytest.raises(InvalidRecord) as refused:
        changed("contacts", **{"canary" * 50: "x"})
    assert len(str(refused.value)) < 400
    with pytest.raises(InvalidRecord) as refused:
        changed("contacts", inactive="canary")
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2024-05-01", "2024-05-01T00:00:00Z"),
        ("2024-05-01T14:00:00+02:00", "2024-05-01T12:00:00Z"),
        ("2024-05-01T12:00:00.750Z", "2024-05-01T12:00:00Z"),
    ],
)
def test_dates_are_written_in_utc(text, written):
    assert changed("incidents", requiredDate=text) == {"requiredDate": written}


@pytest.mark.parametrize(
    ("resource", "sent", "message"),
    [
        ("contacts", {"lastName": "x"}, "^firstName is missing"),
        ("contacts", {"firstName": ""}, "^firstName is missing"),
        ("organizations", {"companyName": "x"}, "^companyIdentifier is missing"),
        ("incidents", {"summary": "x"}, r"^companyIdentifier \(or companyId, companyName\) is missing"),
        ("incidents", {"companyId": 7, "summary": None}, "^summary is missing"),
        ("time-entries", {"ticketId": 5}, "^dateStart is missing"),
        ("incidents/comments", {"isExternalNote": True}, "^noteText is missing"),
    ],
)
def test_what_a_new_record_needs_is_named(resource, sent, message):
    with pytest.raises(InvalidRecord, match=message):
        provider_body(resource, sent, is_new=True)


@pytest.mark.parametrize("resource", sorted(TABLES))
def test_read_only_fields_are_passed_over_and_the_readme_lists_them(resource):
    read_only = [field for field in ELEMENT.resource(resource).fields if field.is_read_only]
    readme = importlib.resources.files("connectors.elements.connectwisehd").joinpath("README.md").read_text()
    passed_over = readme.partition("Passed over, as")[2].partition("\nA field that")[0]

    assert {"id", "lastUpdated"} <= {field.name for field in read_only}
    assert changed(resource, **{field.name: {"odd": [None]} for field in read_only}) == {}
    assert [field.name for field in read_only if f"`{field.name}`" not in passed_over] == []


@pytest.mark.parametrize("resource", sorted(TABLES))
def test_every_field_says_what_the_definition_needs(resource):
    table, fields = TABLES[resource], {field.name: field for field in ELEMENT.resource(resource).fields}

    assert next(iter(fields)) == "id"
    assert set(table.required) == {name for name, field in fields.items() if field.is_required} != set()
    assert set(table.longest) == {name for name, field in fields.items() if field.longest}
    assert {fields[name].type for name in table.longest} <= {"text"}
    assert not table.required & table.read_only


@pytest.mark.parametrize(
    ("sent", "refused", "names"),
    [
        ({"statusName": "Gone"}, ["status/id"], ["statusName"]),
        ({"companyIdentifier": "Gone", "summary": "x"}, ["company/identifier"], ["companyIdentifier"]),
        ({}, ["company/identifier", "summary"], ["companyId", "companyIdentifier", "companyName", "summary"]),
        ({}, ["board"], ["boardId", "board"]),
        ({}, ["billTime", "remarks", "<b>odd</b>"], ["billTime", "remarks"]),
    ],
)
def test_what_the_provider_refuses_is_told_in_the_hubs_names(sent, refused, names):
    assert refused_fields("incidents", sent, refused) == names


# Whatever is sent

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("2024-05-01"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


@st.composite
def bodies(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    resource = draw(st.sampled_from(sorted(TABLES)))
    names = st.sampled_from([*TABLES[resource].types(), "defaultAddress", "odd"])
    return resource, draw(st.dictionaries(names, values, max_size=4))


@settings(max_examples=60, deadline=None)
@given(bodies(), st.booleans())
def test_anything_is_written_or_refused(sent, is_new):
    resource, fields = sent
    try:
        body = provider_body(resource, fields, is_new=is_new)
    except InvalidRecord:
        return
    roots = {path.partition("|")[0].partition(".")[0] for path in TABLES[resource].paths().values()}
    assert set(body) <= {*roots, "contact", "chargeToType", *TABLES[resource].communications}
    assert "id" not in body
    assert "_info" not in body
    json.dumps(body, allow_nan=False)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_what_is_written_is_what_is_read(data):
    """The body as a record shows what was sent: each field under its own name."""
    resource = data.draw(st.sampled_from(sorted(TABLES)))
    table = TABLES[resource]
    # Of several names for one place, one is sent: what the others show then, the provider says.
    by_place = {path.partition("|")[0].partition(".")[0]: name for name, path in table.paths().items()}
    copied = {path.partition("|")[2].partition(".")[0] for path in table.paths().values()}
    writable = sorted({name for place, name in by_place.items() if place not in copied} - table.read_only)
    sent = {
        name: data.draw(
            {
                "text": st.text(min_size=1, max_size=5),
                "number": st.integers(1, 10**9),
                "boolean": st.booleans(),
                "datetime": st.datetimes().map(lambda moment: moment.replace(microsecond=0).isoformat() + "Z"),
                "milliseconds": st.integers(0, 4_000_000_000).map(lambda seconds: seconds * 1000),
            }[table.types()[name]]
        )
        for name in data.draw(st.lists(st.sampled_from(writable), max_size=4, unique=True))
        if "." not in name
    }
    body = changed(resource, **sent)

    shown = hub_record(resource, body)
    assert {name: shown[name] for name in sent} == sent
