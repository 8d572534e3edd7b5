"""The one road to records: polls and the hub API ask here, and the element's client asks the provider.

locate      what a path of the hub API leads to
find        one page, as the hub API returns it: nulls left out where the instance says so, an opaque page token
read_all    every page, as the element has it, stable while records are edited
get, count  one record; how many there are
create, replace, update, delete

A collection is named by its path behind the hub: `contacts`, `incidents/5/comments`, `service/boards`.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as with_changes
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import orjson

from connectors import ceql
from connectors.connection import Connection
from connectors.element import EVERYTHING, Client, Element, Operation, Resource
from connectors.errors import InvalidQuery, OperationNotSupported, UnknownResource, UnusableAnswer
from connectors.records import DEFAULT_PAGE_SIZE, LARGEST_PAGE_SIZE, Page, Query, Record
from connectors.transformations import Transformation

_path = re.compile(r"/?(?:hubs/[A-Za-z0-9_-]+/)?([A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+)*)/?").fullmatch
# A plus between a time and an offset was written by somebody who did not encode it: nowhere else do digits meet so.
_offset_plus = re.compile(r"(?<=[0-9])\+(?=[0-9]{2}:?[0-9]{2}(?![0-9]))")
_bare_percent = re.compile(r"%(?![0-9A-Fa-f]{2})")
_null_member = re.compile(rb":\s*null").search
# Safe on bytes, strings included: a quote behind a comma, a brace or a letter is not escaped, and between the end of
# one string and the start of the next there is never a word alone. So the two quotes are those of a key.
_null_behind_comma = re.compile(rb',"[A-Za-z0-9_]+":null(?=[,}])')
_null_behind_brace = re.compile(rb'\{"[A-Za-z0-9_]+":null(?:,|(?=\}))')
_token_text = re.compile(r"(after|page):([0-9]{1,4}):([!-~]{1,200})").fullmatch
_is_segment = re.compile(r"[A-Za-z0-9_.-]{1,64}").fullmatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a path behind the hub leads to: a collection, or one of its records."""

    collection: str
    """The path of the collection, as the functions below take it."""
    resource: Resource
    """As it is declared: `{parent}` still stands for the id of the record that these belong to."""
    parent_id: str = ""
    record_id: str | None = None
    transformation: Transformation | None = None
    """Where an instance has the resource under a name of its own."""

    def concrete(self) -> Resource:
        """The resource as a client can ask for it, with the parent's id in its path."""
        if not self.parent_id:
            return self.resource
        of_parent = {name: text.replace("{parent}", self.parent_id) for name, text in self.resource.of_parent.items()}
        path = self.resource.path.replace("{parent}", self.parent_id)
        return with_changes(self.resource, path=path, of_parent=of_parent)

    @property
    def operations(self) -> frozenset[Operation]:
        return self.resource.operations


def locate(
    element: Element, path: str | Sequence[str], *, transformations: Mapping[str, Transformation] | None = None
) -> Target:
    """What a path behind the hub's name leads to. Resources of the element win over collections of the provider's.

    Raises UnknownResource.
    """
    segments = path.strip("/").split("/") if isinstance(path, str) else list(path)
    if segments and all(_is_segment(one) and one.strip(".") for one in segments):
        for read in (_own, _declared, _vendors):
            if (target := read(element, segments, transformations or {})) is not None:
                return target
    known = ", ".join(sorted(resource.name for resource in element.resources if not resource.parent))
    shown = "/".join(segments)[:60]
    raise UnknownResource(f"{element.key} has no resource {shown!r}; it has {known}")


def _own(element: Element, segments: list[str], transformations: Mapping[str, Transformation]) -> Target | None:
    """What the instance has under a name of its own: it hides a resource of that name."""
    transformation = transformations.get(segments[0])
    if transformation is None or len(segments) > 2:
        return None
    resource = element.resource(transformation.resource)
    return Target(
        collection=segments[0],
        resource=resource,
        record_id=segments[1] if len(segments) == 2 else None,
        transformation=transformation,
    )


