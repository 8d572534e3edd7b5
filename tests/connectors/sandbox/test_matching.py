"""Conditions against records, over HTTP and against a plain evaluation in Python."""

from __future__ import annotations

import operator
import re
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sandbox.clock import stamp
from connectors.sandbox.conditions import And, Comparison, Expression, Value, parse
from connectors.sandbox.matching import like_pattern, lower_bound, predicate, record_fields
from connectors.sandbox.schema import CONTACT
from tests.connectors.sandbox.test_conditions import write

CONTACTS, TICKETS = "/company/contacts", "/service/tickets"


@pytest.fixture
def people(sandbox) -> dict[str, int]:
    """Contacts that the conditions below tell apart; the seeded ones are gone."""
    for record_id in sandbox.contacts.ids():
        sandbox.contacts.delete(record_id)
    company = sandbox.companies.get(1)
    reference = {"id": 1, "identifier": "Acme", "name": company["name"], "_info": {}}
    made: dict[str, dict[str, Any]] = {
        "zoe": {"firstName": "Zoë", "lastName": "O'Brien", "title": "CTO", "company": reference, "inactiveFlag": False},
        "ann": {"firstName": "Ann", "lastName": 'The "Boss"', "title": "100% [x]_y", "inactiveFlag": True},
        "bob": {"firstName": "bob", "lastName": None, "title": "", "inactiveFlag": False},
    }
    ids = {}
    for place, (name, fields) in enumerate(made.items()):
        at = datetime(2024, 5, 1, 12, 0, place, tzinfo=UTC)
        ids[name] = sandbox.contacts.add(at=at, **{"company": None, "portalSecurityLevel": place, **fields})["id"]
    return ids


@pytest.mark.parametrize(
    "conditions, names",
    [
        ('firstName = "ZOË"', "zoe"),
        ('FIRSTNAME = "zoë"', "zoe"),
        ('firstName != "ann"', "zoe bob"),
        ('lastName = "O\'Brien"', "zoe"),
        ("lastName contains '\"'", "ann"),
        ('lastName = "o\'brien" or title = "cto"', "zoe"),
        ("lastName = null", "bob"),
        ("lastName != null", "zoe ann"),
        ('lastName != "x"', "zoe ann"),  # a missing value matches no comparison
        ('lastName not like "x*"', "zoe ann"),
        ('lastName not in ("x", "O\'Brien")', "ann"),
        ('title = ""', "bob"),
        ("company = null", "ann bob"),
        ("company != null", "zoe"),
        ('company/identifier = "acme"', "zoe"),
        ("Company/Id = 1", "zoe"),
        ("company/id in (1, 2) and inactiveFlag = FALSE", "zoe"),
        ("inactiveFlag = true", "ann"),
        ("inactiveFlag != True", "zoe bob"),
        ("portalSecurityLevel >= 1", "ann bob"),
        ("portalSecurityLevel > 0.5 and portalSecurityLevel < 1.5", "ann"),
        ("portalSecurityLevel not in (0, 2)", "ann"),
        ('firstName > "b"', "zoe bob"),
        ('firstName contains "O"', "zoe bob"),
        ('firstName like "%o%"', "zoe bob"),
        ('firstName like "*o*"', "zoe bob"),
        ('firstName like "_o_"', "zoe bob"),
        ('firstName like "o"', ""),
        ('firstName like "[ab]*"', "ann bob"),
        ('firstName not like "[^z]*"', "zoe"),
        ('title like "*[[]x]*"', "ann"),
        ('title contains "["', "ann"),
        ('title contains "*"', ""),
        ("lastUpdated > [2024-05-01T12:00:00Z]", "ann bob"),
        ("LastUpdated >= [2024-05-01T12:00:01]", "ann bob"),
        ("_info/lastUpdated = [2024-05-01T12:00:01Z]", "ann"),
        ("lastUpdated < [2024-05-01T12:00:00.5Z]", "zoe"),
        ("lastUpdated in ([2024-05-01T12:00:00Z], [2024-05-01T12:00:02Z])", "zoe bob"),
        ('_info/updatedBy = "jsmith"', "zoe ann bob"),
    ],
)
def test_conditions_find(people, call, conditions, names):
    expected = sorted(people[name] for name in names.split())
    assert call.ids(CONTACTS, conditions=conditions) == expected
    assert call.get(f"{CONTACTS}/count", conditions=conditions).json() == {"count": len(expected)}


