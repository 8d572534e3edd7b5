"""Between which ids the rows of some time are. Ids grow with time, and no index finds a row by its moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

LARGEST = 2**63 - 1
# Ids are given before transactions end: the moments of rows do not grow as evenly as their ids.
SLACK = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Range:
    lowest: int
    end: int
    """The first id behind it."""


ALL = Range(0, LARGEST)


def between(begins_at: datetime | None, ends_at: datetime | None, *, table: str) -> Range:
    """Rows created in this time are in it, and a few more: whoever asks compares the moments of what is there."""
    if begins_at is None and ends_at is None:
        return ALL
    begins = begins_at and begins_at - SLACK
    ends = ends_at and ends_at + SLACK
    with connection.cursor() as cursor:
        cursor.execute(_SEARCH.format(table=table), [begins, ends])
        found = dict(cursor.fetchall())
    return Range(found.get("begins", 0), found.get("ends", LARGEST))


# The first id at or after a moment, by halving.
_SEARCH = """
WITH RECURSIVE wanted (name, at) AS (
    SELECT name, at FROM (VALUES ('begins', %s::timestamptz), ('ends', %s::timestamptz)) AS given (name, at)
    WHERE at IS NOT NULL
), search (name, at, low, high) AS (
    SELECT name, at, coalesce((SELECT min(id) FROM {table}), 0), coalesce((SELECT max(id) FROM {table}), 0) + 1
    FROM wanted
    UNION ALL
    SELECT name, at,
        CASE WHEN found.created_at < at THEN found.id + 1 ELSE low END,
        CASE WHEN found.created_at < at THEN high ELSE middle END
    FROM search CROSS JOIN LATERAL (SELECT (low + high) / 2 AS middle) AS halves
    LEFT JOIN LATERAL (
        SELECT id, created_at FROM {table} WHERE id >= middle AND id < high ORDER BY id LIMIT 1
    ) AS found ON true
    WHERE low < high
)
SELECT name, max(low) FROM search GROUP BY name
"""
