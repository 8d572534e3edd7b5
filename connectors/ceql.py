"""CEQL, the query language of `where`: text to a tree and back.

    lastUpdated > '2018-01-15T00:00:00Z' AND (company.id IN (1, 2) OR name LIKE 'Acme%') AND `odd name` IS NOT NULL

Keywords are read in any case, AND binds tighter than OR, a quote inside a quoted text is doubled. Values keep the
type they were written in; making `'5'` a number because the field is one is for whoever knows the field.

The grammar is one page, so it is read by hand: a token pattern and three functions that call each other. A parser
generator would be longer than the parser, slower to import, and its messages would speak of rules, not of queries.
Length, nesting and the digits of a number are bounded, so no text can exhaust anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, NamedTuple, NoReturn, TypeAlias

from connectors.errors import InvalidQuery

LONGEST_QUERY = 16_000
"""Characters. Longer than any URL that servers accept."""
DEEPEST_NESTING = 32
LONGEST_NUMBER = 40

Operator = Literal["=", "!=", "<", ">", "<=", ">="]


@dataclass(frozen=True, slots=True)
class DateTime:
    """A date that was written without quotes, as written: `2018-01-15` or `2018-01-15T00:00:00.000+06:00`."""

    text: str


Value: TypeAlias = str | int | Decimal | bool | DateTime


@dataclass(frozen=True, slots=True)
class Comparison:
    field: str
    operator: Operator
    value: Value


@dataclass(frozen=True, slots=True)
class In:
    field: str
    values: tuple[Value, ...]
    is_negated: bool = False


@dataclass(frozen=True, slots=True)
class Like:
    field: str
    pattern: str
    """`%` stands for any text."""
    is_negated: bool = False


@dataclass(frozen=True, slots=True)
class IsNull:
    field: str
    is_negated: bool = False


@dataclass(frozen=True, slots=True)
class And:
    terms: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Or:
    terms: tuple[Expression, ...]


Expression: TypeAlias = Comparison | In | Like | IsNull | And | Or


def parse(text: str) -> Expression:
    """The tree of a `where` clause.

    Raises InvalidQuery ("Error parsing query: expected a value at position 8, found ')'"); positions count
    characters from 1.
    """
    if len(text) > LONGEST_QUERY:
        raise InvalidQuery(f"Error parsing query: it is longer than {LONGEST_QUERY} characters at position 1")
    return _Parser(text).query()


def fields_of(expression: Expression) -> frozenset[str]:
    """Every field that the query asks about."""
    if isinstance(expression, And | Or):
        return frozenset().union(*(fields_of(term) for term in expression.terms))
    return frozenset({expression.field})


def to_text(expression: Expression) -> str:
    """CEQL for this tree: `parse(to_text(tree)) == tree` for every tree that came out of `parse`."""
    match expression:
        case Or(terms):
            return " OR ".join(f"({to_text(term)})" if isinstance(term, Or) else to_text(term) for term in terms)
        case And(terms):
            return " AND ".join(f"({to_text(term)})" if isinstance(term, And | Or) else to_text(term) for term in terms)
        case Comparison(field, operator, value):
            return f"{_name(field)} {operator} {_value(value)}"
        case In(field, values, is_negated):
            return f"{_name(field)} {'NOT ' * is_negated}IN ({', '.join(map(_value, values))})"
        case Like(field, pattern, is_negated):
            return f"{_name(field)} {'NOT ' * is_negated}LIKE {_value(pattern)}"
        case IsNull(field, is_negated):
            return f"{_name(field)} IS {'NOT ' * is_negated}NULL"


_KEYWORDS = frozenset({"AND", "OR", "NOT", "IN", "LIKE", "IS", "NULL", "TRUE", "FALSE"})
_PLAIN_NAME = r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*"
_is_plain_name = re.compile(_PLAIN_NAME).fullmatch

# A space where the offset's sign should be is a `+` that a URL decoder turned into one.
_DATE = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[Tt][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:[Zz]|[\ +-][0-9]{2}:?[0-9]{2})?)?"
)
_next_token = re.compile(
    rf"""
      (?P<quoted>'[^']*(?:''[^']*)*' | "[^"]*(?:""[^"]*)*")
    | (?P<name>`(?:[^`]|``)+`)
    | (?P<date>{_DATE})(?![0-9A-Za-z_.:])
    | (?P<number>-?[0-9]+(?:\.[0-9]+)?)(?![0-9A-Za-z_.:])
    | (?P<word>{_PLAIN_NAME})
    | (?P<operator><=|>=|!=|=|<|>)
    | (?P<mark>[(),])
    """,
    re.VERBOSE,
).match
_spaces = re.compile(r"\s*").match


class _Token(NamedTuple):
    kind: str
    """A group of the pattern, or `keyword`, or `end`."""
    text: str
    """As written; keywords in capitals."""
    start: int


def _tokens(text: str) -> list[_Token]:
    tokens = []
    position = _skip_spaces(text, 0)
    while position < len(text):
        match = _next_token(text, position)
        if match is None:
            if text[position] in "'\"`":
                _fail("this quote is not closed", position)
            _fail(f"unexpected {text[position : position + 20]!r}", position)
        kind, found = match.lastgroup or "", match.group()
        if kind == "word" and found.upper() in _KEYWORDS:
            kind, found = "keyword", found.upper()
        tokens.append(_Token(kind, found, position))
        position = _skip_spaces(text, match.end())
    tokens.append(_Token("end", "", len(text)))
    return tokens


def _skip_spaces(text: str, position: int) -> int:
    match = _spaces(text, position)
    return match.end() if match else position


class _Parser:
    """Reads the tokens from left to right, one function per line of the grammar."""

    def __init__(self, text: str) -> None:
        self.tokens = _tokens(text)
        self.next = 0
        self.nesting = 0

    def query(self) -> Expression:
        expression = self.expression()
        if self.tokens[self.next].kind != "end":
            self.expected("AND, OR or the end of the query")
        return expression

    def expression(self) -> Expression:
        """term *("AND" term) *("OR" ...): groups of AND, joined by OR."""
        groups = [self.group()]
        while self.takes("keyword", "OR"):
            groups.append(self.group())
        return groups[0] if len(groups) == 1 else Or(tuple(groups))

    def group(self) -> Expression:
        terms = [self.term()]
        while self.takes("keyword", "AND"):
            terms.append(self.term())
        return terms[0] if len(terms) == 1 else And(tuple(terms))

    def term(self) -> Expression:
        if self.takes("mark", "("):
            self.nesting += 1
            if self.nesting > DEEPEST_NESTING:
                _fail(f"more than {DEEPEST_NESTING} brackets inside each other", self.tokens[self.next - 1].start)
            expression = self.expression()
            self.needs("mark", ")")
            self.nesting -= 1
            return expression
        field = self.field()
        if self.takes("keyword", "IS"):
            is_negated = self.takes("keyword", "NOT")
            self.needs("keyword", "NULL")
            return IsNull(field, is_negated)
        is_negated = self.takes("keyword", "NOT")
        if self.takes("keyword", "IN"):
            return In(field, self.values(), is_negated)
        if self.takes("keyword", "LIKE"):
            return Like(field, self.pattern(), is_negated)
        if is_negated:
            self.expected("IN or LIKE")
        return Comparison(field, self.operator(), self.value())

    def field(self) -> str:
        token = self.tokens[self.next]
        if token.kind not in ("word", "name"):
            self.expected("a field name")
        self.next += 1
        return token.text if token.kind == "word" else _unquote(token.text)

    def operator(self) -> Operator:
        token = self.tokens[self.next]
        if token.kind != "operator":
            self.expected("one of = != < > <= >= IN, LIKE, IS NULL")
        self.next += 1
        return token.text  # type: ignore[return-value]  # the token pattern knows only these six

    def values(self) -> tuple[Value, ...]:
        self.needs("mark", "(")
        values = [self.value()]
        while self.takes("mark", ","):
            values.append(self.value())
        self.needs("mark", ")")
        return tuple(values)

    def pattern(self) -> str:
        """What LIKE compares with is text, however it was written."""
        start = self.next
        value = self.value()
        if isinstance(value, str):
            return value
        written = self.tokens[start].text
        return written.lower() if isinstance(value, bool) else written

    def value(self) -> Value:
        token = self.tokens[self.next]
        match token.kind:
            case "quoted":
                value: Value = _unquote(token.text)
            case "number":
                if len(token.text) > LONGEST_NUMBER:
                    _fail(f"a number of more than {LONGEST_NUMBER} characters", token.start)
                value = Decimal(token.text) if "." in token.text else int(token.text)
            case "date":
                value = DateTime(token.text.replace(" ", "+"))
            case "keyword" if token.text in ("TRUE", "FALSE"):
                value = token.text == "TRUE"
            case "keyword" if token.text == "NULL":
                _fail("compare with null by IS NULL or IS NOT NULL", token.start)
            case _:
                self.expected("a value (text goes in quotes)")
        self.next += 1
        return value

    def takes(self, kind: str, text: str) -> bool:
        """Steps over this token, if it comes next."""
        token = self.tokens[self.next]
        if (token.kind, token.text) != (kind, text):
            return False
        self.next += 1
        return True

    def needs(self, kind: str, text: str) -> None:
        if not self.takes(kind, text):
            self.expected(text if kind == "keyword" else repr(text))

    def expected(self, what: str) -> NoReturn:
        token = self.tokens[self.next]
        found = "the query ends" if token.kind == "end" else f"found {token.text[:20]!r}"
        _fail(f"expected {what}", token.start, f", {found}")


def _fail(message: str, position: int, rest: str = "") -> NoReturn:
    raise InvalidQuery(f"Error parsing query: {message} at position {position + 1}{rest}")


def _unquote(text: str) -> str:
    quote = text[0]
    return text[1:-1].replace(quote * 2, quote)


def _name(field: str) -> str:
    if _is_plain_name(field) and field.upper() not in _KEYWORDS:
        return field
    return "`" + field.replace("`", "``") + "`"


def _value(value: Value) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case DateTime(text):
            return text
        case str():
            return "'" + value.replace("'", "''") + "'"
        case _:
            return f"{value:f}" if isinstance(value, Decimal) else str(value)
