"""The one road to records: polls and the hub API ask here, and the element's client asks the provider.

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
from dataclasses import replace as with_changes
from typing import Any

from connectors import ceql, hub_paths, nulls
from connectors.connection import Connection
from connectors.element import Client, Operation, Resource
from connectors.errors import InvalidQuery, OperationNotSupported, UnknownResource, UnusableAnswer
from connectors.hub_paths import Target
from connectors.records import DEFAULT_PAGE_SIZE, LARGEST_PAGE_SIZE, Page, Query, Record

_token_text = re.compile(r"(after|page):([0-9]{1,4}):([!-~]{1,200})").fullmatch


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
        body=nulls.cut_from_page(found) if connection.filters_nulls else found.body,
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
    """The record with these fields and no others. Raises RecordNotFound, InvalidRecord.

    Of a resource under a name of the instance's own, what is not mapped stays: the client cannot send it.
    """
    target = _collection(connection, collection, "replace")
    client, resource, transformation = connection.client(), target.concrete(), target.transformation
    if transformation is None:
        return _shown(connection, target, client.replace(resource, record_id, fields))
    present = transformation.shown(client.get(resource, record_id).fields)
    emptied = transformation.emptied(fields, present=present, resource=resource)
    document = transformation.written(fields, present=present, emptied=emptied)
    record = client.update(resource, record_id, document)
    return _shown(connection, target, record)


def update(connection: Connection, collection: str, record_id: str, fields: Mapping[str, Any]) -> Record:
    """The record with these fields changed; null empties one. Raises RecordNotFound, InvalidRecord."""
    target = _collection(connection, collection, "update")
    client, resource, transformation = connection.client(), target.concrete(), target.transformation
    document = fields
    if transformation is not None:
        present = None
        if transformation.is_ambiguous(fields):
            present = transformation.shown(client.get(resource, record_id).fields)
        document = transformation.written(fields, present=present)
    record = client.update(resource, record_id, document)
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
    target = hub_paths.locate(connection.element, path, transformations=connection.transformations)
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
    return with_changes(record, fields=nulls.without_nulls(fields) if connection.filters_nulls else fields)


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
