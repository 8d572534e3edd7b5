"""Conditions against records: types are checked first, then a tree becomes one function."""

from __future__ import annotations

import operator as operators
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from connectors.sandbox.clock import parse_stamp
from connectors.sandbox.conditions import And, Comparison, Expression, Value, ValueType
from connectors.sandbox.refusals import Refusal, bad_request
from connectors.sandbox.schema import Field, FieldInArray, FieldType, Schema, UnknownField

Read = Callable[[Any], Any]
"""From a row to the value of one field; None where it has none."""
Predicate = Callable[[Any], bool]
Resolve = Callable[[str], tuple[Read, Field]]

_EXPECTED: Mapping[FieldType, ValueType] = {
    "text": "String",
    "number": "Number",
    "boolean": "Boolean",
    "datetime": "DateTime",
}
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operators.eq,
    "!=": operators.ne,
    "<": operators.lt,
    "<=": operators.le,
    ">": operators.gt,
    ">=": operators.ge,
}
_TYPES: Mapping[FieldType, tuple[type, ...]] = {"text": (str,), "number": (int, float), "boolean": (bool,)}
_SPELLING = (
    "A string value is written in quotes (\"value\" or 'value'), a DateTime value in square brackets "
    "([2016-08-20T18:04:26Z]), a number value in digits (5 or 5.5), a boolean value as True or False, and no value as "
    "null."
)


def predicate(expression: Expression, resolve: Resolve, *, allows_in: bool = True) -> Predicate:
    """Raises Refusal (400) for fields that are not there and values of the wrong type."""
    if isinstance(expression, Comparison):
        return _comparison(expression, resolve, allows_in=allows_in)
    terms = tuple(predicate(term, resolve, allows_in=allows_in) for term in expression.terms)
    return all_of(terms) if isinstance(expression, And) else lambda row: any(term(row) for term in terms)


def all_of(terms: Sequence[Predicate]) -> Predicate:
    """True where every term is. One and two are spelled out: lists of thousands run through here."""
    if len(terms) == 1:
        return terms[0]
    if len(terms) == 2:
        first, second = terms
        return lambda row: first(row) and second(row)
    return lambda row: all(term(row) for term in terms)


def record_fields(schema: Schema) -> Resolve:
    """Fields of a stored row, for `conditions` and `orderBy`."""

    def resolve(name: str) -> tuple[Read, Field]:
        try:
            path, found = schema.resolve(name)
        except UnknownField as unknown:
            raise bad_request(f"{schema.kind} has no field '{name}'.") from unknown
        except FieldInArray as inside:
            message = f"The field '{name}' lies inside an array: use childConditions or customFieldConditions."
            raise bad_request(message) from inside
        if path == ("_info", "lastUpdated"):
            return operators.attrgetter("moment"), found
        return _reader(path, found), found

    return resolve


def item_fields(array: Field, *, prefix: str) -> Resolve:
    """Fields of the items of one array: with its name and a slash in front (`prefix`), or bare."""

    def resolve(name: str) -> tuple[Read, Field]:
        if not name.lower().startswith(prefix.lower()):
            raise bad_request(f"The field '{name}' is not one of {array.name}.")
        found = array
        path: list[str] = []
        for part in name.lower().removeprefix(prefix.lower()).split("/"):
            if part not in found.parts:
                raise bad_request(f"{array.name} has no field '{name}'.")
            found = found.parts[part]
            path.append(found.name)
        return _reader(tuple(path), found, record_of=lambda item: item), found

    return resolve


def lower_bound(expression: Expression) -> datetime | None:
    """A moment before which no matching record can have been updated, where the tree says so at its top."""
    if isinstance(expression, And):
        bounds = [bound for term in expression.terms if (bound := lower_bound(term)) is not None]
        return max(bounds, default=None)
    if isinstance(expression, Comparison) and expression.field.lower() in ("lastupdated", "_info/lastupdated"):
        value = expression.values[0].value
        return value if expression.operator in ("=", ">", ">=") and isinstance(value, datetime) else None
    return None