def _declared(element: Element, segments: list[str], _: Mapping[str, Transformation]) -> Target | None:
    """`contacts[/5]`, `incidents/5/comments[/7]`."""
    names, ids = segments[::2], segments[1::2]
    if len(names) > 2:
        return None
    try:
        resource = element.resource("/".join(names))
    except KeyError:
        return None
    is_record = len(ids) == len(names)
    return Target(
        collection="/".join(segments[:-1] if is_record else segments),
        resource=resource,
        parent_id=ids[0] if len(names) == 2 else "",
        record_id=ids[-1] if is_record else None,
    )


def _vendors(element: Element, segments: list[str], _: Mapping[str, Transformation]) -> Target | None:
    """`boards[/1[/statuses[/7]]]` by a name that the element gives, `service/boards[/1[/statuses[/7]]]` by the path."""
    name, *rest = segments
    if (path := element.vendor_objects.get(name)) is None:
        if not element.reads_vendor_paths or len(segments) < 2:
            return None
        path, rest = f"/{name}/{rest[0]}", rest[1:]
        name = f"{name}/{segments[1]}"
    if len(rest) > 3:
        return None
    record_id = rest.pop() if len(rest) % 2 else None
    collection = "/".join([name, *rest])
    is_written = name in element.vendor_objects and not rest
    return Target(
        collection=collection,
        resource=Resource(
            name=collection,
            path="/".join([path, *rest]),
            operations=EVERYTHING if is_written else frozenset({"list", "get"}),
            is_vendors=True,
        ),
        record_id=record_id,
    )


def parse_path(url: str) -> tuple[str, dict[str, str]]:
    """`/hubs/{any}/contacts?where=...` or `/contacts?...` as the resource's name and the query's parameters.

    Raises InvalidQuery for an absolute URL and for anything else that is no path of the hub API.
    """
    path, _, query = url.strip().partition("?")
    match = _path(path)
    if match is None:
        raise InvalidQuery(f"url: {path[:60]!r} is no path like /hubs/crm/contacts")
    return match[1], parse_query(query)


def parse_query(text: str) -> dict[str, str]:
    """The parameters of a query string, percent-encoded or raw: clients send both. The last of a name counts.

    Raises InvalidQuery where percent-encoding hides no UTF-8.
    """
    text = _offset_plus.sub("%2B", text)
    text = _bare_percent.sub("%25", text)
    try:
        return dict(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=100, separator="&"))
    except UnicodeDecodeError:
        raise InvalidQuery("The query is not UTF-8 in percent-encoding; a percent sign itself is written %25") from None
    except ValueError:
        raise InvalidQuery("The query has more than 100 parameters") from None


def find(
    connection: Connection,
    collection: str,
    *,
    where: str | None = None,
    page: int = 1,
    page_size: int = DEFAULT_PAGE_SIZE,
    page_token: str | None = None,
    order_by: str | None = None,
    fields: Sequence[str] = (),
) -> Page:
    """One page. A page token wins over `page`, and carries the page size it was made for.

    Without `order_by`, records come by id; then tokens follow the ids, so that a deletion hides nothing from a
    client on its way through the pages. Raises the errors of `connectors.errors`.
    """
    target = _collection(connection, collection, "list")
    query = _query(target, where)
    query = with_changes(
        query,
        page=page,
        page_size=max(1, min(page_size, LARGEST_PAGE_SIZE)),
        is_stable=page == 1 and not order_by,
        order_by=order_by,
        fields=tuple(fields),
    )
    if page_token:
        query = _continued(query, page_token)
    found = _found(connection, target, query)
    return with_changes(
        found,
        body=_without_nulls_in_list(found) if connection.filters_nulls else found.body,
        next_page_token=_token_behind(query, found),
    )


