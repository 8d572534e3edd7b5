"""From a CEQL tree to ConnectWise's `conditions`, node by node.

    closedFlag = 'false' AND board.name = 'Help "Desk"'   ->   (closedFlag = False) and (board/name = 'Help "Desk"')

Every name is checked against the form of a name and every value is written as one literal of its type, so nothing
that a caller sends can become a part of the condition's structure.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from connectors.ceql import And, Comparison, DateTime, Expression, In, IsNull, Like, Or, Value, fields_of
from connectors.element import FieldType, Resource
from connectors.errors import InvalidQuery

_is_name = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:[./][A-Za-z_][A-Za-z0-9_]*)*").fullmatch
_is_number = re.compile(r"\s*-?[0-9]{1,40}(?:\.[0-9]{1,40})?\s*").fullmatch
_is_date = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[Tt ].*)?").fullmatch
# Where the offset's sign was a `+`, a URL decoder has left a blank.
_blank_for_plus = re.compile(r"(?<=[0-9]) (?=[0-9]{2}:?[0-9]{2}$)")
_KEYWORDS = frozenset({"and", "or", "not", "in", "like", "contains", "null", "true", "false"})
_BOOLEANS = {"true": True, "false": False}
# Whatever the record type: the names of ConnectWise say so.
_DATES_EVERYWHERE = frozenset({"lastupdated", "dateentered"})
_NAMES_SHOWN = 12
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Conditions:
    """The two parameters of a list call; an empty one is left out."""

    conditions: str = ""
    child_conditions: str = ""


def translate(where: Expression | None, *, resource: Resource) -> Conditions:
    """What the call has to ask for. Raises InvalidQuery for what ConnectWise has no words for."""
    if where is None:
        return Conditions()
    return _Translator(resource).conditions(where)


def path_of(name: str, *, resource: Resource) -> str:
    """`company.id` as ConnectWise spells it, `company/id`. Raises InvalidQuery for what is no field name.

    A resource with `provider_names` has these fields only; the names of others are ConnectWise's own.
    """
    if not _is_name(name) or name.casefold() in _KEYWORDS:
        raise InvalidQuery(f"Error parsing query: {name[:60]!r} is no field name of ConnectWise")
    if resource.provider_names:
        name = _provider_name(name, resource=resource)
    return name.replace(".", "/")


def _provider_name(name: str, *, resource: Resource) -> str:
    asked = name.casefold().replace("/", ".")
    for known, provider_name in resource.provider_names.items():
        if known.casefold() == asked:
            return provider_name
    if asked in (child.casefold() for child in resource.child_fields):
        raise InvalidQuery(f"Error parsing query: {name} lies in a list at ConnectWise, which does not sort by it")
    some = ", ".join(list(resource.provider_names)[:_NAMES_SHOWN])
    raise InvalidQuery(f"Error parsing query: {resource.name} have no field {name[:60]!r}; they have {some} and others")


def order_of(order_by: str, *, resource: Resource) -> str:
    """`name asc, id desc` in ConnectWise's spelling. Raises InvalidQuery."""
    parts = []
    for part in order_by.split(","):
        name, _, direction = part.strip().partition(" ")
        if (direction := direction.strip().lower() or "asc") not in ("asc", "desc"):
            raise InvalidQuery(f"orderBy: {part.strip()[:60]!r} should read 'name asc' or 'name desc'")
        parts.append(f"{path_of(name, resource=resource)} {direction}")
    return ", ".join(parts)


