"""The HTTP server below sandbox and receiver, byte by byte."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterator

import pytest

from connectors.sandbox.server import Answer, LocalServer, Request


@pytest.fixture
def server() -> Iterator[LocalServer]:
    """Answers with what it was asked."""

    def echo(request: Request) -> Answer:
        if request.path == "/fail":
            raise LookupError("broken")
        if request.path == "/empty":
            return Answer(status=204)
        body = f"{request.method} {request.path} ? {request.query}\n".encode() + request.body
        return Answer(
            status=299 if request.path == "/odd" else 200, body=body, headers=(("X-Host", request.headers["host"]),)
        )

    running = LocalServer(echo)
    running.start()
    yield running
    running.stop()


def exchange(server: LocalServer, raw: bytes) -> bytes:
    """All that is answered until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(raw)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_connection_is_kept_for_many_requests(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.connect()
    first = connection.sock
    for number in range(50):
        connection.request("POST", f"/a%20b?c=%20{number}", body=b"x" * number)
        answer = connection.getresponse()
        assert answer.read() == f"POST /a b ? c=%20{number}\n".encode() + b"x" * number
        assert connection.sock is first
    connection.close()


def test_large_answers_arrive_whole(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    body = bytes(range(256)) * 20_000
    connection.request("POST", "/", body=body)
    assert connection.getresponse().read().endswith(body)
    connection.close()


@pytest.mark.parametrize("size", [1, 100_001])
def test_no_exchange_waits_for_a_delayed_acknowledgement(server, size):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    began = time.monotonic()
    for _ in range(50):
        connection.request("POST", "/", body=b"x" * size)
        connection.getresponse().read()
    assert time.monotonic() - began < 50 * 0.04
    connection.close()


def test_chunked_bodies_are_read(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("POST", "/", body=iter([b"one", b"two"]), encode_chunked=True)
    assert connection.getresponse().read() == b"POST / ? \nonetwo"
    connection.request("GET", "/next")
    assert connection.getresponse().read() == b"GET /next ? \n"
    connection.close()


def test_client_that_asks_before_it_sends_is_told_to_go_on(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(
            b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
        )
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"ok")
        assert b"".join(iter(lambda: connection.recv(65536), b"")).endswith(b"\nok")


@pytest.mark.parametrize("version, header", [("1.1", "Connection: close\r\n"), ("1.0", "")])
def test_connection_closes_when_the_client_wishes(server, version, header):
    answer = exchange(server, f"GET / HTTP/{version}\r\nHost: h\r\n{header}\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Connection: close" in answer


def test_repeated_headers_are_joined(server):
    assert b"X-Host: a, b" in exchange(server, b"GET / HTTP/1.1\r\nHost: a\r\nHOST:b\r\nConnection: close\r\n\r\n")


def test_answer_without_body_has_no_length(server):
    answer = exchange(server, b"GET /empty HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 204 No Content\r\n")
    assert b"Content-Length" not in answer


def test_head_gets_the_length_and_no_body(server):
    answer = exchange(server, b"HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert b"Content-Length: 10" in answer
    assert answer.endswith(b"\r\n\r\n")


def test_unknown_status_is_sent_as_it_is(server):
    assert exchange(server, b"GET /odd HTTP/1.0\r\nHost: h\r\n\r\n").startswith(b"HTTP/1.1 299 Unknown\r\n")


@pytest.mark.parametrize(
    "raw",
    [
        b"nonsense\r\n\r\n",
        b"GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET / HTTP/2.0\r\nHost: h\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\n folded: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ten\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_request_is_400_and_closed(server, raw):
    assert exchange(server, raw).startswith(b"HTTP/1.1 400 ")


def test_failing_handler_is_500_and_remembered(server):
    assert exchange(server, b"GET /fail HTTP/1.0\r\nHost: h\r\n\r\n").startswith(b"HTTP/1.1 500 ")
    assert [str(failure) for failure in server.failures] == ["broken"]


def test_stopped_server_takes_no_connection_and_frees_its_port(server):
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    connection.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    assert connection.recv(8) == b"HTTP/1.1"  # it was taken
    server.stop()
    server.stop()
    with connection:
        connection.settimeout(10)
        assert b"".join(iter(lambda: connection.recv(65536), b"")).endswith(b"GET / ? \n")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=10)
    LocalServer(lambda request: Answer(status=200), port=server.port).stop()


def test_server_can_be_stopped_while_it_takes_a_connection():
    for _ in range(300):
        server = LocalServer(lambda request: Answer(status=200))
        server.start()
        with socket.create_connection(("127.0.0.1", server.port), timeout=10):
            server.stop()
