"""CEQL against ConnectWise's own language: what we write is read back by the sandbox's parser."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import ceql
from connectors.elements.connectwisecrmrest.definition import ELEMENT
from connectors.errors import InvalidQuery
from connectors.sandbox import conditions as sandbox
from connectors.sandbox.schema import COMPANY, CONTACT, TICKET, Field
from connectors.vendors.connectwise_conditions import order_of, path_of, translate


def conditions(where: str, resource: str = "incidents") -> str:
    return translate(ceql.parse(where), resource=ELEMENT.resource(resource)).conditions


def child_conditions(where: str) -> str:
    return translate(ceql.parse(where), resource=ELEMENT.resource("contacts")).child_conditions


def test_no_where_asks_for_everything():
    asked = translate(None, resource=ELEMENT.resource("contacts"))

    assert (asked.conditions, asked.child_conditions) == ("", "")


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("summary = 'Printer'", 'summary = "Printer"'),
        ("summary = 'She said \"no\"'", "summary = 'She said \"no\"'"),
        ("summary = 'O''Brien'", 'summary = "O\'Brien"'),
        ("summary = ''", 'summary = ""'),
        ("contactPhoneNumber = 'undefined'", 'contactPhoneNumber = "undefined"'),
        ("id = '57960'", "id = 57960"),
        ("ID=57960", "ID = 57960"),
        ("actualHours >= '1.50'", "actualHours >= 1.50"),
        ("board.id = '12'", "board/id = 12"),
        ("company.id=123", "company/id = 123"),
        ("approved = 'false'", "approved = False"),
        ("closedFlag = true", "closedFlag = True"),
        ("someNewFlag != 'TRUE'", "someNewFlag != True"),
        ("unknownThing = 'text'", 'unknownThing = "text"'),
        ("unknownThing = 5", "unknownThing = 5"),
        ("unknownThing = false", "unknownThing = False"),
        ("unknownThing > 2024-05-01", "unknownThing > [2024-05-01T00:00:00Z]"),
        ("lastUpdated > '2016-08-20T18:04:26Z'", "lastUpdated > [2016-08-20T18:04:26Z]"),
        ("LASTUPDATED > '2016-08-20'", "LASTUPDATED > [2016-08-20T00:00:00Z]"),
        ("_info.lastUpdated >= '2016-08-20T18:04:26'", "_info/lastUpdated >= [2016-08-20T18:04:26Z]"),
        ("lastUpdated > '2018-01-15T00:00:00.000Z'", "lastUpdated > [2018-01-15T00:00:00Z]"),
        ("lastUpdated > '2018-01-15T00:00:00.250Z'", "lastUpdated > [2018-01-15T00:00:00.250000Z]"),
        ("lastUpdated > '2018-01-15T06:30:00+05:30'", "lastUpdated > [2018-01-15T01:00:00Z]"),
        ("lastUpdated > '2018-01-15T06:30:00 05:30'", "lastUpdated > [2018-01-15T01:00:00Z]"),
        ("dateEntered < 2018-01-15T00:00:00-02:00", "dateEntered < [2018-01-15T02:00:00Z]"),
        ("closedDate IS NULL", "closedDate = null"),
        ("owner.identifier IS NOT NULL", "owner/identifier != null"),
        ("id IN ('1', 2)", "id in (1, 2)"),
        ("board.name NOT IN ('A', 'B')", 'board/name not in ("A", "B")'),
        ("summary LIKE '%printer [3]%'", 'summary like "%printer [[]3]%"'),
        ("summary NOT LIKE 'a%'", 'summary not like "a%"'),
        ("id = 1 OR id = 2 AND id = 3", "(id = 1) or ((id = 2) and (id = 3))"),
        ("(id = 1 OR id = 2) AND id = 3", "((id = 1) or (id = 2)) and (id = 3)"),
        ("`company/id` = '7'", "company/id = 7"),
    ],
)
def test_each_node_has_its_words(where, expected):
    assert conditions(where) == expected


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ("id = 'undefined'", "id is a number, and 'undefined' is none"),
        ("id = '1e5'", "id is a number"),
        ("id = true", "id is a number"),
        ("id = 2024-05-01", "id is a number"),
        ("closedFlag = 'maybe'", "closedFlag is a boolean"),
        ("closedFlag = 1", "closedFlag is a boolean"),
        ("lastUpdated > 'yesterday'", "lastUpdated is a date"),
        ("lastUpdated > '20180115'", "lastUpdated is a date"),
        ("lastUpdated > '2018-02-30'", "lastUpdated is a date"),
        ("lastUpdated > '0001-01-01T00:00:00+05:00'", "lastUpdated is a date"),
        ("lastUpdated > 1526000000", "lastUpdated is a datetime"),
        ("lastUpdated > '2018-01-15T00:00:00Z] or id > [1'", "lastUpdated is a date"),
        ("summary = 'both \" and '''", "both kinds of quotes"),
        ("summary LIKE '%\"%''%'", "both kinds of quotes"),
        ("summary = 'a\r\nb'", "control character"),
        ("summary = 'a\x00b'", "control character"),
        ("summary = 'C:\\'", "ends with a backslash"),
        ("`id or 1` = 1", "no field name"),
        ("`a) or (b` IS NULL", "no field name"),
        ("`or` = 1", "no field name"),
        ("`a//b` = 1", "no field name"),
    ],
)
def test_what_connectwise_has_no_words_for_is_refused_with_the_reason(where, reason):
    with pytest.raises(InvalidQuery, match=re.escape(reason)) as refused:
        conditions(where)
    assert "Error parsing query" in str(refused.value)


EMAIL = 'communicationItems/communicationType = "Email" and communicationItems/value'


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("email = 'a@b.example'", f'{EMAIL} = "a@b.example"'),
        ("EMAIL LIKE '%@b.example'", f'{EMAIL} like "%@b.example"'),
        ("email IN ('a', 'b')", f'({EMAIL} = "a") or ({EMAIL} = "b")'),
        ("email = 'a' OR email = '{test}'", f'({EMAIL} = "a") or ({EMAIL} = "{{test}}")'),
        ("email = 5", f'{EMAIL} = "5"'),
    ],
)
def test_email_is_asked_of_the_items_of_the_contact(where, expected):
    assert child_conditions(where) == expected
    assert sandbox.parse(expected)


def test_email_and_other_fields_travel_apart():
    asked = translate(
        ceql.parse("email = 'a@b.example' AND (id = 1 OR id = 2) AND firstName = 'Zoë'"),
        resource=ELEMENT.resource("contacts"),
    )

    assert asked.conditions == '((id = 1) or (id = 2)) and (firstName = "Zoë")'
    assert asked.child_conditions == f'{EMAIL} = "a@b.example"'


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ("email = 'a' OR id = 1", "by AND only"),
        ("email != 'a'", "lies in a list"),
        ("email IS NULL", "lies in a list"),
        ("email NOT IN ('a')", "lies in a list"),
        ("email NOT LIKE 'a%'", "lies in a list"),
        ("email = 'a\"''b'", "both kinds of quotes"),
    ],
)
def test_what_cannot_be_asked_of_items_is_refused(where, reason):
    with pytest.raises(InvalidQuery, match=reason):
        child_conditions(where)


HARD_TEXTS = st.text(
    st.sampled_from("""ab"'=()[]{}%*_\\,;&+#/ \u2028éЖ‏😀""") | st.characters(exclude_categories=["Cs"]), max_size=30
)