@pytest.mark.parametrize(
    "conditions, said",
    [
        ('nonsense = "x"', "has no field 'nonsense'"),
        ('company/nonsense = "x"', "has no field"),
        ('company/name/more = "x"', "has no field"),
        ("dateEntered > [2024-01-01]", "has no field"),  # contacts have no such stamp
        ('communicationItems/value = "x"', "inside an array"),
        ('customFields/value = "x"', "inside an array"),
        ("communicationItems = 1", "with null only"),
        ('company = "Acme"', "with null only"),
        ("firstName = 5", "Expected type String, found type Number"),
        ("firstName = True", "Expected type String, found type Boolean"),
        ('id = "5"', "Expected type Number, found type String"),
        ('inactiveFlag = "true"', "Expected type Boolean, found type String"),
        ("inactiveFlag = 1", "Expected type Boolean, found type Number"),
        ('lastUpdated > "2024-01-01T00:00:00Z"', "Expected type DateTime, found type String"),
        ("firstName = [2024-01-01]", "Expected type String, found type DateTime"),
        ('id in (1, "2")', "Expected type Number, found type String"),
        ("id in (1, null)", "null can be compared"),
        ("lastName > null", "null can be compared"),
        ('lastUpdated contains "2024"', "Expected type DateTime"),
        ("id like 5", "needs a string field"),
        ("inactiveFlag > False", "can be compared by = and !="),
        ("lastUpdated > [2024-01-01T00:00:00+00:00]", "without an offset"),
        ("not (id = 1)", "expected a field name"),
    ],
)
def test_conditions_are_refused_with_a_reason(call, conditions, said):
    for path in (CONTACTS, f"{CONTACTS}/count"):
        answer = call.get(path, conditions=conditions)
        assert answer.status_code == 400
        assert answer.json()["code"] == "ConnectWiseApi"
        assert said in answer.json()["message"]


def test_type_mismatch_tells_how_values_are_spelled(call):
    message = call.get(CONTACTS, conditions="firstName = 5").json()["message"]
    for word in ("quotes", "brackets", "digits", "True or False", "null"):
        assert word in message


def test_plus_that_nobody_encoded_spoils_a_date(sandbox, call):
    url = f"{sandbox.base_url}{CONTACTS}?conditions=lastUpdated>[2024-01-01T00:00:00+00:00]"
    assert call.get(url).status_code == 400


def test_tickets_know_when_they_were_entered(sandbox, call):
    old = sandbox.tickets.add(at=datetime(2024, 1, 1, tzinfo=UTC))["id"]
    new = sandbox.tickets.add(at=datetime(2024, 3, 1, tzinfo=UTC))["id"]
    sandbox.tickets.edit(old, at=datetime(2024, 4, 1, tzinfo=UTC))

    assert call.ids(TICKETS, conditions="dateEntered >= [2024-02-01]") == [new]
    assert call.ids(TICKETS, conditions="_info/dateEntered = [2024-01-01]") == [old]
    assert call.ids(TICKETS, conditions="lastUpdated >= [2024-02-01]") == [old, new]


def test_child_conditions_apply_to_one_and_the_same_item(sandbox, call):
    def items(*pairs: tuple[str, str]) -> list[dict[str, Any]]:
        return [
            {"id": place, "value": value, "communicationType": kind, "type": {"id": 1, "name": kind}}
            for place, (kind, value) in enumerate(pairs, start=1)
        ]

    john = sandbox.contacts.add(communicationItems=items(("Email", "john@acme.example"), ("Phone", "555")))["id"]
    both = sandbox.contacts.add(communicationItems=items(("Email", "x@acme.example"), ("Phone", "john@acme.example")))[
        "id"
    ]
    text = 'communicationItems/value like "john@*" AND communicationItems/communicationType = "Email"'

    assert call.ids(CONTACTS, childConditions=text) == [john]
    assert call.ids(CONTACTS, childConditions='communicationitems/VALUE like "john@*"') == [john, both]
    assert call.ids(CONTACTS, childConditions='communicationItems/type/name = "Phone"', conditions=f"id = {both}") == [
        both
    ]


