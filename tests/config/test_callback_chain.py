"""The short way of callbacks: the same answers as Django's own way, without what other pages need."""

from __future__ import annotations

import contextlib
import io
import os
import re
import socket
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test import Client

from config.callback_chain import PREFIX, callbacks, with_short_chain
from config.environment import BASE_DIR
from events.models import Callback, Inbox
from instances.models import ApiCall, Instance
from tests.api_client import Api
from tests.factories import InboxFactory, token_of
from tests.waiting import until

SIGNATURE = {"X-Content-Signature": "s"}


class Answer:
    """Of a WSGI application that was called with this."""

    def __init__(self, application, path: str, body: bytes = b"{}", method: str = "POST", stream: Any = None) -> None:
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_X_CONTENT_SIGNATURE": "s",
            "SERVER_NAME": "testserver",
            "SERVER_PORT": "80",
            "wsgi.input": stream or io.BytesIO(body),
            "wsgi.url_scheme": "http",
        }
        self.body = b"".join(application(environ, self._start))

    def _start(self, status: str, headers: list[tuple[str, str]], exc_info=None) -> None:
        self.status, self.headers = int(status[:3]), dict(headers)


@pytest.fixture
def inbox(db) -> Inbox:
    return InboxFactory.create()


def test_a_callback_is_stored_and_its_answer_names_the_request(inbox):
    answer = Answer(callbacks, f"{PREFIX}connectwisehd/{token_of(inbox)}")

    assert (answer.status, answer.body) == (200, b"{}")
    assert re.fullmatch("[0-9a-f]{24}", answer.headers.pop("Elements-Request-Id"))
    assert answer.headers == {"Content-Type": "application/json"}
    assert Callback.objects.count() == 1


@pytest.mark.parametrize(
    "method, path, status",
    [
        ("POST", "connectwisehd/999999", 404),
        ("POST", "nothing", 404),
        ("POST", "", 404),
        ("PUT", "connectwisehd/1", 405),
        ("POST", "connectwisehd/\xff\xfe", 404),
    ],
)
def test_errors_have_the_form_of_the_api_on_both_ways(db, method, path, status):
    answer = Answer(callbacks, PREFIX + path, method=method)
    usual = Client().generic(method, PREFIX + path, b"{}")

    assert answer.status == usual.status_code == status
    assert answer.headers["Elements-Request-Id"] in answer.body.decode()
    assert usual["Elements-Request-Id"] in usual.content.decode()


def test_a_mistake_of_ours_has_the_provider_come_again(db):
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise ZeroDivisionError

    answer = Answer(callbacks, f"{PREFIX}connectwisehd/1", stream=Broken())

    assert answer.status == 429
    assert answer.headers["Elements-Request-Id"] in answer.body.decode()


def test_everything_else_goes_the_usual_way(inbox):
    called = []

    def usual(environ, start_response):
        called.append(environ["PATH_INFO"])
        start_response("204 No Content", [])
        return []

    others = ["/", "/console/", "/elements/api-v2/instances", "/elements/api-v2/events", "/elements/api-v2/eventsX/1"]
    for path in others:
        assert Answer(with_short_chain(usual), path).status == 204
    assert called == others
    assert Answer(with_short_chain(usual), f"{PREFIX}connectwisehd/{token_of(inbox)}").status == 200


@pytest.fixture(scope="module")
def server(django_db_setup, django_db_blocker) -> Iterator[int]:
    settings = connection.settings_dict
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    database = f"postgresql://{settings['USER']}@/{settings['NAME']}?host={settings['HOST']}"
    options = ("--interface", "wsgi", "--blocking-threads", "8", "--log-level", "warning")
    with django_db_blocker.unblock():
        # Nobody listened for this one's callbacks until the server was there.
        unheard = InboxFactory.create()
        process = subprocess.Popen(
            [sys.executable, "-m", "granian", "config.wsgi:application", "--port", str(port), *options],
            cwd=BASE_DIR,
            env=os.environ | {"DATABASE_URL": database, "CALLBACK_BODY_LIMIT": "100000"},
        )
        try:
            until(lambda: answers(port), seconds=60)
            until(lambda: Inbox.objects.filter(pk=unheard.pk, suspect_reason="the web server was started"))
            Instance.objects.filter(inbox=unheard).delete()
            unheard.delete()
            yield port
        finally:
            process.terminate()
            process.wait(20)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.django_db(transaction=True)
