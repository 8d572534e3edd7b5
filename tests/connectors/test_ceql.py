from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.ceql import (
    DEEPEST_NESTING,
    LONGEST_QUERY,
    And,
    Comparison,
    DateTime,
    Expression,
    In,
    IsNull,
    Like,
    Or,
    fields_of,
    parse,
    to_text,
)
from connectors.errors import InvalidQuery


@pytest.mark.parametrize(
    "text, tree",
    [
        ("id=1", Comparison("id", "=", 1)),
        ("  id  !=  -7 ", Comparison("id", "!=", -7)),
        ("id<1", Comparison("id", "<", 1)),
        ("id>1", Comparison("id", ">", 1)),
        ("id<=1", Comparison("id", "<=", 1)),
        ("id>=1", Comparison("id", ">=", 1)),
        ("rate = 1.50", Comparison("rate", "=", Decimal("1.50"))),
        ("company.id=123", Comparison("company.id", "=", 123)),
        ("`odd name.x`='y'", Comparison("odd name.x", "=", "y")),
        ("`a``b` = 1", Comparison("a`b", "=", 1)),
        ("`and` = 1", Comparison("and", "=", 1)),
        ("in.order = 1", Comparison("in.order", "=", 1)),
        ("name = 'O''Brien'", Comparison("name", "=", "O'Brien")),
        ("name = ''", Comparison("name", "=", "")),
        ("name = ''''", Comparison("name", "=", "'")),
        ('name = "O\'Brien"', Comparison("name", "=", "O'Brien")),
        ('name = "say ""hi"""', Comparison("name", "=", 'say "hi"')),
        ("name = 'a AND b = 1'", Comparison("name", "=", "a AND b = 1")),
        ("name = 'Zoë 東京'", Comparison("name", "=", "Zoë 東京")),
        ("closed = TRUE", Comparison("closed", "=", True)),
        ("closed = false", Comparison("closed", "=", False)),
        ("lastUpdated>'2018-01-15T00:00:00Z'", Comparison("lastUpdated", ">", "2018-01-15T00:00:00Z")),
        ("d > 2018-01-15", Comparison("d", ">", DateTime("2018-01-15"))),
        ("d > 2018-01-15T10:20", Comparison("d", ">", DateTime("2018-01-15T10:20"))),
        ("d > 2018-01-15T10:20:30.000Z", Comparison("d", ">", DateTime("2018-01-15T10:20:30.000Z"))),
        ("d > 2018-01-15T10:20:30-0600", Comparison("d", ">", DateTime("2018-01-15T10:20:30-0600"))),
        ("d > 2018-01-15T10:20:30+06:00", Comparison("d", ">", DateTime("2018-01-15T10:20:30+06:00"))),
        ("id IN (1,2 , 'x')", In("id", (1, 2, "x"))),
        ("id not in (1)", In("id", (1,), is_negated=True)),
        ("name LIKE 'Ac%'", Like("name", "Ac%")),
        ("name NOT like 'Ac%'", Like("name", "Ac%", is_negated=True)),
        ("name LIKE 5", Like("name", "5")),
        ("name LIKE 2018-01-15T10:20Z", Like("name", "2018-01-15T10:20Z")),
        ("name LIKE True", Like("name", "true")),
        ("name is null", IsNull("name")),
        ("name IS NOT NULL", IsNull("name", is_negated=True)),
    ],
)
def test_each_form_of_a_term_has_its_tree(text, tree):
    assert parse(text) == tree
    assert type(getattr(parse(text), "value", None)) is type(getattr(tree, "value", None))


A, B, C, D = (Comparison(name, "=", 1) for name in "abcd")


@pytest.mark.parametrize(
    "text, tree",
    [
        ("a=1 AND b=1 and c=1", And((A, B, C))),
        ("a=1 or b=1 OR c=1", Or((A, B, C))),
        ("a=1 OR b=1 AND c=1", Or((A, And((B, C))))),
        ("a=1 AND b=1 OR c=1 AND d=1", Or((And((A, B)), And((C, D))))),
        ("(a=1 OR b=1) AND c=1", And((Or((A, B)), C))),
        ("a='x'AND(b=1)", And((Comparison("a", "=", "x"), B))),
        ("((a=1))", A),
    ],
)
def test_and_binds_tighter_than_or_and_brackets_win(text, tree):
    assert parse(text) == tree


