"""Lists: conditions, order, pages with their Link header, and partial records."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from connectors.sandbox import conditions, matching
from connectors.sandbox.collection import Collection, Row
from connectors.sandbox.conditions import Expression
from connectors.sandbox.matching import Predicate
from connectors.sandbox.refusals import bad_request, encode
from connectors.sandbox.schema import Field, Schema

DEFAULT_PAGE_SIZE = 25
LARGEST_PAGE_SIZE = 1000

Parameters = Mapping[str, str]
"""Names in lower case, values decoded: `+` became a blank."""
Tree = dict[str, Any]
"""Wanted fields by name: a tree of their parts, empty for all of them."""


def parameters_of(query: str) -> dict[str, str]:
    """The first of each name counts."""
    found: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True, errors="replace"):
        found.setdefault(name.lower(), value)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    body: bytes
    link: str | None
    """The Link header; None where there is none. On the last forward-only page it is there, and empty."""


def count(collection: Collection, parameters: Parameters, *, parent: int | None = None) -> int:
    return len(_matching(collection, parameters, parent=parent))


def listing(
    collection: Collection,
    parameters: Parameters,
    *,
    is_forward_only: bool,
    url: str,
    query: str,
    parent: int | None = None,
) -> Listing:
    """One page. `url` and `query` are what was called: links repeat it. Raises Refusal (400).

    `parent`: only what belongs to the record of that id.
    """
    size = _number(parameters, "pagesize", default=DEFAULT_PAGE_SIZE, least=1, greatest=LARGEST_PAGE_SIZE)
    tree = fields_tree(collection.schema, parameters)
    if is_forward_only:
        if parameters.get("orderby"):
            raise bad_request("orderBy cannot be used with forward-only pagination.")
        after_id = _number(parameters, "pageid", default=0, least=0)
        rows = _matching(collection, parameters, after_id=after_id, parent=parent)
        link = ""
        if len(rows) > size:
            link = _link(url, query, {"pageSize": size, "pageId": rows[size - 1].record["id"]}, "next")
        return Listing(body=_body(rows[:size], tree), link=link)
    page = _number(parameters, "page", default=1, least=1)
    order = _order(collection.schema, parameters.get("orderby", ""))
    rows = order(_matching(collection, parameters, parent=parent))
    pages = _neighbours(page, last=-(-len(rows) // size))
    links = [_link(url, query, {"pageSize": size, "page": number}, name) for name, number in pages.items()]
    return Listing(body=_body(rows[(page - 1) * size : page * size], tree), link=", ".join(links) or None)


def _neighbours(page: int, *, last: int) -> dict[str, int]:
    """Which pages the Link header names, by relation; those that do not exist are missing."""
    pages: dict[str, int] = {}
    if page < last:
        pages |= {"next": page + 1, "last": last}
    if page > 1 and last > 0:
        pages["first"] = 1
        if page - 1 <= last:
            pages["prev"] = page - 1
    return pages


def fields_tree(schema: Schema, parameters: Parameters) -> Tree | None:
    """What `fields` asks for; None: everything."""
    names = [name.strip() for name in parameters.get("fields", "").split(",") if name.strip()]
    tree: Tree = {}
    for name in names:
        parts: Mapping[str, Field] = schema.fields
        branch = tree
        for part in name.lower().split("/"):
            if part not in parts:
                raise bad_request(f"{schema.kind} has no field '{name}'.")
            branch = branch.setdefault(parts[part].name, {})
            parts = parts[part].parts
    return tree if names else None


def partial(value: Any, tree: Tree | None) -> Any:
    if not tree:
        return value
    if isinstance(value, list):
        return [partial(item, tree) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: partial(value[name], inner) for name, inner in tree.items() if name in value}


def _body(rows: Iterable[Row], tree: Tree | None) -> bytes:
    if tree is None:
        return b"[" + b",".join([row.encoded for row in rows]) + b"]"
    return encode([partial(row.record, tree) for row in rows])


def _matching(
    collection: Collection, parameters: Parameters, *, after_id: int = 0, parent: int | None = None
) -> list[Row]:
    """What `conditions`, `childConditions` and `customFieldConditions` ask for together, by ascending ids."""
    schema = collection.schema
    tests: list[Predicate] = []
    if parent is not None:
        tests.append(lambda row: row.record.get(schema.parent_field) == parent)
    since = None
    if text := parameters.get("conditions", "").strip():
        expression = conditions.parse(text)
        tests.append(matching.predicate(expression, matching.record_fields(schema)))
        since = matching.lower_bound(expression)
    if text := parameters.get("childconditions", "").strip():
        tests.append(_child_conditions(schema, text))
    if text := parameters.get("customfieldconditions", "").strip():
        items = matching.item_fields(schema.fields["customfields"], prefix="")
        tests.append(_any_item("customFields", matching.predicate(conditions.parse(text), items, allows_in=False)))
    rows = collection.rows(since=since, after_id=after_id)
    return list(filter(matching.all_of(tests), rows)) if tests else rows


def _child_conditions(schema: Schema, text: str) -> Predicate:
    expression = conditions.parse(text)
    array = schema.fields.get(_first_field(expression).split("/")[0].lower())
    if array is None or array.type != "array" or array.name == "customFields":
        raise bad_request(f"{schema.kind} has no array of the name in '{_first_field(expression)}'.")
    items = matching.item_fields(array, prefix=f"{array.name}/")
    return _any_item(array.name, matching.predicate(expression, items, allows_in=False))


def _first_field(expression: Expression) -> str:
    while not isinstance(expression, conditions.Comparison):
        expression = expression.terms[0]
    return expression.field


def _any_item(array: str, test: Predicate) -> Predicate:
    """All tests apply to one and the same item."""
    return lambda row: any(test(item) for item in row.record.get(array) or [])


def _order(schema: Schema, text: str) -> Callable[[list[Row]], list[Row]]:
    """Rows come by id, and ties stay so."""
    resolve = matching.record_fields(schema)
    steps: list[tuple[str, Callable[[Row], tuple[bool, Any]], bool]] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = re.fullmatch(r"([\w/]+)(?:\s+(asc|desc))?", part, re.IGNORECASE)
        if match is None:
            raise bad_request(f"orderBy cannot be understood: '{part}'. Write a field and asc or desc.")
        read, found = resolve(match[1])
        if found.type in ("reference", "array"):
            raise bad_request(f"orderBy cannot sort by '{match[1]}'.")
        steps.append((match[1].lower(), _sort_key(read), (match[2] or "asc").lower() == "desc"))
    if steps and steps[-1][0] == "id" and not steps[-1][2]:
        steps.pop()

    def in_order(rows: list[Row]) -> list[Row]:
        for _, key, is_descending in reversed(steps):
            rows = sorted(rows, key=key, reverse=is_descending)
        return rows

    return in_order


def _sort_key(read: matching.Read) -> Callable[[Row], tuple[bool, Any]]:
    def key(row: Row) -> tuple[bool, Any]:
        value = read(row)
        return value is not None, matching.comparable(value) if value is not None else 0  # nulls first, as in SQL

    return key


def _number(parameters: Parameters, name: str, *, default: int, least: int, greatest: int = 2**31 - 1) -> int:
    text = parameters.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and least <= int(text) <= greatest):
        raise bad_request(f"{name} must be a whole number from {least} to {greatest}.")
    return int(text)


def _link(url: str, query: str, pages: Mapping[str, int], relation: str) -> str:
    rest = [part for part in query.split("&") if part and part.split("=")[0].lower() not in _PAGING]
    parts = [f"{name}={number}" for name, number in pages.items()] + rest
    return f'<{url}?{"&".join(parts)}>; rel="{relation}"'


_PAGING = frozenset({"page", "pagesize", "pageid"})