def read_all(
    connection: Connection, collection: str, *, where: str | None, page_size: int = LARGEST_PAGE_SIZE
) -> Iterator[Page]:
    """Every page, by id. Edits, inserts and deletions meanwhile neither hide nor repeat a record.

    The pages hold records as the element has them, nulls included: the provider's bytes, unless it has other names.
    There is always a first page, and it may be empty.
    """
    target = _collection(connection, collection, "list")
    query = with_changes(_query(target, where), page_size=min(page_size, LARGEST_PAGE_SIZE), is_stable=True)
    client = connection.client()
    while True:
        page = _found(connection, target, query, client=client)
        yield page
        if page.next_page_token is None:
            return
        if page.next_page_token == query.page_token:
            raise UnusableAnswer("The provider's pages do not go on: the same page token came twice")
        query = with_changes(query, page_token=page.next_page_token)


def get(connection: Connection, collection: str, record_id: str) -> Record:
    """Raises RecordNotFound."""
    target = _collection(connection, collection, "get")
    return _shown(connection, target, connection.client().get(target.concrete(), record_id))


def count(connection: Connection, collection: str, *, where: str | None) -> int:
    """How many records `where` finds."""
    target = _collection(connection, collection, "list")
    return connection.client().count(target.concrete(), _query(target, where))


def create(connection: Connection, collection: str, fields: Mapping[str, Any]) -> Record:
    """The new record as the hub has it. Raises InvalidRecord, and whatever the provider says against it."""
    target = _collection(connection, collection, "create")
    return _shown(connection, target, connection.client().create(target.concrete(), _written(target, fields)))


def replace(connection: Connection, collection: str, record_id: str, fields: Mapping[str, Any]) -> Record:
    """The record with these fields and no others. Raises RecordNotFound, InvalidRecord."""
    target = _collection(connection, collection, "replace")
    record = connection.client().replace(target.concrete(), record_id, _written(target, fields))
    return _shown(connection, target, record)


def update(connection: Connection, collection: str, record_id: str, fields: Mapping[str, Any]) -> Record:
    """The record with these fields changed; null empties one. Raises RecordNotFound, InvalidRecord."""
    target = _collection(connection, collection, "update")
    record = connection.client().update(target.concrete(), record_id, _written(target, fields))
    return _shown(connection, target, record)


def delete(connection: Connection, collection: str, record_id: str) -> None:
    """Raises RecordNotFound."""
    target = _collection(connection, collection, "delete")
    connection.client().delete(target.concrete(), record_id)


def resource_of(connection: Connection, collection: str) -> Resource:
    """The resource behind the path of a collection, ready for the client. Raises UnknownResource."""
    return _collection(connection, collection).concrete()


def _collection(connection: Connection, path: str, operation: Operation | None = None) -> Target:
    """Raises UnknownResource, and OperationNotSupported where this cannot be done with it."""
    target = locate(connection.element, path, transformations=connection.transformations)
    if target.record_id is not None:
        raise UnknownResource(f"{path[:60]!r} is one record; a collection is wanted")
    if operation is not None and operation not in target.operations:
        raise OperationNotSupported(f"{target.resource.name} cannot be used for this ({operation})")
    return target


def _query(target: Target, where: str | None) -> Query:
    """The query's conditions in the hub's words, with those by which records belong to their parent."""
    expression = ceql.parse(where) if where and where.strip() else None
    if expression is not None and target.transformation is not None:
        expression = target.transformation.asked(expression)
    terms: list[ceql.Expression] = [
        ceql.Comparison(name, "=", text) for name, text in target.concrete().of_parent.items()
    ]
    if expression is not None:
        terms.append(expression)
    if not terms:
        return Query()
    return Query(where=terms[0] if len(terms) == 1 else ceql.And(tuple(terms)))