@given(HARD_TEXTS | st.sampled_from(['x" or 1=1', "x' or 1=1 or 'a'='", "null", "[2024-01-01T00:00:00Z]", "{test}"]))
def test_text_stays_one_literal_whatever_it_holds(text):
    where = ceql.And((ceql.Comparison("summary", "=", text), ceql.Comparison("id", "=", 7)))
    try:
        written = translate(where, resource=ELEMENT.resource("incidents")).conditions
    except InvalidQuery:
        assert ('"' in text and "'" in text) or text.endswith("\\") or re.search(r"[\x00-\x1f\x7f-\x9f]", text)
        return

    assert sandbox.parse(written) == sandbox.And(
        (
            sandbox.Comparison("summary", "=", (sandbox.Value("String", text),)),
            sandbox.Comparison("id", "=", (sandbox.Value("Number", Decimal(7)),)),
        )
    )


names = st.sampled_from(["summary", "company.name", "board.id", "closedFlag", "lastUpdated", "unheardOf"])
values = st.one_of(
    st.text("ab\"' ", max_size=5),
    st.integers(-(10**20), 10**20),
    st.decimals(-1000, 1000, places=3, allow_nan=False),
    st.booleans(),
    st.datetimes(timezones=st.just(UTC)).map(lambda moment: ceql.DateTime(moment.isoformat())),
)
leaves = st.one_of(
    st.builds(ceql.Comparison, names, st.sampled_from(["=", "!=", "<", ">", "<=", ">="]), values),
    st.builds(ceql.In, names, st.lists(values, min_size=1, max_size=3).map(tuple), st.booleans()),
    st.builds(ceql.Like, names, st.text("a%[]_", max_size=5), st.booleans()),
    st.builds(ceql.IsNull, names, st.booleans()),
)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(ceql.And, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(ceql.Or, st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=8,
)


def shape(node: ceql.Expression | sandbox.Expression) -> object:
    """The structure alone: who is joined with whom, by what."""
    if isinstance(node, ceql.And | sandbox.And | ceql.Or | sandbox.Or):
        return (type(node).__name__, *(shape(term) for term in node.terms))
    return node.field.replace(".", "/")


@given(trees)
def test_the_structure_survives(tree):
    try:
        written = translate(tree, resource=ELEMENT.resource("incidents")).conditions
    except InvalidQuery:
        return

    assert shape(sandbox.parse(written)) == shape(tree)


@pytest.mark.parametrize(
    ("resource", "schema"), [("contacts", CONTACT), ("organizations", COMPANY), ("incidents", TICKET)]
)
def test_quoted_literals_are_coerced_for_every_field_of_the_record(resource, schema):
    literals = {"number": "'5'", "boolean": "'false'", "datetime": "'2024-05-01T00:00:00Z'"}
    expected = {"number": "5", "boolean": "False", "datetime": "[2024-05-01T00:00:00Z]"}

    def leaves_of(fields: Mapping[str, Field], prefix: str = ""):
        for field in fields.values():
            if field.type == "reference":
                yield from leaves_of(field.parts, f"{prefix}{field.name}.")
            elif field.type in literals:
                yield f"{prefix}{field.name}", field.type

    found = list(leaves_of(schema.fields))
    wrong = [
        name
        for name, kind in found
        if conditions(f"{name} = {literals[kind]}", resource).split(" = ")[1] != expected[kind]
    ]

    assert len(found) > 20
    assert wrong == []


@pytest.mark.parametrize(
    ("order_by", "expected"),
    [("id", "id asc"), ("name desc, id ASC", "name desc, id asc"), ("company.name  asc", "company/name asc")],
)
def test_order_is_spelled_with_slashes(order_by, expected):
    assert order_of(order_by, resource=ELEMENT.resource("incidents")) == expected


@pytest.mark.parametrize("order_by", ["id sideways", "id asc desc", "", "name,", "1", "id;drop"])
def test_order_that_is_none_is_refused(order_by):
    with pytest.raises(InvalidQuery):
        order_of(order_by, resource=ELEMENT.resource("incidents"))


def test_a_name_is_a_name():
    assert path_of("_info.lastUpdated", resource=ELEMENT.resource("contacts")) == "_info/lastUpdated"
