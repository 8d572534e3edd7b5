"""Records as a table: one column per path, one row per record, in CSV as RFC 4180 has it.

    {"id": 7, "company": {"name": "Acme"}}    ->    id,company.name
                                                    7,Acme

Lists stay one cell, as JSON. Text that a spreadsheet would take for a formula gets an apostrophe in front.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

MOST_COLUMNS = 2_000
DEEPEST = 16
"""What lies deeper inside other objects stays one cell, as JSON."""
_FORMULA_STARTS = ("=", "+", "-", "@")
_CONTROLS = ("\t", "\r", "\n")


class TooManyColumns(Exception):
    """These records are no table."""


def cells(record: Mapping[str, Any], *, prefix: str = "", depth: int = 1) -> Iterator[tuple[str, Any]]:
    """Path and value of everything in a record that is not an object itself."""
    for key, value in record.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict) and value and depth < DEEPEST:
            yield from cells(value, prefix=f"{path}.", depth=depth + 1)
        else:
            yield path, value


def columns_with(columns: Sequence[str], records: Iterable[Mapping[str, Any]]) -> list[str]:
    """The columns, and behind them those that these records bring. Raises TooManyColumns."""
    known = dict.fromkeys(columns)
    for record in records:
        for path, _ in cells(record):
            known[path] = None
        if len(known) > MOST_COLUMNS:
            raise TooManyColumns
    return list(known)


def ordered(columns: Sequence[str], *, selected: Sequence[str]) -> list[str]:
    """The columns as they were asked for, where they were; what no record has is there, and empty."""
    found: dict[str, None] = {}
    for name in selected:
        inside = [column for column in columns if column == name or column.startswith(f"{name}.")]
        found |= dict.fromkeys(inside or [name])
    return list(found | dict.fromkeys(columns))


def header(columns: Sequence[str]) -> bytes:
    return _lines([[_harmless(column) for column in columns]])


def rows(columns: Sequence[str], records: Iterable[Mapping[str, Any]]) -> bytes:
    """The lines of these records; what a record does not have is empty, and so is null."""
    lines = []
    for record in records:
        values = dict(cells(record))
        lines.append([_text(values.get(column)) for column in columns])
    return _lines(lines)


def _lines(lines: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    return text.getvalue().encode()


def _text(value: Any) -> str:
    if value is None:
        return ""
    return _harmless(value) if isinstance(value, str) else orjson.dumps(value).decode()


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_CONTROLS) or text.lstrip().startswith(_FORMULA_STARTS) else text