@pytest.mark.parametrize(
    "parameters",
    [
        {"childConditions": 'communicationItems/value in ("a", "b")'},
        {"childConditions": 'communicationItems/nonsense = "a"'},
        {"childConditions": 'communicationItems/value = "a" and types/id = 1'},
        {"childConditions": 'value = "a"'},
        {"childConditions": 'firstName = "a"'},
        {"childConditions": "communicationItems/value = 5"},
        {"customFieldConditions": 'caption in ("a")'},
        {"customFieldConditions": 'nonsense = "a"'},
    ],
)
def test_child_conditions_are_refused(call, parameters):
    assert call.get(CONTACTS, **parameters).status_code == 400


def test_array_of_contacts_is_none_of_tickets(call):
    assert call.get(TICKETS, childConditions='communicationItems/value = "a"').status_code == 400


def test_custom_fields_are_found_by_caption_and_value(sandbox, call):
    fields = [{"id": 15, "caption": "Region", "value": "North"}, {"id": 16, "caption": "Newsletter", "value": None}]
    found = sandbox.contacts.add(customFields=fields)["id"]
    only = {"conditions": f"id = {found}"}

    assert call.ids(CONTACTS, customFieldConditions='caption = "region" AND value = "north"', **only) == [found]
    assert call.ids(CONTACTS, customFieldConditions='caption = "Newsletter" AND value != null', **only) == []


def test_spoiled_records_are_in_nobody_s_way(sandbox, call):
    spoiled = sandbox.contacts.add(firstName=["no", "text"], company="no reference", portalSecurityLevel={"a": 1})["id"]

    conditions = 'firstName contains "x" or company/id = 1 or portalSecurityLevel in (1, 2)'
    assert spoiled not in call.ids(CONTACTS, conditions=conditions)
    assert spoiled in call.ids(CONTACTS, orderBy="firstName desc, portalSecurityLevel asc, company/name asc")


# A plain evaluation, record by record, of what random trees mean

MOMENTS = [datetime(2024, 5, 1, 12, 0, second, tzinfo=UTC) for second in range(4)]
ROWS = [
    SimpleNamespace(
        moment=MOMENTS[number % 4],
        record={
            "id": number,
            "inactiveFlag": bool(number % 2),
            "portalSecurityLevel": number % 3,
            **({"firstName": name} if name is not None else {}),
            **({"company": {"id": number % 2, "name": "Acme"}} if number % 3 else {}),
            "_info": {"lastUpdated": stamp(MOMENTS[number % 4])},
        },
    )
    for number, name in enumerate(["ab", "AB", "", None, "a*b", "b_a", "a%", "[a]", "aab", "ba"], start=1)
]
READ = {
    "firstName": lambda row: row.record.get("firstName"),
    "id": lambda row: row.record["id"],
    "portalSecurityLevel": lambda row: row.record["portalSecurityLevel"],
    "inactiveFlag": lambda row: row.record["inactiveFlag"],
    "company/id": lambda row: row.record.get("company", {}).get("id"),
    "lastUpdated": lambda row: row.moment,
}
COMPARE = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def plainly(expression: Expression, row: Any) -> bool:
    if not isinstance(expression, Comparison):
        results = [plainly(term, row) for term in expression.terms]
        return all(results) if isinstance(expression, And) else any(results)
    value = READ[expression.field](row)
    wanted: list[Any] = [one.value for one in expression.values]
    if wanted == [None]:
        return (value is None) == (expression.operator == "=")
    if value is None:
        return False
    value = value.lower() if isinstance(value, str) else value
    wanted = [one.lower() if isinstance(one, str) else one for one in wanted]
    match expression.operator:
        case "in":
            result = value in wanted
        case "contains":
            result = wanted[0] in value
        case "like":
            result = like_plainly(wanted[0], value)
        case compare:
            result = COMPARE[compare](value, wanted[0])
    return result is not expression.is_negated