def _reader(path: tuple[str, ...], found: Field, *, record_of: Read = operators.attrgetter("record")) -> Read:
    name = path[-1]

    def read(row: Any) -> Any:
        holder = record_of(row)
        for outer in path[:-1]:
            holder = holder.get(outer)
            if not isinstance(holder, dict):
                return None
        return holder.get(name)

    if found.type == "datetime":
        return lambda row: parse_stamp(text) if isinstance(text := read(row), str) else None
    if found.type in ("reference", "array"):
        return lambda row: read(row) or None  # an empty reference means none
    # Records that tests have spoiled may hold anything anywhere.
    types = _TYPES[found.type]
    return lambda row: value if type(value := read(row)) in types else None


def _comparison(node: Comparison, resolve: Resolve, *, allows_in: bool) -> Predicate:
    read, found = resolve(node.field)
    if any(value.type == "Null" for value in node.values):
        if node.operator == "=":
            return lambda row: read(row) is None
        if node.operator == "!=":
            return lambda row: read(row) is not None
        raise bad_request(f"null can be compared by = and != only, in '{node.field} {node.operator} null'.")
    for value in node.values:
        _check_type(node, found, value)
    if node.operator == "in" and not allows_in:
        raise bad_request("The operator in can be used in conditions only.")
    if node.operator in ("contains", "like") and found.type != "text":
        raise bad_request(f"The operator {node.operator} needs a string field; '{node.field}' is none.")
    if node.operator in ("<", "<=", ">", ">=") and found.type == "boolean":
        raise bad_request(f"A boolean field can be compared by = and != only, not '{node.field} {node.operator}'.")
    test = _test(node, [comparable(value.value) for value in node.values])
    if node.is_negated:
        positive = test

        def test(value: Any) -> bool:
            return not positive(value)

    # As in SQL, a missing value matches no comparison, `!=` and `not in` included.
    if found.type == "text":
        return lambda row: (value := read(row)) is not None and test(value.lower())
    return lambda row: (value := read(row)) is not None and test(value)


def _test(node: Comparison, values: list[Any]) -> Callable[[Any], bool]:
    first = values[0]
    if node.operator == "in":
        return frozenset(values).__contains__
    if node.operator == "contains":
        return lambda value: first in value
    if node.operator == "like":
        pattern = like_pattern(first)
        return lambda value: pattern.fullmatch(value) is not None
    compare = _COMPARE[node.operator]
    return lambda value: compare(value, first)


def _check_type(node: Comparison, found: Field, value: Value) -> None:
    expected = _EXPECTED.get(found.type)
    if expected is None:
        raise bad_request(f"The field '{node.field}' is a {found.type}: it can be compared with null only.")
    if value.type != expected:
        raise mismatch(node.field, expected=expected, found=value.type)


def mismatch(name: str, *, expected: str, found: str) -> Refusal:
    return bad_request(f"Expected type {expected}, found type {found}, for the field '{name}'. {_SPELLING}")


def comparable(value: Any) -> Any:
    """A value as it is compared: text without case, numbers as records have them."""
    if isinstance(value, str):
        return value.lower()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value


def like_pattern(text: str) -> re.Pattern[str]:
    """SQL's LIKE with `*` beside `%`: `_` is one character, `[abc]` and `[^a-f]` one of a set, `[[]` a bracket."""
    parts: list[str] = []
    position = 0
    while position < len(text):
        character = text[position]
        position += 1
        if character in "*%":
            parts.append(".*")
        elif character == "_":
            parts.append(".")
        elif character == "[":
            end = text.find("]", position)
            parts.append(_one_of(text[position:end]) if end > position else "(?!)")
            position = end + 1 if end >= position else len(text)
        else:
            parts.append(re.escape(character))
    return re.compile("".join(parts), re.DOTALL)


def _one_of(characters: str) -> str:
    is_negated = characters.startswith("^") and len(characters) > 1
    listed = characters[1:] if is_negated else characters
    escaped = "".join(character if character == "-" else re.escape(character) for character in listed)
    try:
        re.compile(f"[{escaped}]")
    except re.error:  # [z-a]: nothing lies in there
        return "(?!)"
    return f"[{'^' if is_negated else ''}{escaped}]"
