"""The conditions language as text: what is read, and what is refused."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sandbox.conditions import DEEPEST, And, Comparison, Expression, Or, Value, parse
from connectors.sandbox.refusals import Refusal

ONE = Value("Number", Decimal(1))


def test_example_of_the_documentation_is_understood():
    text = (
        'board/name = "Help Desk" and (priority/id in (1, 2) or closedFlag = False)'
        " and lastUpdated > [2024-05-01T12:00:00Z]"
    )
    assert parse(text) == And(
        (
            Comparison("board/name", "=", (Value("String", "Help Desk"),)),
            Or(
                (
                    Comparison("priority/id", "in", (ONE, Value("Number", Decimal(2)))),
                    Comparison("closedFlag", "=", (Value("Boolean", False),)),
                )
            ),
            Comparison("lastUpdated", ">", (Value("DateTime", datetime(2024, 5, 1, 12, tzinfo=UTC)),)),
        )
    )


def test_and_binds_tighter_than_or():
    a, b, c = (Comparison(name, "=", (ONE,)) for name in "abc")
    assert parse("a=1 or b=1 and c=1") == Or((a, And((b, c))))
    assert parse("(a=1 or b=1) and c=1") == And((Or((a, b)), c))


@pytest.mark.parametrize(
    "text, operator, is_negated",
    [
        ('summary contains "x"', "contains", False),
        ('summary NOT Contains "x"', "contains", True),
        ("summary LIKE 'x'", "like", False),
        ('summary not like "x"', "like", True),
        ('summary not in ("x")', "in", True),
    ],
)
def test_keywords_are_taken_in_any_case_and_not_stands_before_its_operator(text, operator, is_negated):
    comparison = parse(text)
    assert isinstance(comparison, Comparison)
    assert (comparison.operator, comparison.is_negated) == (operator, is_negated)
    assert comparison.values == (Value("String", "x"),)


@pytest.mark.parametrize(
    "literal, value",
    [
        ('"it\'s"', Value("String", "it's")),
        ("'say \"hi\"'", Value("String", 'say "hi"')),
        ('"(a) or [b]"', Value("String", "(a) or [b]")),
        ('""', Value("String", "")),
        ("-5", Value("Number", Decimal(-5))),
        ("+2.50", Value("Number", Decimal("2.50"))),
        ("TRUE", Value("Boolean", True)),
        ("false", Value("Boolean", False)),
        ("Null", Value("Null", None)),
        ("[2016-08-20T18:04:26Z]", Value("DateTime", datetime(2016, 8, 20, 18, 4, 26, tzinfo=UTC))),
        ("[2016-08-20T18:04:26]", Value("DateTime", datetime(2016, 8, 20, 18, 4, 26, tzinfo=UTC))),
        ("[2016-08-20T18:04:26.5Z]", Value("DateTime", datetime(2016, 8, 20, 18, 4, 26, 500_000, tzinfo=UTC))),
        ("[2016-08-20T18:04:26.1234567Z]", Value("DateTime", datetime(2016, 8, 20, 18, 4, 26, 123_456, tzinfo=UTC))),
        ("[2016-08-20]", Value("DateTime", datetime(2016, 8, 20, tzinfo=UTC))),
    ],
)
def test_literals_are_read_by_their_spelling(literal, value):
    assert parse(f"a = {literal}") == Comparison("a", "=", (value,))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a =",
        "= 1",
        "a = 1 and",
        "a = 1 b = 2",
        "a == 1",
        "a <> 1",
        "(a = 1",
        "a = 1)",
        "not (a = 1)",
        "not a = 1",
        "a not = 1",
        "a not > 1",
        "a in 1",
        "a in ()",
        "a in (1,)",
        "a in (1 2)",
        'a = "unclosed',
        "a = 'mixed\"",
        "a = [2024-05-01T12:00:00Z",
        "a = unquoted",
        "a = 5x",
        "a = 5.",
        "a = 1e5",
        "a/ = 1",
        "/a = 1",
        "a.b = 1",
        "a like *",
        "a = 1; drop table contacts",
        "a = 1 -- comment",
        "a = " + "9" * 101,
        "null = 1",
        "naïve = 1",
    ],
)
def test_anything_else_is_refused_with_its_position(text):
    with pytest.raises(Refusal) as refusal:
        parse(text)
    assert refusal.value.answer.status == 400
    assert b"position" in refusal.value.answer.body


@pytest.mark.parametrize(
    "literal",
    [
        "[2024-05-01T12:00:00+00:00]",
        "[2024-05-01T12:00:00 00:00]",  # a plus that nobody encoded
        "[2024-05-01T12:00:00-05:00]",
        "[2024-05-01 12:00:00]",
        "[2024-13-01]",
        "[2024-02-30T00:00:00Z]",
        "[0000-01-01]",
        "[yesterday]",
        "[]",
    ],
)
def test_dates_with_an_offset_and_those_that_do_not_exist_are_refused(literal):
    with pytest.raises(Refusal):
        parse(f"lastUpdated > {literal}")


def test_parentheses_may_be_deep_but_not_bottomless():
    assert parse("(" * DEEPEST + "a=1" + ")" * DEEPEST) == Comparison("a", "=", (ONE,))
    for depth in (DEEPEST + 1, 3000):
        with pytest.raises(Refusal):
            parse("(" * depth + "a=1" + ")" * depth)


def write(expression: Expression) -> str:
    """The text of a tree, with every parenthesis that it needs."""
    if isinstance(expression, Comparison):
        values = [write_value(value) for value in expression.values]
        operand = f"({', '.join(values)})" if expression.operator == "in" else values[0]
        return f"{expression.field} {'not ' if expression.is_negated else ''}{expression.operator} {operand}"
    word = " and " if isinstance(expression, And) else " or "
    return word.join(f"({write(term)})" for term in expression.terms)


def write_value(value: Value) -> str:
    match value.value:
        case bool():
            return str(value.value)
        case str():
            quote = "'" if '"' in value.value else '"'
            return f"{quote}{value.value}{quote}"
        case datetime():
            return value.value.strftime("[%Y-%m-%dT%H:%M:%S.%fZ]")
        case None:
            return "null"
        case number:
            return f"{number:f}"


texts = st.text(max_size=12).filter(lambda text: '"' not in text or "'" not in text)
values = st.one_of(
    texts.map(lambda text: Value("String", text)),
    st.decimals(min_value=-(10**12), max_value=10**12, places=3).map(lambda number: Value("Number", number)),
    st.booleans().map(lambda flag: Value("Boolean", flag)),
    st.datetimes(min_value=datetime(1000, 1, 1), timezones=st.just(UTC)).map(lambda at: Value("DateTime", at)),  # noqa: DTZ001
    st.just(Value("Null", None)),
)
fields = st.from_regex(r"f[A-Za-z0-9_]{0,4}(/f[A-Za-z0-9_]{0,4})?", fullmatch=True)
comparisons = st.one_of(
    st.builds(
        Comparison, fields, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), values.map(lambda value: (value,))
    ),
    st.builds(
        Comparison, fields, st.sampled_from(["contains", "like"]), values.map(lambda value: (value,)), st.booleans()
    ),
    st.builds(Comparison, fields, st.just("in"), st.lists(values, min_size=1, max_size=3).map(tuple), st.booleans()),
)
several = st.lists(comparisons, min_size=2, max_size=3).map(tuple)
expressions = st.one_of(
    comparisons,
    st.builds(And, several),
    st.builds(Or, several),
    st.builds(And, st.tuples(st.builds(Or, several), comparisons)),
    st.builds(Or, st.tuples(st.builds(And, several), comparisons)),
)


@given(expressions)
def test_what_is_written_is_read_back(expression):
    assert parse(write(expression)) == expression


@given(st.text(alphabet="ab1 ()=<>!,'\"[]/-:TZnotinadlke*", max_size=40))
def test_no_text_does_anything_but_parse_or_be_refused(text):
    with contextlib.suppress(Refusal):
        parse(text)
