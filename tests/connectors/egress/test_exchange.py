from __future__ import annotations

import gzip
import os
import threading
import tracemalloc
from datetime import UTC, datetime

import pytest

from connectors.egress import Answer, fetch, watched
from connectors.errors import DestinationRefused, RequestRefused, TryLater, UnusableAnswer
from tests.connectors.egress.sinks import OK, answering

MIB = 1024 * 1024


def framed(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    return b"\r\n".join([b"HTTP/1.1 " + status, *headers, b"Content-Length: %d" % len(body), b"", body])


def get(url: str, **options) -> Answer:
    return fetch("GET", url, headers={}, **options)


def test_the_request_goes_out_as_given(start):
    sink = start()

    fetch("PATCH", sink.url("/a%20b?c=[d]&e='f'"), headers={"clientId": "me", "Accept": "x/y"}, body=b'{"a": 1}')

    [received] = sink.received
    assert received.line == "PATCH /a%20b?c=%5Bd%5D&e='f' HTTP/1.1"
    assert received.body == b'{"a": 1}'
    assert received.headers == {
        "Host": f"127.0.0.1:{sink.port}",
        "User-Agent": "Switchyard/0.1",
        "Accept-Encoding": "gzip",
        "clientId": "me",
        "Accept": "x/y",
        "Content-Length": "8",
    }


@pytest.mark.parametrize("status", [200, 201, 204, 304, 400, 401, 404, 429, 500, 503])
def test_every_status_is_an_answer(start, status):
    body = b"" if status in (204, 304) else b"[1]"

    answer = get(start(answering(framed(body, b"X-Thing: 1", status=b"%d x" % status))).url())

    assert (answer.status, answer.body, answer.headers["x-thing"]) == (status, body, "1")


def test_the_date_is_the_other_sides_clock(start):
    assert get(start().url()).date == datetime(2026, 6, 9, 21, 59, 47, tzinfo=UTC)


@pytest.mark.parametrize("header", [b"X: 1", b"Date:", b"Date: yesterday", b"Date: Tue, 99 Jun 2026 21:59:47 GMT"])
def test_a_missing_or_unreadable_date_is_none(start, header):
    assert get(start(answering(framed(b"[]", header))).url()).date is None


def test_connections_are_kept_and_the_deadline_is_each_requests_own(start):
    sink = start()

    for _ in range(3):
        assert get(sink.url(), timeout=0.3).body == b"[]"

    assert sink.connections == 1


def test_a_connection_whose_answer_was_not_read_is_not_used_again(start):
    sink = start(answering(framed(b"x" * 200_000)))

    for _ in range(2):
        with pytest.raises(UnusableAnswer):
            get(sink.url(), max_bytes=1000)

    assert sink.connections == 2


def test_cookies_are_not_kept_between_requests(start):
    sink = start(answering(framed(b"[]", b"Set-Cookie: session=of-another-tenant")))

    get(sink.url())
    get(sink.url())

    assert "Cookie" not in sink.received[1].headers


def test_each_thread_has_connections_of_its_own(start):
    sink = start()
    get(sink.url())

    thread = threading.Thread(target=get, args=[sink.url()])
    thread.start()
    thread.join()

    assert sink.connections == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_fork_does_not_use_its_parents_connections(start):
    sink = start()
    get(sink.url())

    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if get(sink.url()).status == 200 else 1)
        finally:
            os._exit(2)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert sink.connections == 2


def test_a_connection_made_while_a_network_was_allowed_ends_with_the_permission(start, settings):
    sink = start()
    get(sink.url())

    settings.EGRESS_ALLOW_NETWORKS = []
    with pytest.raises(DestinationRefused):
        get(sink.url())


def test_a_gzipped_answer_is_decompressed(start):
    body = b'[{"id": 1}]' * 10_000
    packed = gzip.compress(body)

    assert get(start(answering(framed(packed, b"Content-Encoding: gzip"))).url()).body == body
    assert get(start(answering(framed(packed + packed, b"Content-Encoding: x-GZIP"))).url()).body == body * 2
    chunked = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
    halves = [b"%x\r\n%s\r\n" % (len(half), half) for half in (packed[:99], packed[99:])]
    assert get(start(answering(chunked, *halves, b"0\r\n\r\n")).url()).body == body


