"""A statement ends in time: with rows, or with an error and without a connection."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time

import psycopg
import pytest
from django.db import DataError, IntegrityError, OperationalError, ProgrammingError, connection

from events.impatient import TooSlow, fetch_within
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)


def pid_of_server() -> int:
    ((pid,),) = fetch_within(5, "SELECT pg_backend_pid()", {})
    return int(pid)


@pytest.fixture
def another():
    """A connection of somebody else's."""
    settings = connection.settings_dict
    with psycopg.connect(
        host=settings["HOST"], user=settings["USER"], dbname=settings["NAME"], autocommit=True
    ) as connected:
        yield connected


def test_rows_come_back_and_the_connection_stays():
    pid = pid_of_server()

    assert fetch_within(5, "SELECT %(a)b::int + 1, 'ü'", {"a": 41}) == [(42, "ü")]
    assert pid_of_server() == pid


def test_a_connection_that_was_ended_is_replaced_without_anybody_noticing(another):
    pid = pid_of_server()
    another.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

    assert pid_of_server() != pid


def test_a_statement_that_takes_too_long_is_given_up_and_ended_at_the_server(another):
    began = time.monotonic()

    with pytest.raises(TooSlow):
        fetch_within(0.3, "SELECT pg_sleep(60)", {})

    assert time.monotonic() - began < 2
    until(
        lambda: (
            another.execute(
                "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(60)%%' AND state = 'active'"
            ).fetchone()
            is None
        )
    )
    assert fetch_within(5, "SELECT 1", {}) == [(1,)]


def test_a_table_that_somebody_locks_is_not_waited_for_forever(another, owner):
    with psycopg.connect(another.info.dsn) as holding:
        holding.execute("LOCK TABLE events_inbox IN ACCESS EXCLUSIVE MODE")

        with pytest.raises(TooSlow):
            fetch_within(0.3, "SELECT count(*) FROM events_inbox", {})

        until(lambda: another.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone() is None)
    assert fetch_within(5, "SELECT count(*) FROM events_inbox", {}) == [(0,)]


def test_a_server_that_hangs_is_given_up_in_time():
    pid = pid_of_server()
    os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    try:
        with pytest.raises(TooSlow):
            fetch_within(0.3, "SELECT 1", {})
        assert time.monotonic() - began < 2
        assert pid_of_server() != pid
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_server_that_takes_no_connection_is_given_up_in_time(tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(tmp_path / ".s.PGSQL.5432"))
        deaf.listen()
        connection.close()
        monkeypatch.setitem(connection.settings_dict, "HOST", str(tmp_path))
        began = time.monotonic()

        with pytest.raises(OperationalError):
            fetch_within(3, "SELECT 1", {})

    assert time.monotonic() - began < 5
    monkeypatch.undo()
    assert fetch_within(5, "SELECT 1", {}) == [(1,)]


def test_after_a_mistake_of_ours_the_thread_goes_on_with_another_connection():
    pid = pid_of_server()

    with pytest.raises(ProgrammingError):
        fetch_within(5, "SELECT nothing", {})

    assert pid_of_server() != pid


def test_a_broken_constraint_keeps_the_connection(owner):
    pid = pid_of_server()

    with pytest.raises(IntegrityError):
        fetch_within(5, "INSERT INTO events_inbox (id) VALUES (1) RETURNING id", {})

    assert pid_of_server() == pid


def test_values_that_the_server_does_not_take_are_sent_once(another):
    another.execute("CREATE SEQUENCE tries")
    try:
        pid_of_server()
        with pytest.raises(DataError):
            fetch_within(5, "SELECT 1 / (nextval('tries') - %(by)b::int)", {"by": 1})
        assert another.execute("SELECT last_value FROM tries").fetchone() == (1,)
    finally:
        another.execute("DROP SEQUENCE tries")


@pytest.mark.parametrize(
    "breaking",
    [
        pytest.param("SET default_transaction_read_only = on", id="the server became read-only"),
        pytest.param("DEALLOCATE ALL", id="a pooler gave us another's connection"),
        pytest.param("SET search_path = nowhere", id="the tables are elsewhere"),
    ],
)
def test_a_connection_that_lives_but_is_of_no_use_is_replaced_without_anybody_noticing(another, breaking):
    another.execute("CREATE TABLE kept (number int)")
    try:
        fetch_within(5, "INSERT INTO kept VALUES (1) RETURNING number", {})
        with connection.cursor() as cursor:
            cursor.execute(breaking)

        assert fetch_within(5, "INSERT INTO kept VALUES (1) RETURNING number", {}) == [(1,)]
        assert another.execute("SELECT count(*) FROM kept").fetchone() == (2,)
    finally:
        another.execute("DROP TABLE kept")


def test_a_table_that_changed_under_a_prepared_statement_is_read_all_the_same(another):
    another.execute("CREATE TABLE kept AS SELECT 1 AS number")
    try:
        assert fetch_within(5, "SELECT * FROM kept", {}) == [(1,)]
        another.execute("ALTER TABLE kept ADD COLUMN more text")

        assert fetch_within(5, "SELECT * FROM kept", {}) == [(1, None)]
    finally:
        another.execute("DROP TABLE kept")


def test_threads_have_connections_of_their_own():
    found: list[int] = []

    def look() -> None:
        try:
            found.append(pid_of_server())
        finally:
            connection.close()

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()

    assert found != [pid_of_server()]