def like_plainly(pattern: str, text: str) -> bool:
    """By trying every split: no brackets."""
    if not pattern:
        return not text
    if pattern[0] in "*%":
        return any(like_plainly(pattern[1:], text[start:]) for start in range(len(text) + 1))
    return bool(text) and pattern[0] in ("_", text[0]) and like_plainly(pattern[1:], text[1:])


numbers = st.integers(-1, 4).map(lambda number: parse(f"a = {number}").values[0])  # type: ignore[union-attr]
words = st.text(alphabet="aAb", max_size=3).map(lambda text: Value("String", text))
patterns = st.text(alphabet="aAb*%_", max_size=4).map(lambda text: Value("String", text))
moments = st.sampled_from(MOMENTS).map(lambda at: Value("DateTime", at))
flags = st.booleans().map(lambda flag: Value("Boolean", flag))
signs = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])


def of_type(names: list[str], values: st.SearchStrategy[Value]) -> st.SearchStrategy[Comparison]:
    field = st.sampled_from(names)
    return st.one_of(
        st.builds(Comparison, field, signs, values.map(lambda value: (value,))),
        st.builds(Comparison, field, st.sampled_from(["=", "!="]), st.just((Value("Null", None),))),
        st.builds(Comparison, field, st.just("in"), st.lists(values, min_size=1, max_size=3).map(tuple), st.booleans()),
    )


comparisons = st.one_of(
    of_type(["firstName"], words),
    of_type(["id", "portalSecurityLevel", "company/id"], numbers),
    of_type(["lastUpdated"], moments),
    st.builds(Comparison, st.just("inactiveFlag"), st.sampled_from(["=", "!="]), flags.map(lambda flag: (flag,))),
    st.builds(Comparison, st.just("firstName"), st.just("like"), patterns.map(lambda one: (one,)), st.booleans()),
    st.builds(Comparison, st.just("firstName"), st.just("contains"), words.map(lambda one: (one,)), st.booleans()),
)
trees = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(
            lambda terms: parse(" or ".join(f"({write(term)})" for term in terms)),
            st.lists(inner, min_size=2, max_size=3),
        ),
    ),
    max_leaves=6,
)


@given(trees)
def test_every_tree_means_what_a_plain_evaluation_says(tree):
    test = predicate(parse(write(tree)), record_fields(CONTACT))
    assert [row.record["id"] for row in ROWS if test(row)] == [row.record["id"] for row in ROWS if plainly(tree, row)]


@given(trees)
def test_no_matching_record_lies_before_the_bound_that_a_tree_sets(tree):
    bound = lower_bound(tree)
    if bound is not None:
        assert all(row.moment >= bound for row in ROWS if plainly(tree, row))


@given(st.text(alphabet="ab.*%_\\^$", max_size=6), st.text(alphabet="ab.\\^$", max_size=6))
def test_like_means_what_trying_every_split_says(pattern, text):
    assert (like_pattern(pattern).fullmatch(text) is not None) == like_plainly(pattern, text)


@pytest.mark.parametrize(
    "pattern, text, matches",
    [
        ("[[]a", "[a", True),
        ("[a-c]", "b", True),
        ("[a-c]", "d", False),
        ("[^a-c]", "d", True),
        ("[^a-c]", "a", False),
        ("[z-a]", "b", False),
        ("[unclosed", "u", False),
        ("[]", "", False),
        ("[\\]", "\\", True),
        ("a\nb", "a\nb", True),
        ("a*b", "a\nb", True),
    ],
)
def test_brackets_in_like_are_sets(pattern, text, matches):
    assert (like_pattern(pattern).fullmatch(text) is not None) is matches


@given(st.text(alphabet="ab[]^-*%_\\", max_size=8), st.text(alphabet="ab[]", max_size=4))
def test_no_pattern_breaks_like(pattern, text):
    assert isinstance(like_pattern(pattern), re.Pattern)
    like_pattern(pattern).fullmatch(text)
