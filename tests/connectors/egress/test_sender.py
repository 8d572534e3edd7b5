from __future__ import annotations

import gzip
import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from connectors.egress import OutboundRequest, Outcome, Resolver, Sender
from connectors.egress.readiness import HAS_EPOLL
from tests.connectors.egress.sinks import OK, Sink, answering, dripping, silent

JSON = ("Content-Type", "application/json")
BODY = b'{"message": "\xc3\xbc \\u0000"}\n\x00 \r\n'


@pytest.fixture
def make_sender() -> Iterator[Callable[..., Sender]]:
    made: list[Sender] = []

    def make(concurrency: int = 10, **options) -> Sender:
        made.append(Sender(concurrency, **options))
        return made[-1]

    yield make
    for sender in made:
        sender.close()


def post(key: int, url: str, *headers: tuple[str, str], body: bytes = BODY) -> OutboundRequest:
    return OutboundRequest(key, url, (JSON, *headers), body)


def finish(sender: Sender, *, within: float = 10.0) -> list[Outcome]:
    """Every outcome, in the order of the keys."""
    outcomes, deadline = [], time.monotonic() + within
    while sender.in_flight and time.monotonic() < deadline:
        outcomes += sender.wait(deadline - time.monotonic())
    assert not sender.in_flight
    return sorted(outcomes, key=lambda outcome: outcome.key)


def one(sender: Sender, request: OutboundRequest) -> Outcome:
    sender.start(request)
    [outcome] = finish(sender)
    return outcome


def test_the_request_goes_out_byte_for_byte(start, make_sender):
    sink = start()
    request = post(7, sink.url("/hook?a=[b]&c=%20"), ("webhook-id", "evt_1"), ("X-Empty", ""), ("X-Umlaut", "ü"))

    outcome = one(make_sender(), request)

    [received] = sink.received
    assert received.line == "POST /hook?a=[b]&c=%20 HTTP/1.1"
    assert received.body == BODY
    assert received.headers == {
        "Host": f"127.0.0.1:{sink.port}",
        "User-Agent": "Switchyard/0.1",
        "Accept": "*/*",
        "Content-Type": "application/json",
        "webhook-id": "evt_1",
        "X-Empty": "",
        "X-Umlaut": "ü".encode().decode("latin-1"),
        "Content-Length": str(len(BODY)),
    }
    assert (outcome.key, outcome.status, outcome.error_class, outcome.excerpt) == (7, 200, "", b"[]")


@pytest.mark.parametrize("body", [b"", b"x" * 3_000_000])
def test_a_body_of_any_length_is_sent_whole(start, make_sender, body):
    sink = start()

    assert one(make_sender(), OutboundRequest(1, sink.url(), (), body)).status == 200
    assert sink.received[0].body == body
    assert "Content-Type" not in sink.received[0].headers
    assert "Expect" not in sink.received[0].headers


def test_an_outcome_says_when_and_how_long(start, make_sender):
    outcome = one(make_sender(), post(1, start().url()))

    assert abs(datetime.now(UTC) - outcome.started_at) < timedelta(seconds=5)
    assert 0 <= outcome.duration_ms < 5000


def test_connections_are_kept_between_requests(start, make_sender):
    sink, sender = start(), make_sender()

    for key in range(20):
        assert one(sender, post(key, sink.url(f"/{key}"), body=b"%d" % key)).status == 200

    assert sink.connections == 1
    assert [received.body for received in sink.received] == [b"%d" % key for key in range(20)]


def test_a_handle_carries_nothing_over_to_the_next_request(start, make_sender):
    limited = start(answering(b"HTTP/1.1 429 x\r\nRetry-After: 9\r\nContent-Length: 4\r\n\r\nwait"))
    sink, sender = start(answering(b"HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n")), make_sender()

    first = one(sender, post(1, limited.url(), ("X-Only-Once", "1")))
    second = one(sender, post(2, sink.url()))

    assert (first.status, first.retry_after, first.excerpt) == (429, "9", b"wait")
    assert (second.status, second.retry_after, second.excerpt) == (500, None, b"")
    assert "X-Only-Once" not in sink.received[0].headers
    assert [(slot.head, slot.excerpt) for slot in sender._idle] == [([], b"")]


def test_many_requests_are_in_flight_at_once(start, make_sender):
    together = threading.Barrier(50, timeout=10)

    def reply(_sink, received):
        together.wait()
        yield b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(received.body), received.body)

    sink, sender = start(reply), make_sender(50)
    for key in range(50):
        sender.start(post(key, sink.url(), body=b"%d" % key))
    assert sender.in_flight == 50

    outcomes = finish(sender)

    assert [(outcome.key, outcome.status, outcome.excerpt) for outcome in outcomes] == [
        (key, 200, b"%d" % key) for key in range(50)
    ]


