"""Hot paths talk to PostgreSQL without Django in between, on Django's own connection and in its transaction.

Django binds parameters on the client, which costs about 100 microseconds for a long text; psycopg sends it as bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection, transaction


@contextmanager
def plain_cursor() -> Iterator[psycopg.Cursor[Any]]:
    """A server-side binding psycopg cursor (`%b`, COPY); its errors are Django's."""
    # As Django does for its own cursors: a connection that broke while it was idle is replaced.
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        yield cursor


def in_batches(statement: str, parameters: Sequence[object], *, at_once: int) -> int:
    """Execute what takes `at_once` rows, its last parameter, in a transaction each until fewer are left; how many."""
    count, changed = 0, at_once
    while changed >= at_once:
        with transaction.atomic(), plain_cursor() as cursor:
            cursor.execute(statement, [*parameters, at_once])
            changed = cursor.rowcount
        count += changed
    return count


def follow_indexes(cursor: psycopg.Cursor[Any], *, is_planned_once: bool = False) -> None:
    """For the rest of this transaction: look rows up one by one through their indexes, and take them in their order.

    A queue's statistics are always old. With them the planner now and then reads the whole table for a batch of a
    few hundred rows, and then a claim costs the more the longer the queue is. `is_planned_once` is for statements that
    are executed with `prepare=True`: otherwise planning them can take longer than what they do.
    """
    cursor.execute(_FOLLOW_INDEXES_PLANNED_ONCE if is_planned_once else _FOLLOW_INDEXES, prepare=is_planned_once)


_AVOIDED = ("enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin", "enable_sort")
_FOLLOW_INDEXES = "SELECT " + ", ".join(f"set_config('{setting}', 'off', true)" for setting in _AVOIDED)
_FOLLOW_INDEXES_PLANNED_ONCE = _FOLLOW_INDEXES + ", set_config('plan_cache_mode', 'force_generic_plan', true)"
