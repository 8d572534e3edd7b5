from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import ceql
from connectors.errors import InvalidQuery, InvalidRecord, UnusableAnswer
from connectors.transformations import FieldMapping, Transformation


def mapped(**paths: str) -> Transformation:
    """Two underscores stand for a dot."""
    fields = tuple(FieldMapping(path.replace("__", "."), vendor_path) for path, vendor_path in paths.items())
    return Transformation(name="people", resource="contacts", fields=fields)


PEOPLE = mapped(id="id", name__first="firstName", name__last="lastName", firm="company", firmId="company.id", at="city")
RECORD = {
    "id": 7,
    "firstName": "Ada",
    "lastName": None,
    "company": {"id": 3, "name": "Acme"},
    "title": "not mapped",
}


def test_record_is_shown_by_its_own_paths_with_null_for_what_is_not_there():
    assert PEOPLE.shown(RECORD) == {
        "id": 7,
        "name": {"first": "Ada", "last": None},
        "firm": {"id": 3, "name": "Acme"},
        "firmId": 3,
        "at": None,
    }


@pytest.mark.parametrize("company", [None, "Acme", 5, [], [{"id": 3}], {}, {"name": "Acme"}])
def test_what_lies_in_no_object_is_null(company):
    assert PEOPLE.shown({"company": company})["firmId"] is None


def test_page_keeps_order_and_number_and_the_digits_of_numbers():
    people = mapped(id="id", n="x.y")
    body = b'[ {"x": {"y": 1.10000000000000000000001}, "id": 1}, {"id": 2, "x": null}, {"id": 123456789012345678901} ]'

    assert people.shown_page(body) == (
        b'[{"id":1,"n":1.10000000000000000000001},{"id":2,"n":null},{"id":123456789012345678901,"n":null}]'
    )


def test_page_of_some_fields_has_these_and_the_id():
    page = json.loads(PEOPLE.shown_page(json.dumps([RECORD]).encode(), only=["name"]))

    assert page == [{"id": 7, "name": {"first": "Ada", "last": None}}]


@pytest.mark.parametrize("body", [b"[1]", b"{}", b"[{]", b'[{"id":' + b"[" * 100_000 + b"]" * 100_000 + b"}]"])
def test_page_that_holds_no_records_is_unusable(body):
    with pytest.raises(UnusableAnswer):
        PEOPLE.shown_page(body)


# Writing


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"name": {"first": "Ada"}}, {"firstName": "Ada"}),
        (
            {"name": {"first": "Ada", "last": None}, "at": "Rome"},
            {"firstName": "Ada", "lastName": None, "city": "Rome"},
        ),
        ({"name": None}, {"firstName": None, "lastName": None}),
        ({"firm": {"name": "Acme"}}, {"company": {"name": "Acme"}}),
        ({"firmId": 5}, {"company": {"id": 5}}),
        ({"firmId": 5, "firm": {"id": 4, "name": "Acme"}}, {"company": {"id": 5, "name": "Acme"}}),
        ({"firmId": 5, "firm": None}, {"company": {"id": 5}}),
        ({"firmId": None, "firm": {"name": "Acme"}}, {"company": {"name": "Acme"}}),
        ({"firmId": None, "firm": {"id": 4}}, {"company": {"id": None}}),
        ({}, {}),
    ],
)
def test_what_is_sent_is_written_in_the_hub_s_words(sent, expected):
    assert PEOPLE.written(sent) == expected


def test_reference_that_would_name_nothing_is_emptied_whole():
    """A reference with null for an id is refused by providers."""
    assert mapped(firm="company.id").written({"firm": None}) == {"company": None}
    assert mapped(firm="company.id", city="company.city").written({"firm": None, "city": "Rome"}) == {
        "company": {"id": None, "city": "Rome"}
    }


def test_client_s_own_objects_are_not_changed_by_writing():
    sent = {"firm": {"id": 4}, "firmId": 5}

    PEOPLE.written(sent)

    assert sent == {"firm": {"id": 4}, "firmId": 5}


@pytest.mark.parametrize("sent", [{"firstName": "Ada"}, {"name": {"middle": "x"}}, {"name.first": "Ada"}])
def test_field_that_is_not_mapped_is_refused_with_those_that_are(sent):
    with pytest.raises(InvalidRecord, match=r"people has no field '.*'; it has id, name.first"):
        PEOPLE.written(sent)