def test_a_receiver_that_hangs_delays_no_other(start, make_sender):
    hanging, sink, sender = start(silent), start(), make_sender(timeout=1.0)
    sender.start(post(0, hanging.url()))

    began = time.monotonic()
    for key in range(1, 20):
        sender.start(post(key, sink.url()))
    answered: list[Outcome] = []
    while len(answered) < 19:
        answered += sender.wait(5)
    assert time.monotonic() - began < 0.9

    [late] = finish(sender)
    assert {outcome.status for outcome in answered} == {200}
    assert (late.key, late.status, late.error_class) == (0, None, "timeout")
    assert 900 <= late.duration_ms < 2000


def test_waiting_ends_when_the_time_is_up(start, make_sender):
    sender = make_sender(timeout=5)
    assert sender.wait(10) == []  # nothing is in flight

    sender.start(post(1, start(silent).url()))
    began = time.monotonic()
    assert sender.wait(0.2) == []
    assert 0.15 < time.monotonic() - began < 1
    assert sender.in_flight == 1


@pytest.mark.parametrize(
    "head, expected",
    [
        (b"HTTP/1.1 429 x\r\nRetry-After: 30\r\n", "30"),
        (b"HTTP/1.1 503 x\r\nretry-after:  Tue, 09 Jun 2026 21:59:47 GMT \r\n", "Tue, 09 Jun 2026 21:59:47 GMT"),
        (b"HTTP/1.1 103 x\r\nRetry-After: 1\r\n\r\nHTTP/1.1 503 x\r\n", None),
        (b"HTTP/1.1 503 x\r\n", None),
    ],
)
def test_retry_after_is_passed_on_as_it_came(start, make_sender, head, expected):
    sink = start(answering(head + b"Content-Length: 0\r\n\r\n"))

    assert one(make_sender(), post(1, sink.url())).retry_after == expected


def test_only_the_beginning_of_an_answer_is_kept(start, make_sender):
    body = bytes(range(256)) * 40
    sink = start(answering(b"HTTP/1.1 500 x\r\nContent-Length: %d\r\n\r\n" % len(body), body))

    outcome = one(make_sender(), post(1, sink.url()))

    assert (outcome.status, outcome.error_class, outcome.excerpt) == (500, "", body[:2048])


@pytest.mark.parametrize(
    "head",
    [b"Content-Length: 99999999999", b"Transfer-Encoding: chunked", b"Connection: close"],
    ids=["long", "chunked", "until closed"],
)
def test_an_endless_answer_counts_as_answered_and_is_left(start, make_sender, head):
    gone = threading.Event()

    def reply(sink, _received):
        yield b"HTTP/1.1 201 x\r\n" + head + b"\r\n\r\n"
        try:
            while not sink.stopping.is_set():
                yield b"2000\r\n" + b"x" * 8192 + b"\r\n"
        finally:
            gone.set()

    outcome = one(make_sender(), post(1, start(reply).url()))

    assert (outcome.status, outcome.error_class, len(outcome.excerpt)) == (201, "", 2048)
    assert gone.wait(5)


def test_a_compressed_answer_is_not_unpacked(start, make_sender):
    bomb = gzip.compress(b"\0" * 10_000_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)

    outcome = one(make_sender(), post(1, start(answering(head + bomb)).url()))

    assert (outcome.status, outcome.excerpt) == (200, bomb[:2048])


@pytest.mark.parametrize("value", ["a\r\nX-Injected: 1", "a\nX-Injected: 1", "a\rb", "a\0b"])
def test_a_header_that_would_break_out_of_its_line_is_not_sent(start, make_sender, value):
    sink = start()

    outcome = one(make_sender(), post(1, sink.url(), ("X-Custom", value)))

    assert (outcome.status, outcome.error_class) == (None, "internal")
    assert "Injected" not in outcome.error
    assert sink.connections == 0


def test_error_classes_name_what_happened(start, make_sender, authority):
    def fail(_name: str) -> list[str]:
        raise OSError(-2, "Name or service not known")

    sender = make_sender(timeout=0.5, resolver=Resolver(fail))
    with Sink() as gone:
        nobody_there = gone.url()
    expected = {
        "http://10.0.0.1/": "refused_destination",
        "ftp://example.com/": "refused_destination",
        "http://nowhere.test/": "dns",
        nobody_there: "connect",
        start(tls=authority.server_context("127.0.0.1")).url(): "tls",
        start(silent).url(): "timeout",
        start(answering(b"")).url(): "protocol",
    }
    for key, url in enumerate(expected):
        sender.start(post(key, url))

    outcomes = finish(sender)

    assert [outcome.error_class for outcome in outcomes] == list(expected.values())
    assert all(outcome.error and outcome.status is None for outcome in outcomes)


