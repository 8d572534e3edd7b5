"""The conditions language: text to a tree. Which fields and types it may name is decided in `matching`.

board/name = "Help Desk" and (priority/id in (1, 2) or closedFlag = False) and lastUpdated > [2024-05-01T12:00:00Z]
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal, NoReturn

from connectors.sandbox.refusals import Refusal, bad_request

ValueType = Literal["String", "Number", "Boolean", "DateTime", "Null"]
Operator = Literal["=", "!=", "<", "<=", ">", ">=", "contains", "like", "in"]

DEEPEST = 50
LONGEST_NUMBER = 100


@dataclass(frozen=True, slots=True)
class Value:
    type: ValueType
    value: str | Decimal | bool | datetime | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """`field` as written. `in` has one or more values, every other operator exactly one."""

    field: str
    operator: Operator
    values: tuple[Value, ...]
    is_negated: bool = False


@dataclass(frozen=True, slots=True)
class And:
    terms: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Or:
    terms: tuple[Expression, ...]


Expression = Comparison | And | Or

_TOKEN = re.compile(
    r"""(?P<blank>[ \t\r\n]+)
    | (?P<string>"[^"]*"|'[^']*')
    | (?P<date>\[[^\]]*\])
    | (?P<number>[+-]?[0-9]+(?:\.[0-9]+)?(?![\w.]))
    | (?P<sign><=|>=|!=|=|<|>|\(|\)|,)
    | (?P<word>[A-Za-z_]\w*(?:/[A-Za-z_]\w*)*)""",
    re.VERBOSE | re.ASCII,
)
_OPERATORS: tuple[Operator, ...] = ("contains", "like", "=", "!=", "<", "<=", ">", ">=")
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.(?P<fraction>\d{1,9}))?)?Z?)?", re.ASCII)
_KEYWORDS = frozenset({"and", "or", "not", "contains", "like", "in", "null", "true", "false"})


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    """string, date, number, sign, keyword, field, or end."""
    text: str
    position: int


def parse(text: str) -> Expression:
    """Raises Refusal (400) with what was expected and where."""
    parser = _Parser(_tokens(text))
    expression = parser.any_of(depth=0)
    parser.expect_end()
    return expression


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _unreadable(f"{text[position : position + 20]!r} cannot be understood", position)
        kind, found = str(match.lastgroup), match.group()
        if kind == "word":
            kind = "keyword" if found.lower() in _KEYWORDS else "field"
        if kind != "blank":
            tokens.append(_Token(kind, found.lower() if kind == "keyword" else found, position))
        position = match.end()
    tokens.append(_Token("end", "the end", position))
    return tokens


def _unreadable(what: str, position: int) -> Refusal:
    return bad_request(f"The conditions are not valid: {what} at position {position}.")


class _Parser:
    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._next = 0

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _fail(self, expected: str) -> NoReturn:
        raise _unreadable(f"expected {expected}, found {self._token.text}", self._token.position)

    def _take(self, *texts: str) -> bool:
        """Step over the next sign or keyword if it is one of these."""
        if self._token.kind in ("sign", "keyword") and self._token.text in texts:
            self._next += 1
            return True
        return False

    def expect_end(self) -> None:
        if self._token.kind != "end":
            self._fail("and, or, or the end")

    def any_of(self, *, depth: int) -> Expression:
        terms = [self.all_of(depth=depth)]
        while self._take("or"):
            terms.append(self.all_of(depth=depth))
        return terms[0] if len(terms) == 1 else Or(tuple(terms))

    def all_of(self, *, depth: int) -> Expression:
        terms = [self.term(depth=depth)]
        while self._take("and"):
            terms.append(self.term(depth=depth))
        return terms[0] if len(terms) == 1 else And(tuple(terms))

    def term(self, *, depth: int) -> Expression:
        if not self._take("("):
            return self.comparison()
        if depth >= DEEPEST:
            self._fail(f"at most {DEEPEST} nested parentheses")
        inner = self.any_of(depth=depth + 1)
        if not self._take(")"):
            self._fail("a closing parenthesis")
        return inner

    def comparison(self) -> Comparison:
        token = self._token
        if token.kind != "field":
            # `not` is part of an operator: there is no `not (...)`.
            self._fail("a field name")
        self._next += 1
        is_negated = self._take("not")
        if self._take("in"):
            return Comparison(token.text, "in", self._list(), is_negated)
        for operator in _OPERATORS[:2] if is_negated else _OPERATORS:
            if self._take(operator):
                return Comparison(token.text, operator, (self._value(),), is_negated)
        return self._fail("contains, like or in behind not" if is_negated else "an operator")

    def _list(self) -> tuple[Value, ...]:
        if not self._take("("):
            self._fail("an opening parenthesis behind in")
        values = [self._value()]
        while self._take(","):
            values.append(self._value())
        if not self._take(")"):
            self._fail("a comma or a closing parenthesis")
        return tuple(values)

    def _value(self) -> Value:
        token = self._token
        value = self._read_value(token)
        self._next += 1
        return value

    def _read_value(self, token: _Token) -> Value:
        if token.kind == "string":
            return Value("String", token.text[1:-1])
        if token.kind == "number" and len(token.text) <= LONGEST_NUMBER:
            return Value("Number", Decimal(token.text))
        if token.kind == "date":
            return Value("DateTime", _date(token))
        if token.kind == "keyword" and token.text in ("true", "false"):
            return Value("Boolean", token.text == "true")
        if token.kind == "keyword" and token.text == "null":
            return Value("Null", None)
        return self._fail(
            'a value: a string in quotes ("text"), a date in brackets ([2016-08-20T18:04:26Z]), a number in '
            "digits, True, False or null"
        )


def _date(token: _Token) -> datetime:
    """UTC. A literal with an offset is refused: ConnectWise misreads it, which is worse."""
    text = token.text[1:-1]
    match = _DATE.fullmatch(text)
    if match is None:
        raise _unreadable(
            f"the date [{text}] is not written as [2016-08-20T18:04:26Z], UTC without an offset", token.position
        )
    fraction = match["fraction"]
    if fraction:
        text = text.replace(f".{fraction}", f".{fraction[:6]:0<6}")
    try:
        return datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC)
    except ValueError as impossible:
        raise _unreadable(f"the date [{text}] does not exist", token.position) from impossible
