"""What a bulk query may say."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import InvalidQuery
from connectors.selection import Selection, parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select * from contacts", Selection(collection="contacts")),
        (
            "SELECT * FROM contacts WHERE city = 'Tampa'",
            Selection(collection="contacts", where="city = 'Tampa'"),
        ),
        (
            "  select id,company.name ,  `odd name` from incidents/5/comments where text = 'it''s from where' ",
            Selection(
                collection="incidents/5/comments",
                fields=("id", "company.name", "odd name"),
                where="text = 'it''s from where'",
            ),
        ),
        ("select fromage, fromage from time-entries", Selection(collection="time-entries", fields=("fromage",))),
        ("select\n*\nfrom\tservice/boards", Selection(collection="service/boards")),
    ],
)
def test_a_bulk_query_names_fields_a_collection_and_a_condition(text, expected):
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected 'select' at position 1"),
        ("delete from contacts", "expected 'select' at position 1"),
        ("select from contacts", "expected 'from' at position 13"),
        ("select id contacts", "expected 'from' at position 11"),
        ("select id, from contacts", "expected 'from' at position 17"),
        ("select *, id from contacts", "* stands alone"),
        ("select * from", "expected the name of a resource, such as contacts at position 14"),
        ("select * from contacts order by id", "expected 'where' at position 24"),
        ("select * from contacts where", "at position 29, the query ends"),
        ("select * from contacts where city ~ 'x'", "unexpected \"~ 'x'\" at position 35"),
        ("select * from contacts where city = 'x' order by id", "at position 41"),
        ("select * from contacts where city = 'a\x00'", "a NUL character, which cannot be stored at position 39"),
        ("select * from contacts where a = '" + "x" * 16_000 + "'", "longer than 16000 characters"),
        ("select " + "a," * 100 + "a from contacts", "more than 100 fields"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_position(text, message):
    with pytest.raises(InvalidQuery) as refused:
        parse(text)
    assert str(refused.value).startswith("Error parsing query: ")
    assert message in str(refused.value)


@settings(max_examples=60, deadline=None)
@given(st.text("select*from ,`ab.'\x00where=/1(", max_size=60).map(lambda text: f"select {text}"))
def test_any_text_is_read_or_refused(text):
    try:
        found = parse(text)
    except InvalidQuery:
        return
    assert found.collection
    assert "\x00" not in text
