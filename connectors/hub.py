"""The one road to records: polls and the hub API ask here, and the element's client asks the provider.

find        one page, as the hub API returns it: nulls left out where the instance says so, an opaque page token
read_all    every page, as the element has it, stable while records are edited
get, count  one record; how many there are
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import orjson

from connectors import ceql
from connectors.connection import Connection
from connectors.element import Resource
from connectors.errors import InvalidQuery, UnusableAnswer
from connectors.records import DEFAULT_PAGE_SIZE, LARGEST_PAGE_SIZE, Page, Query, Record

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
    resource_name: str,
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
    resource = resource_of(connection, resource_name)
    query = Query(
        where=_parsed(where),
        page=page,
        page_size=max(1, min(page_size, LARGEST_PAGE_SIZE)),
        is_stable=page == 1 and not order_by,
        order_by=order_by,
        fields=tuple(fields),
    )
    if page_token:
        query = _continued(query, page_token)
    found = connection.client().find(resource, query)
    return replace(
        found,
        body=_without_nulls_in_list(found) if connection.filters_nulls else found.body,
        next_page_token=_token_behind(query, found),
    )


def read_all(
    connection: Connection, resource_name: str, *, where: str | None, page_size: int = LARGEST_PAGE_SIZE
) -> Iterator[Page]:
    """Every page, by id. Edits, inserts and deletions meanwhile neither hide nor repeat a record.

    The pages hold records as the element has them, nulls included: the provider's bytes, unless it has other names.
    There is always a first page, and it may be empty.
    """
    resource = resource_of(connection, resource_name)
    query = Query(where=_parsed(where), page_size=min(page_size, LARGEST_PAGE_SIZE), is_stable=True)
    client = connection.client()
    while True:
        page = client.find(resource, query)
        yield page
        if page.next_page_token is None:
            return
        if page.next_page_token == query.page_token:
            raise UnusableAnswer("The provider's pages do not go on: the same page token came twice")
        query = replace(query, page_token=page.next_page_token)


def get(connection: Connection, resource_name: str, record_id: str) -> Record:
    """Raises RecordNotFound."""
    record = connection.client().get(resource_of(connection, resource_name), record_id)
    return replace(record, fields=without_nulls(record.fields)) if connection.filters_nulls else record


def count(connection: Connection, resource_name: str, *, where: str | None) -> int:
    """How many records `where` finds."""
    return connection.client().count(resource_of(connection, resource_name), Query(where=_parsed(where)))


def resource_of(connection: Connection, name: str) -> Resource:
    """Raises InvalidQuery for a resource that the element has not."""
    try:
        return connection.element.resource(name)
    except KeyError:
        known = ", ".join(sorted(resource.name for resource in connection.element.resources))
        raise InvalidQuery(f"{connection.element.key} has no resource {name[:60]!r}; it has {known}") from None


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


def _parsed(where: str | None) -> ceql.Expression | None:
    return ceql.parse(where) if where and where.strip() else None


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
        return replace(query, page_size=size, page_token=position, is_stable=True)
    if not position.isdecimal() or len(position) > 9 or int(position) < 1:
        raise InvalidQuery("nextPage: this is no page token; send the Elements-Next-Page-Token of the page before")
    return replace(query, page_size=size, page=int(position), is_stable=False)


def _without_nulls_in_list(page: Page) -> bytes:
    """The page's body as `without_nulls` would have it. Decoding it all would cost more than the provider's call.

    Most nulls are cut out of the bytes; records where others are left (odd keys, spaces) are decoded.
    """
    if b"null" not in page.body or not _null_member(page.body):
        return page.body
    body, is_done = cut_nulls(page.body)
    if is_done:
        return body
    return b"[" + b",".join(_without_nulls_in_record(record) for record in replace(page, body=body).slices()) + b"]"


def _without_nulls_in_record(record: msgspec.Raw) -> bytes:
    text = bytes(record)
    if not _null_member(text):
        return text
    try:
        return orjson.dumps(without_nulls(orjson.loads(text)))
    except (orjson.JSONDecodeError, RecursionError):
        raise UnusableAnswer("A record is nested too deeply, or holds what is no JSON") from None