class TestRealServer:
    """Granian with what `make up` runs: what a WSGI server makes of a request is nobody's to guess."""

    def post(self, port: int, path: str, body, **more) -> tuple[int, bytes]:
        client = HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            client.request("POST", PREFIX + path, body, SIGNATURE, **more)
            answer = client.getresponse()
            return answer.status, answer.read()
        finally:
            client.close()

    def test_what_comes_over_the_wire_is_what_is_kept(self, server):
        inbox = InboxFactory.create()
        address = f"connectwisehd/{token_of(inbox)}"
        chunks = [b"x" * 30_000, b"y" * 30_000]

        assert self.post(server, f"{address}?recordId=7&action=updated", b"{}") == (200, b"{}")
        assert self.post(server, f"{address}&recordId=8", b"") == (200, b"{}")
        assert self.post(server, address, iter(chunks), encode_chunked=True) == (200, b"{}")
        in_base64 = b64encode(str(inbox.instance_id).encode()).decode()
        assert self.post(server, f"connectwisehd/{in_base64.replace('=', '%3D')}", b"{}") == (200, b"{}")
        assert self.post(server, address, iter(chunks * 2), encode_chunked=True)[0] == 413
        assert self.post(server, address, b"x" * 100_000)[0] == 200

        kept = list(Callback.objects.filter(instance=inbox.instance).order_by("pk"))
        assert [one.query for one in kept[:2]] == ["recordId=7&action=updated", "recordId=8"]
        assert [len(bytes(one.body)) for one in kept] == [2, 0, 60_000, 2, 100_000]

    def test_connections_that_the_database_ended_are_replaced(self, server):
        inbox = InboxFactory.create()
        address = f"connectwisehd/{token_of(inbox)}"
        settings = connection.settings_dict
        with psycopg.connect(host=settings["HOST"], user=settings["USER"], dbname="postgres", autocommit=True) as other:
            for _ in range(3):
                assert [self.post(server, address, b"{}")[0] for _ in range(6)] == [200] * 6
                other.execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s",
                    [settings["NAME"]],
                )
        connection.close()

        assert Callback.objects.count() == 18

    def test_a_body_that_is_too_long_is_refused_unread(self, server):
        with socket.create_connection(("127.0.0.1", server), timeout=10) as client:
            client.sendall(
                f"POST {PREFIX}connectwisehd/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 100001\r\n\r\n".encode()
            )
            assert client.recv(100).startswith(b"HTTP/1.1 413")

    def test_senders_who_do_not_finish_leave_threads_for_everybody_else(self, server):
        inbox = InboxFactory.create()
        genuine = f"connectwisehd/{token_of(inbox)}"
        strangers = [f"connectwisehd/{inbox.instance_id}", "connectwisehd/" + "A" * 43, "connectwisehd"]
        with contextlib.ExitStack() as open_ones:
            for number in range(8):
                open_ones.enter_context(self.half_sent(server, strangers[number % 3]))

            # Those who got no place have waited for one in vain, or will not: what is asked now is answered anyhow.
            assert self.get(server, "/elements/api-v2/elements", seconds=5) in (200, 401)
            assert self.post(server, genuine, b"{}") == (200, b"{}")
            assert self.post(server, strangers[0], b"{}")[0] == 429
        until(lambda: self.post(server, strangers[0], b"{}")[0] == 200)
        assert not Inbox.objects.filter(suspect_reason__contains="slow").exists()

    def test_slow_senders_who_know_a_token_leave_threads_too_and_are_noted(self, server):
        inbox = InboxFactory.create()
        genuine = f"connectwisehd/{token_of(inbox)}"
        with contextlib.ExitStack() as open_ones:
            for _ in range(8):
                open_ones.enter_context(self.half_sent(server, genuine))

            assert self.get(server, "/elements/api-v2/elements", seconds=5) in (200, 401)
            assert self.post(server, genuine, b"{}")[0] == 429
            until(lambda: Inbox.objects.filter(pk=inbox.pk, suspect_reason__contains="slow").exists())
        until(lambda: self.post(server, genuine, b"{}")[0] == 200)
        assert all(bytes(one.body) == b"{}" for one in Callback.objects.all())

    def test_calls_of_the_api_are_recorded(self, server, owner):
        client = HTTPConnection("127.0.0.1", server, timeout=10)
        client.request("GET", "/elements/api-v2/instances/count", headers={"Authorization": Api(owner).authorization})
        answer = client.getresponse()
        client.close()

        call = until(lambda: ApiCall.objects.filter(request_id=answer.headers["Elements-Request-Id"]).first())
        assert (call.user_id, call.status, call.path) == (owner.pk, 200, "/elements/api-v2/instances/count")

    @contextlib.contextmanager
    def half_sent(self, port: int, path: str) -> Iterator[None]:
        """A sender who announces ten bytes, sends one, and waits."""
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            head = f"POST {PREFIX}{path} HTTP/1.1\r\nHost: x\r\nX-Content-Signature: s\r\nContent-Length: 10\r\n\r\n"
            client.sendall(head.encode() + b"{")
            yield

    def get(self, port: int, path: str, *, seconds: float) -> int:
        client = HTTPConnection("127.0.0.1", port, timeout=seconds)
        try:
            client.request("GET", path)
            return client.getresponse().status
        finally:
            client.close()