def test_a_plus_that_a_url_decoder_made_a_space_is_still_an_offset():
    assert parse("d > 2018-01-15T10:20:30 06:00 AND a=1") == And(
        (Comparison("d", ">", DateTime("2018-01-15T10:20:30+06:00")), A)
    )


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "expected a field name at position 1, the query ends"),
        ("name =", "expected a value (text goes in quotes) at position 7, the query ends"),
        ("name = foo", "expected a value (text goes in quotes) at position 8, found 'foo'"),
        ("name = null", "compare with null by IS NULL or IS NOT NULL at position 8"),
        ("name 'x'", "expected one of = != < > <= >= IN, LIKE, IS NULL at position 6, found \"'x'\""),
        ("name = 'x", "this quote is not closed at position 8"),
        ("`name = 1", "this quote is not closed at position 1"),
        ("`` = 1", "this quote is not closed at position 1"),
        ("a=1 b=1", "expected AND, OR or the end of the query at position 5, found 'b'"),
        ("(a=1", "expected ')' at position 5, the query ends"),
        ("a=1)", "expected AND, OR or the end of the query at position 4, found ')'"),
        ("id IN ()", "expected a value (text goes in quotes) at position 8, found ')'"),
        ("id IN 1", "expected '(' at position 7, found '1'"),
        ("id NOT = 1", "expected IN or LIKE at position 8, found '='"),
        ("id IS 1", "expected NULL at position 7, found '1'"),
        ("and = 1", "expected a field name at position 1, found 'AND'"),
        ("a=1 AND", "expected a field name at position 8, the query ends"),
        ("a;drop", "unexpected ';drop' at position 2"),
        ("a = 1e5", "unexpected '1e5' at position 5"),
        ("a = " + "9" * 41, "a number of more than 40 characters at position 5"),
        ("(" * 33 + "a=1" + ")" * 33, "more than 32 brackets inside each other at position 33"),
        ("a" * (LONGEST_QUERY + 1), "it is longer than 16000 characters at position 1"),
    ],
)
def test_an_error_says_what_was_expected_and_where(text, message):
    with pytest.raises(InvalidQuery) as error:
        parse(text)
    assert str(error.value) == f"Error parsing query: {message}"


def test_fields_of_a_query_are_each_named_once():
    assert fields_of(parse("a=1 AND (b.c IN (1) OR `x y` IS NULL OR a LIKE 'z')")) == {"a", "b.c", "x y"}


def test_the_deepest_allowed_nesting_is_read():
    text = "(" * DEEPEST_NESTING + "a=1" + ")" * DEEPEST_NESTING
    assert parse(text) == A


def tree_or_message(text: str) -> Expression | str:
    try:
        return parse(text)
    except InvalidQuery as error:
        return str(error)


WORDS = ["a", "b.c", "id", "AND", "or", "NOT", "IN", "like", "IS", "null", "true", "!=", "<=", "''", "1", "-2.5"]
LITERALS = ["2018-01-15", "2018-01-15T10:20:30Z", "'x'", '"y"', "`z`"]
pieces = st.sampled_from([*"()=<>,'\"`.-+: %$", *WORDS, *LITERALS, " ", "\n", "\x00", "é", "\ud800", "٣"])
texts = st.one_of(st.lists(pieces, max_size=25).map(" ".join), st.lists(pieces, max_size=25).map("".join), st.text())


@settings(max_examples=60, deadline=None)
@given(texts)
@example("(" * 10_000)
@example("'" * 9_999)
@example("a=1 AND " * 1_500 + "a=1")
@example("a = ٣")
def test_any_text_and_the_starts_of_it_are_each_a_tree_or_an_invalid_query(text):
    """Over 10,000 texts: each one is also cut off at up to 40 places, where half a token is left at the end."""
    for end in range(len(text), -1, -max(1, len(text) // 40)):
        outcome = tree_or_message(text[:end])
        if isinstance(outcome, str):
            assert re.match(r"Error parsing query: .+ at position \d+", outcome)
        else:
            assert parse(to_text(outcome)) == outcome


names = st.one_of(st.sampled_from(["id", "a.b", "and", "x y", "a`b", "1st"]), st.text(min_size=1, max_size=8))
values = st.one_of(
    st.text(max_size=10),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=3),
    st.datetimes().map(lambda moment: DateTime(moment.isoformat() + "Z")),
)
terms = st.one_of(
    st.builds(Comparison, names, st.sampled_from(["=", "!=", "<", ">", "<=", ">="]), values),
    st.builds(In, names, st.lists(values, min_size=1, max_size=3).map(tuple), st.booleans()),
    st.builds(Like, names, st.text(max_size=10), st.booleans()),
    st.builds(IsNull, names, st.booleans()),
)
trees = st.recursive(
    terms,
    lambda inner: st.one_of(
        st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(trees)
def test_every_tree_survives_being_written_and_read_again(tree):
    assert parse(to_text(tree)) == tree
    assert to_text(parse(to_text(tree))) == to_text(tree)
