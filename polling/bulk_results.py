"""Results of bulk downloads, as they go over the wire: page by page out of the database, never whole in memory."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from polling import csv_table
from polling.models import BulkPage, BulkQuery

_records = msgspec.json.Decoder(list[dict[str, object]])


def json_length(query: BulkQuery) -> int:
    """Bytes of the JSON array: whoever gets fewer knows that it broke off."""
    return 2 + query.byte_count + max(0, query.page_count - 1)


def as_json(query: BulkQuery) -> Iterator[bytes]:
    """One array of all records."""
    yield b"["
    for number, body in _pages(query):
        yield body if number == 1 else b"," + body
    yield b"]"


def as_csv(query: BulkQuery) -> Iterator[bytes]:
    """A header row and one row per record. Raises ValueError for a result that is no table."""
    if query.columns is None:
        raise ValueError("the records have too many columns")
    columns = csv_table.ordered(query.columns, selected=query.selected)
    yield csv_table.header(columns)
    for _, body in _pages(query):
        yield csv_table.rows(columns, _records.decode(b"[" + body + b"]"))


def _pages(query: BulkQuery) -> Iterator[tuple[int, bytes]]:
    """Raises BulkPage.DoesNotExist where the result is deleted meanwhile: a short answer must not look complete."""
    for number in range(1, query.page_count + 1):
        yield number, bytes(BulkPage.objects.values_list("body", flat=True).get(query=query, number=number))