@pytest.mark.parametrize(
    "body, encoding, reason",
    [
        (gzip.compress(b"x" * 5000)[:-9], b"gzip", "cut short"),
        (b"this is no gzip", b"gzip", "not compressed as it claims"),
        (gzip.compress(b"[]") + b"trailing", b"gzip", "not compressed as it claims"),
        (b"whatever", b"br", "did not offer"),
        (gzip.compress(gzip.compress(b"[]")), b"gzip, gzip", "did not offer"),
    ],
    # What gzip makes differs from second to second, and test processes must agree on the names of the tests.
    ids=["cut short", "not gzip", "with something behind it", "another encoding", "gzip twice"],
)
def test_a_body_that_cannot_be_decompressed_is_unusable(start, body, encoding, reason):
    with pytest.raises(UnusableAnswer, match=reason):
        get(start(answering(framed(body, b"Content-Encoding: " + encoding))).url())


def test_a_gzip_bomb_is_not_unpacked(start):
    bomb = gzip.compress(b"\0" * (100 * MIB))
    sink = start(answering(framed(bomb, b"Content-Encoding: gzip")))

    tracemalloc.start()
    try:
        with pytest.raises(UnusableAnswer, match=f"longer than {MIB} bytes"):
            get(sink.url(), max_bytes=MIB)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 8 * MIB


def test_a_bomb_behind_a_redirect_is_not_unpacked_either(start):
    bomb = gzip.compress(b"\0" * (100 * MIB))
    sink = start(answering(framed(bomb, b"Content-Encoding: gzip", b"Location: /next", status=b"302 Found")))

    with pytest.raises(UnusableAnswer, match="longer than"):
        get(sink.url(), max_bytes=MIB)
    assert len(sink.received) == 1


def test_the_body_may_be_exactly_as_long_as_the_limit(start):
    sink = start(answering(framed(b"x" * 1000)))

    assert len(get(sink.url(), max_bytes=1000).body) == 1000
    with pytest.raises(UnusableAnswer, match="longer than 999 bytes"):
        get(sink.url(), max_bytes=999)


def endless(start: bytes, piece: bytes):
    def reply(sink, _received):
        yield start
        while not sink.stopping.is_set():
            yield piece

    return reply


@pytest.mark.parametrize(
    "reply",
    [
        endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536),
        endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"2000\r\n" + b"x" * 8192 + b"\r\n"),
        endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", b"x" * 65536),
        endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n", b"X-Trailer: 1\r\n" * 4096),
        endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 4096),
        endless(b"HTTP/1.1 100 Continue\r\n", b"X: 1\r\n" * 4096),
    ],
    ids=["body", "chunks", "negative chunk", "trailers", "interim answers", "interim headers"],
)
def test_an_endless_answer_ends_at_the_limit(start, reply):
    with pytest.raises(TryLater) as failure:
        get(start(reply).url(), max_bytes=100_000, timeout=20)
    assert "seconds" not in str(failure.value)


@pytest.mark.parametrize("value", ["two\r\nlines", "two\nlines", "snow ☃", " leading"])
def test_a_header_that_cannot_be_sent_is_refused_without_naming_its_value(start, value):
    sink = start()

    with pytest.raises(RequestRefused) as refused:
        fetch("GET", sink.url(), headers={"Authorization": value})

    assert "lines" not in str(refused.value)
    assert "snow" not in str(refused.value)
    assert sink.connections == 0


def test_failures_name_the_host_and_what_happened(start, authority):
    sink = start(tls=authority.server_context("127.0.0.1"))
    with pytest.raises(TryLater) as untrusted:
        get(sink.url("/?secret=1"))
    assert str(untrusted.value) == (
        "The certificate of 127.0.0.1 cannot be trusted: unable to get local issuer certificate"
    )

    with pytest.raises(TryLater) as plain:
        get(f"https://127.0.0.1:{start(answering(OK * 3, b'')).port}/?secret=1", timeout=1)
    assert "secret" not in str(plain.value)

    with pytest.raises(TryLater) as closed:
        get(start(answering(b"")).url("/?secret=1"))
    assert str(closed.value) == "127.0.0.1 broke the connection before it answered"

    with pytest.raises(UnusableAnswer) as cut:
        get(start(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", b"")).url("/?secret=1"))
    assert str(cut.value) == "The answer of 127.0.0.1 was cut short"
    assert cut.value.status == 200


def test_whoever_watches_sees_what_was_sent_and_no_secrets(start):
    sink = start()
    with watched() as requests:
        fetch("POST", sink.url("/a?b=1"), headers={"Authorization": "Basic canary", "Accept": "x/y"}, body=b"{}")
        with pytest.raises(TryLater):
            get(start(answering(b"")).url())
    get(sink.url("/unwatched"))

    [answered, lost] = requests
    assert (answered.method, answered.url, answered.body, answered.status) == ("POST", sink.url("/a?b=1"), b"{}", 200)
    assert (answered.headers["Authorization"], answered.headers["Accept"]) == ("********", "x/y")
    assert lost.status is None