def _found(connection: Connection, target: Target, query: Query, *, client: Client | None = None) -> Page:
    """One page, in the instance's own words where it has some."""
    resource, transformation = target.concrete(), target.transformation
    client = client or connection.client()
    if transformation is None:
        found = client.find(resource, query)
    else:
        asked = with_changes(
            query,
            order_by=transformation.order(query.order_by) if query.order_by else None,
            fields=transformation.names(query.fields),
        )
        found = client.find(resource, asked)
        found = with_changes(found, body=transformation.shown_page(found.body, only=query.fields))
    if target.resource.of_parent and not query.page_token and found.body.strip() == b"[]":
        _check_parent(connection, target, client)
    return found


def _check_parent(connection: Connection, target: Target, client: Client) -> None:
    """A list by condition is empty for a parent that is not there, too. Raises RecordNotFound."""
    client.get(connection.element.resource(target.resource.parent), target.parent_id)


def _written(target: Target, fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a client sent, in the hub's words."""
    return fields if target.transformation is None else target.transformation.written(fields)


def _shown(connection: Connection, target: Target, record: Record) -> Record:
    """A record in the instance's own words, with or without nulls as it says."""
    fields = record.fields if target.transformation is None else target.transformation.shown(record.fields)
    return with_changes(record, fields=without_nulls(fields) if connection.filters_nulls else fields)


def without_nulls(value: Any) -> Any:
    """The same without the members of objects whose value is null, at every depth. Items of lists stay."""
    if isinstance(value, dict):
        return {key: without_nulls(member) for key, member in value.items() if member is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value


def cut_nulls(text: bytes) -> tuple[bytes, bool]:
    """JSON with most null members cut out of its bytes, and whether none is left: odd keys and spaces need decoding."""
    if b"null" not in text:
        return text, True
    cut = _null_behind_brace.sub(b"{", _null_behind_comma.sub(b"", text))
    return cut, not _null_member(cut)


def _token_behind(query: Query, found: Page) -> str | None:
    if found.next_page_token is None:
        return None
    position = f"after:{query.page_size}:{found.next_page_token}"
    if not query.is_stable:
        position = f"page:{query.page_size}:{query.page + 1}"
    return urlsafe_b64encode(position.encode()).decode().rstrip("=")


def _continued(query: Query, page_token: str) -> Query:
    """The query for the page that the token names. Raises InvalidQuery for a token that is none of ours."""
    try:
        text = urlsafe_b64decode(page_token + "=" * (-len(page_token) % 4)).decode()
    except ValueError:
        text = ""
    match = _token_text(text)
    if match is None or not 1 <= int(match[2]) <= LARGEST_PAGE_SIZE:
        raise InvalidQuery("nextPage: this is no page token; send the Elements-Next-Page-Token of the page before")
    kind, size, position = match[1], int(match[2]), match[3]
    if kind == "after":
        if query.order_by:
            raise InvalidQuery("nextPage belongs to a list without orderBy; begin again at the first page")
        return with_changes(query, page_size=size, page_token=position, is_stable=True)
    if not position.isdecimal() or len(position) > 9 or int(position) < 1:
        raise InvalidQuery("nextPage: this is no page token; send the Elements-Next-Page-Token of the page before")
    return with_changes(query, page_size=size, page=int(position), is_stable=False)


def _without_nulls_in_list(page: Page) -> bytes:
    """The page's body as `without_nulls` would have it. Decoding it all would cost more than the provider's call.

    Most nulls are cut out of the bytes; records where others are left (odd keys, spaces) are decoded.
    """
    if b"null" not in page.body or not _null_member(page.body):
        return page.body
    body, is_done = cut_nulls(page.body)
    if is_done:
        return body
    return (
        b"[" + b",".join(_without_nulls_in_record(record) for record in with_changes(page, body=body).slices()) + b"]"
    )


def _without_nulls_in_record(record: msgspec.Raw) -> bytes:
    text = bytes(record)
    if not _null_member(text):
        return text
    try:
        return orjson.dumps(without_nulls(orjson.loads(text)))
    except (orjson.JSONDecodeError, RecursionError):
        raise UnusableAnswer("A record is nested too deeply, or holds what is no JSON") from None