@pytest.mark.parametrize("value", ["Ada", 5, True, ["Ada"]])
def test_object_is_wanted_where_fields_lie_inside(value):
    with pytest.raises(InvalidRecord, match="name: send an object"):
        PEOPLE.written({"name": value})


# Asking


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("name.first = 'Ada'", "firstName = 'Ada'"),
        ("NAME.FIRST = 'Ada'", "firstName = 'Ada'"),
        ("firm.id IN (1, 2) AND NOT_A OR at IS NULL", None),
        (
            "firm.id IN (1, 2) AND (firmId > 5 OR at LIKE 'R%')",
            "company.id IN (1, 2) AND (company.id > 5 OR city LIKE 'R%')",
        ),
        ("name.last IS NOT NULL", "lastName IS NOT NULL"),
        ("firstName = 'Ada'", None),
        ("name = 'Ada'", None),
        ("title = 'x' AND id = 1", None),
    ],
)
def test_query_is_asked_in_the_hub_s_words(where, expected):
    if expected is None:
        with pytest.raises(InvalidQuery, match="Error parsing query"):
            PEOPLE.asked(ceql.parse(where))
    else:
        assert ceql.to_text(PEOPLE.asked(ceql.parse(where))) == expected


def test_order_is_asked_in_the_hub_s_words():
    assert PEOPLE.order("name.first desc, firm.name") == "firstName desc,company.name"
    with pytest.raises(InvalidQuery, match="orderBy: people has no field 'lastName'"):
        PEOPLE.order("id, lastName")


def test_fields_are_asked_in_the_hub_s_words_with_the_id():
    assert PEOPLE.names(["name"]) == ("id", "firstName", "lastName")
    assert PEOPLE.names(["firm.name"]) == ("id", "company")
    assert PEOPLE.names([]) == ()
    with pytest.raises(InvalidQuery, match="fields: people has no field 'city'"):
        PEOPLE.names(["at", "city"])


# Every record


NAMES = ["a", "b", "c", "id"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=3), inner),
    max_leaves=8,
)
RECORDS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4)
PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(".".join)
ANY = st.lists(PATHS, min_size=1, max_size=5).map(
    lambda paths: Transformation(
        name="any",
        resource="contacts",
        fields=tuple(FieldMapping(f"own{n % 2}.f{n}", path) for n, path in enumerate(paths)),
    )
)


@given(transformation=ANY, records=st.lists(RECORDS, max_size=3))
@settings(max_examples=40, deadline=None)
def test_no_record_fails_and_pages_show_what_single_records_do(transformation: Transformation, records: list[Any]):
    page = transformation.shown_page(json.dumps(records).encode())

    assert json.loads(page) == [transformation.shown(record) for record in records]


@given(transformation=ANY, record=RECORDS)
@settings(max_examples=40, deadline=None)
def test_record_that_is_sent_back_as_it_was_shown_keeps_what_is_mapped(transformation: Transformation, record: Any):
    shown = transformation.shown(record)

    assert transformation.shown(transformation.written(shown)) == shown


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"firmId": 4}, {"company": {"id": 4}}),
        ({"firm": {"id": 4}}, {"company": {"id": 4}}),
        ({"at": "Rome"}, {"city": "Rome", "company": {"id": 3, "name": "Acme"}}),
        ({"name": {"first": "Ada", "last": "King"}}, {"lastName": "King", "company": {"id": 3, "name": "Acme"}}),
    ],
)
def test_change_within_a_whole_record_counts_and_nulls_that_were_there_say_nothing(changed, expected):
    whole = PEOPLE.shown(RECORD)

    assert PEOPLE.is_ambiguous(whole | changed)
    assert PEOPLE.written(whole | changed, present=whole) == {"id": 7, "firstName": "Ada"} | expected


def test_null_alone_empties_what_is_shown_as_null():
    assert PEOPLE.written({"at": None}, present=PEOPLE.shown(RECORD)) == {"city": None}


def test_one_field_under_two_names_has_one_value():
    people = mapped(a="city", b="city")

    assert people.written({"a": "Rome", "b": "Rome"}) == {"city": "Rome"}
    assert people.written({"a": "Rome", "b": "Oslo"}, present={"a": "Oslo", "b": "Oslo"}) == {"city": "Rome"}
    with pytest.raises(InvalidRecord, match="a and b are the same field"):
        people.written({"a": "Rome", "b": "Oslo"})
