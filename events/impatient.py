"""One statement for who has to answer in time, also while the database does not."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Any

import psycopg
from django.db import Error as DatabaseError
from django.db import connection
from django.db.utils import DataError, IntegrityError, OperationalError
from psycopg.pq import TransactionStatus

CANCEL_SECONDS = 0.5
"""What it may take, at most, to tell the server that nobody waits any more."""


class TooSlow(OperationalError):
    """The statement did not end in time. It may have been carried out, or may yet be."""


def fetch_within(seconds: float, statement: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """The rows of one statement that stands alone, committed. Raises Django's database errors, TooSlow among them.

    Django would ask an idle connection for its health first, which costs every caller a round trip, and a server that
    hangs does not even answer that. Here a connection that turns out to be broken is replaced, and the statement is
    sent once more: choose one that may happen twice. It may be broken and alive: connected to a server that has become
    read-only, without the statement that it had prepared, or with a plan that the tables have outgrown. So after any
    error but IntegrityError no connection is left behind, and the next caller of this thread begins with a new one.
    Connecting has its own time-out (`connect_timeout`).
    """
    deadline = time.monotonic() + seconds
    was_connected = connection.connection is not None
    try:
        return _fetch(deadline, statement, values)
    except IntegrityError:
        raise
    except DatabaseError as error:
        is_dead = connection.connection is None or connection.connection.closed
        _give_up()
        is_worth_another = was_connected and (is_dead or _may_be_the_connections_fault(error))
        if not is_worth_another or time.monotonic() > deadline - seconds / 2:
            raise
    try:
        return _fetch(deadline, statement, values)
    except IntegrityError:
        raise
    except DatabaseError:
        _give_up()
        raise


def _may_be_the_connections_fault(error: DatabaseError) -> bool:
    """Whether the server itself refused the statement, which undid it, and not for its values."""
    return getattr(error.__cause__, "sqlstate", None) is not None and not isinstance(error, DataError)


def _fetch(deadline: float, statement: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    connection.ensure_connection()
    with connection.wrap_database_errors, _ImpatientCursor(connection.connection) as cursor:
        cursor.execute_until(deadline, statement, values)
        return cursor.fetchall()


def _give_up() -> None:
    connected = connection.connection
    if connected is not None and connected.info.transaction_status == TransactionStatus.ACTIVE:
        # Or statements that wait for a lock would pile up at the server, each on a connection of its own.
        with contextlib.suppress(psycopg.Error):
            connected.cancel_safe(timeout=CANCEL_SECONDS)
    connection.close()
    # The new connection has nothing to do with it.
    connection.errors_occurred = False


class _ImpatientCursor(psycopg.Cursor[Any]):
    def execute_until(self, deadline: float, statement: str, values: Mapping[str, Any]) -> None:
        with self._conn.lock, _prepared(self._conn):
            try:
                self._conn.wait(self._execute_gen(statement, values), timeout=max(0.1, deadline - time.monotonic()))
            except psycopg.errors._WaitTimeout as error:
                raise TooSlow("the database did not answer in time") from error


@contextlib.contextmanager
def _prepared(connected: psycopg.Connection[Any]) -> Iterator[None]:
    """Plan the statement once for each connection: planning costs more than carrying it out.

    Django prepares nothing, since poolers that give each transaction another connection may not allow it. Where there
    is one, `DISABLE_SERVER_SIDE_CURSORS` says so.
    """
    usual = connected.prepare_threshold
    connected.prepare_threshold = None if connection.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS") else 0
    try:
        yield
    finally:
        connected.prepare_threshold = usual