def test_a_slow_name_server_delays_no_other_request_and_ends_at_the_connect_timeout(start, make_sender):
    answering = threading.Event()

    def lookup(name: str) -> list[str]:
        if name == "slow.test":
            answering.wait(20)
        return ["127.0.0.1"]

    sink = start()
    sender = make_sender(resolver=Resolver(lookup), connect_timeout=0.5)
    sender.start(post(1, sink.url(host="slow.test")))
    sender.start(post(2, sink.url(host="quick.test")))
    sender.start(post(3, sink.url()))
    assert sender.in_flight == 3

    began = time.monotonic()
    answered: list[Outcome] = []
    while len(answered) < 2:
        answered += sender.wait(0.4)
    assert {outcome.key for outcome in answered} == {2, 3}
    [late] = finish(sender)
    answering.set()

    assert (late.key, late.error_class) == (1, "dns")
    assert time.monotonic() - began < 1.5


def test_a_name_found_late_is_sent_to(start, make_sender):
    answering = threading.Event()

    def lookup(_name: str) -> list[str]:
        answering.wait(20)
        return ["127.0.0.1"]

    sink, sender = start(), make_sender(resolver=Resolver(lookup))
    for key in range(3):
        sender.start(post(key, sink.url(host="late.test")))
    assert sender.wait(0.05) == []
    answering.set()

    assert [outcome.status for outcome in finish(sender)] == [200, 200, 200]


def test_a_name_keeps_its_connection_while_its_address_stays(start, make_sender):
    sink, sender = start(), make_sender(resolver=Resolver(lambda _name: ["127.0.0.1"]))

    for key in range(5):
        assert one(sender, post(key, sink.url(host="hooks.test"))).status == 200

    assert sink.connections == 1
    assert {received.headers["Host"] for received in sink.received} == {f"hooks.test:{sink.port}"}


def test_the_address_connected_to_must_be_one_that_was_checked(start, make_sender, canary):
    """The last check stands alone: whatever else goes wrong, the socket is not opened."""
    sender = make_sender()
    sender.start(post(1, canary.url()))
    [slot] = sender._running.values()
    slot.addresses = frozenset()

    [outcome] = finish(sender)

    assert outcome.error_class == "refused_destination"
    assert canary.connections == 0


def test_a_receiver_that_closed_its_connection_meanwhile_is_connected_to_again(start, make_sender):
    closing = answering(OK, b"")  # says nothing of closing, and closes
    sink, sender = start(closing), make_sender()

    for key in range(3):
        assert one(sender, post(key, sink.url())).status == 200

    assert len(sink.received) == 3


def test_an_answer_that_drips_holds_its_place_no_longer_than_the_timeout(start, make_sender):
    sink = start(dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"x", every=0.05))

    outcome = one(make_sender(timeout=0.5), post(1, sink.url()))

    assert (outcome.status, outcome.error_class) == (None, "timeout")
    assert outcome.duration_ms < 1500


def test_a_receiver_that_says_nothing_is_given_less_time_than_one_that_answers_slowly(start, make_sender):
    slow = start(dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", b"x", every=0.2))
    sender = make_sender(first_byte_timeout=0.3, timeout=5.0)
    sender.start(post(1, start(silent).url()))
    sender.start(post(2, slow.url()))

    late, answered = finish(sender)

    assert (late.status, late.error_class) == (None, "timeout")
    assert late.error == "No answer began within 0.3 seconds"
    assert 300 <= late.duration_ms < 2000
    assert answered.status == 200


def test_a_connection_that_fell_silent_is_not_used_again(start, make_sender):
    hanging = threading.Event()

    def reply(_sink, received):
        if received.body == b"hang":
            hanging.wait(20)
        yield OK

    sink, sender = start(reply), make_sender(1, first_byte_timeout=0.1)
    assert one(sender, post(1, sink.url(), body=b"hang")).error_class == "timeout"

    assert one(sender, post(2, sink.url(), body=b"answer")).status == 200
    assert sink.connections == 2
    hanging.set()


@pytest.mark.skipif(not HAS_EPOLL, reason="without epoll nobody can end a wait")
def test_another_thread_ends_the_wait(start, make_sender):
    sender = make_sender(timeout=20)
    sender.start(post(1, start(silent).url()))
    threading.Timer(0.05, sender.wake).start()

    began = time.monotonic()
    assert sender.wait(10) == []
    assert time.monotonic() - began < 5
    assert sender.wait(0.05) == []  # what woke it once does not again


@pytest.mark.skipif(not HAS_EPOLL, reason="select() sees no such descriptor")
def test_descriptors_may_be_above_those_that_select_sees(start, make_sender):
    sink, sender = start(), make_sender()
    taken = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        began = time.monotonic()
        assert one(sender, post(1, sink.url())).status == 200
        assert time.monotonic() - began < 5
    finally:
        for descriptor in taken:
            os.close(descriptor)


def test_closing_breaks_off_what_is_running(start):
    sender = Sender(2)
    sender.start(post(1, start(silent).url()))
    sender.wait(0.05)

    sender.close()

    assert sender.in_flight == 0