class _Translator:
    def __init__(self, resource: Resource) -> None:
        self._resource = resource
        self._types: Mapping[str, FieldType] = {
            name.casefold(): field_type for name, field_type in resource.field_types.items()
        }
        self._templates = {name.casefold(): template for name, (template, _) in resource.child_fields.items()}

    def conditions(self, where: Expression) -> Conditions:
        terms = where.terms if isinstance(where, And) else (where,)
        own, child = [], []
        for term in terms:
            names = fields_of(term)
            inside_array = [name for name in names if self._is_child(name)]
            if not inside_array:
                own.append(self._text(term))
            elif len(inside_array) == len(names):
                child.append(self._text(term))
            else:
                # They travel in two parameters, and ConnectWise wants both to hold.
                raise InvalidQuery(
                    f"Error parsing query: {inside_array[0]} can be joined with other fields by AND only"
                )
        return Conditions(_joined(own, " and "), _joined(child, " and "))

    def _is_child(self, name: str) -> bool:
        return name.casefold() in self._templates

    def _text(self, node: Expression) -> str:
        if isinstance(node, And | Or):
            return _joined([self._text(term) for term in node.terms], " and " if isinstance(node, And) else " or ")
        if self._is_child(node.field):
            return self._child_text(node)
        path = path_of(node.field, resource=self._resource)
        match node:
            case Comparison(field, operator, value):
                return f"{path} {operator} {self._literal(field, value)}"
            case In(field, values, is_negated):
                listed = ", ".join(self._literal(field, value) for value in values)
                return f"{path} {'not ' * is_negated}in ({listed})"
            case Like(_, pattern, is_negated):
                return f"{path} {'not ' * is_negated}like {_pattern(pattern)}"
            case IsNull(_, is_negated):
                return f"{path} {'!=' if is_negated else '='} null"

    def _child_text(self, node: Comparison | In | Like | IsNull) -> str:
        """A test of a field inside an array. There is no `in` there, and "not" would mean "another item is not"."""
        match node:
            case Comparison(_, operator, value) if operator != "!=":
                return self._from_template(node.field, f"{operator} {_text_literal(_as_text(value))}")
            case In(_, values, False):
                tests = [f"= {_text_literal(_as_text(value))}" for value in values]
                return _joined([self._from_template(node.field, test) for test in tests], " or ")
            case Like(_, pattern, False):
                return self._from_template(node.field, f"like {_pattern(pattern)}")
        raise InvalidQuery(
            f"Error parsing query: {node.field} lies in a list at ConnectWise: ask with = LIKE IN < <= > >= only"
        )

    def _from_template(self, field: str, test: str) -> str:
        return self._templates[field.casefold()].replace("{test}", test)

    def _type(self, field: str) -> FieldType:
        name = field.casefold().replace("/", ".")
        if known := self._types.get(name):
            return known
        last = name.rpartition(".")[2]
        if last == "id":
            return "number"
        if last in _DATES_EVERYWHERE:
            return "datetime"
        return "boolean" if last.endswith("flag") else "text"

    def _literal(self, field: str, value: Value) -> str:
        """The value as a literal of the field's type: clients quote numbers, booleans and dates alike."""
        match self._type(field), value:
            case "text", DateTime(text):
                return _date_literal(field, text)
            case "text", str():
                return _text_literal(value)
            case "text" | "boolean", bool():
                return str(value)
            case "text" | "number", int() | Decimal() if not isinstance(value, bool):
                return f"{value:f}" if isinstance(value, Decimal) else str(value)
            case "number", str() if _is_number(value):
                return f"{Decimal(value.strip()):f}"
            case "boolean", str() if value.strip().lower() in _BOOLEANS:
                return str(_BOOLEANS[value.strip().lower()])
            case "milliseconds", int() | Decimal() if not isinstance(value, bool):
                return _milliseconds_literal(field, Decimal(value))
            case "milliseconds", str() if _is_number(value):
                return _milliseconds_literal(field, Decimal(value.strip()))
            case "datetime" | "milliseconds", DateTime(text):
                return _date_literal(field, text)
            case "datetime" | "milliseconds", str():
                return _date_literal(field, value)
        shown = value.text if isinstance(value, DateTime) else str(value)
        raise InvalidQuery(f"Error parsing query: {field} is a {self._type(field)}, and {shown[:60]!r} is none")


def _joined(terms: list[str], word: str) -> str:
    return terms[0] if len(terms) == 1 else word.join(f"({term})" for term in terms)


def _as_text(value: Value) -> str:
    if isinstance(value, DateTime):
        return value.text
    return str(value) if not isinstance(value, Decimal) else f"{value:f}"


def _text_literal(text: str) -> str:
    """In the quotes that the text does not hold: ConnectWise documents no way to write a quote inside its own kind."""
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise InvalidQuery("Error parsing query: a value holds a line break or another control character")
    if text.endswith("\\"):
        # Whether ConnectWise takes it as an escape of the closing quote is not documented.
        raise InvalidQuery("Error parsing query: a value ends with a backslash, which ConnectWise may not understand")
    for quote in "\"'":
        if quote not in text:
            return f"{quote}{text}{quote}"
    raise InvalidQuery(
        "Error parsing query: a value holds both kinds of quotes, which ConnectWise has no words for; "
        "use LIKE with % in the place of one kind"
    )


def _pattern(pattern: str) -> str:
    # The text goes to SQL LIKE, where a bracket begins a set of characters. `%` means the same on both sides.
    return _text_literal(pattern.replace("[", "[[]"))


def _date_literal(field: str, text: str) -> str:
    """In UTC and without an offset, which ConnectWise misreads. Text without an offset is UTC."""
    text = text.strip()
    try:
        if not _is_date(text):
            raise ValueError(text)
        moment = datetime.fromisoformat(_blank_for_plus.sub("+", text))
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise InvalidQuery(
            f"Error parsing query: {field} is a date, written like '2024-05-01T12:00:00Z', and {text[:60]!r} is none"
        ) from None
    return f"[{moment.replace(tzinfo=None).isoformat()}Z]"


def _milliseconds_literal(field: str, milliseconds: Decimal) -> str:
    try:
        moment = _EPOCH + timedelta(milliseconds=int(milliseconds))
    except OverflowError:
        raise InvalidQuery(
            f"Error parsing query: {field} is a moment in milliseconds since 1970, and {milliseconds:f} is none"
        ) from None
    return _date_literal(field, moment.isoformat())
