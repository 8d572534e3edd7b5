"""Keys: how they are fetched, kept and asked for again, with a clock that a test turns."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from connectors import registry
from connectors.callbacks import CallbackRefused, InboundCallback
from connectors.connection import Connection
from connectors.sandbox.signing import signature
from events.verification import FORGED, UNSIGNED, Keys, KeyUnavailable, verify
from tests.connectors.egress.sinks import Sink, answering
from tests.scarcity import no_more_files

ELEMENT = registry.element("connectwisehd")
assert ELEMENT.callbacks is not None
CALLBACKS = ELEMENT.callbacks


def answer(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class KeyServer:
    """A provider that has one key, by whatever id it is asked for."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.hold("first")

    def hold(self, key: str) -> None:
        self.key = key
        self.say(answer(b'{"signing_key":"%b"}' % key.encode()))

    def say(self, whole_answer: bytes) -> None:
        self.sink.reply = answering(whole_answer)

    @property
    def asked(self) -> int:
        return len(self.sink.received)

    def connection(self) -> Connection:
        configuration = {"helpdesk.connectwise.server.url": self.sink.url(""), "helpdesk.connectwise.company": "acme"}
        return Connection(element=ELEMENT, configuration=configuration)

    def callback(self, key_id: str = "1", *, key: str | None = None) -> InboundCallback:
        url = self.sink.url(f"/v2025_1//system/callbackkey/index.rails?companyName=acme&id={key_id}")
        body = b'{"ID":7,"Metadata":{"key_url":"%b"}}' % url.encode()
        return InboundCallback(body=body, signature=signature(body, key=key or self.key))


class Desk:
    """Verifies callbacks that are received when the clock says so."""

    def __init__(self, server: KeyServer) -> None:
        self.now = 1000.0
        self.keys = Keys(clock=lambda: self.now)
        self.server = server

    def verify(self, callback: InboundCallback, *, received_at: float | None = None, accepts_unsigned=False) -> bool:
        connection = self.server.connection()
        return verify(
            callback,
            callbacks=CALLBACKS,
            connection=connection,
            account=connection.account(),
            accepts_unsigned=accepts_unsigned,
            received_at=self.now if received_at is None else received_at,
            keys=self.keys,
        )


@pytest.fixture
def server():
    with Sink() as sink:
        yield KeyServer(sink)


@pytest.fixture
def desk(server) -> Desk:
    return Desk(server)


class TestGenuine:
    def test_the_key_is_fetched_without_credentials_and_kept_for_an_hour(self, desk, server):
        for _ in range(3):
            assert desk.verify(server.callback())
            desk.now += 1000

        assert server.asked == 1
        (request,) = server.sink.received
        assert request.line.startswith("GET /v2025_1//system/callbackkey/index.rails?companyName=acme&id=1 ")
        assert "Authorization" not in request.headers
        desk.now += 1000
        assert desk.verify(server.callback())
        assert server.asked == 2

    def test_many_threads_ask_once(self, desk, server):
        verified = []
        threads = [threading.Thread(target=lambda: verified.append(desk.verify(server.callback()))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)

        assert verified == [True] * 8
        assert server.asked == 1

    def test_accounts_share_no_keys(self, desk, server):
        callback = server.callback()
        desk.verify(callback)
        url = CALLBACKS.key_url(callback, server.connection())

        desk.keys.get(url, account="another", read=CALLBACKS.signing_key)

        assert server.asked == 2


class TestReplacedKeys:
    def test_a_replaced_key_is_fetched_once_for_all(self, desk, server):
        desk.verify(server.callback())
        desk.now += 1
        server.hold("second")

        assert desk.verify(server.callback())
        assert desk.verify(server.callback())
        assert server.asked == 2

    def test_what_was_received_before_its_key_was_replaced_is_genuine(self, desk, server):
        desk.verify(server.callback())
        waiting, received_at = server.callback(), desk.now + 1
        desk.now += 2
        server.hold("second")
        desk.verify(server.callback())
        desk.now += 3600
        desk.verify(server.callback())

        assert desk.verify(waiting, received_at=received_at)
        with pytest.raises(CallbackRefused, match=FORGED):
            desk.verify(waiting, received_at=desk.now)
        with pytest.raises(CallbackRefused, match=FORGED):
            desk.verify(server.callback(key="wrong"), received_at=received_at)

    def test_what_was_received_before_the_key_was_fetched_is_forged(self, desk, server):
        desk.verify(server.callback())

        with pytest.raises(CallbackRefused, match=FORGED):
            desk.verify(server.callback(key="wrong"), received_at=desk.now - 1)

        assert server.asked == 1

    def test_forged_ones_cost_the_provider_one_request_in_a_while(self, desk, server):
        desk.verify(server.callback())
        desk.now += 1
        with pytest.raises(CallbackRefused):
            desk.verify(server.callback(key="wrong"))
        assert server.asked == 2

        desk.now += 5
        forged_at = desk.now
        for _ in range(5):
            with pytest.raises(KeyUnavailable) as raised:
                desk.verify(server.callback(key="wrong"))
            assert (raised.value.wait, raised.value.counts) == (timedelta(seconds=25), False)
        desk.now += 25
        for _ in range(5):
            with pytest.raises(CallbackRefused):
                desk.verify(server.callback(key="wrong"), received_at=forged_at)
        assert server.asked == 3

    def test_a_key_that_is_replaced_right_after_a_forgery_waits_and_is_not_refused(self, desk, server):
        desk.verify(server.callback())
        desk.now += 1
        with pytest.raises(CallbackRefused):
            desk.verify(server.callback(key="wrong"))
        desk.now += 1
        server.hold("second")
        genuine, received_at = server.callback(), desk.now

        with pytest.raises(KeyUnavailable) as raised:
            desk.verify(genuine)
        assert raised.value.wait is not None
        desk.now += raised.value.wait.total_seconds()

        assert desk.verify(genuine, received_at=received_at)


class TestRefusing:
    def test_unsigned_ones_unless_they_are_accepted(self, desk, server):
        unsigned = InboundCallback(body=server.callback().body)

        with pytest.raises(CallbackRefused, match=UNSIGNED):
            desk.verify(unsigned)
        assert desk.verify(unsigned, accepts_unsigned=True) is False
        assert server.asked == 0

    def test_unsigned_ones_of_another_company(self, desk):
        def take(body):
            return desk.verify(InboundCallback(body=body), accepts_unsigned=True)

        assert take(b'{"CompanyId":" ACME"}') is take(b"{}") is take(b"no JSON") is False
        with pytest.raises(CallbackRefused, match="CompanyId"):
            take(b'{"CompanyId":"rival"}')

    def test_a_wrong_signature_where_none_is_needed(self, desk, server):
        with pytest.raises(CallbackRefused, match=FORGED):
            desk.verify(server.callback(key="wrong"), accepts_unsigned=True)

    def test_a_key_elsewhere_without_asking_there(self, desk, server):
        callback = server.callback()
        body = callback.body.replace(b"http://127.0.0.1", b"http://127.0.0.2")

        with pytest.raises(CallbackRefused, match=r"127\.0\.0\.2"):
            desk.verify(InboundCallback(body=body, signature=signature(body, key=server.key)))
        assert server.sink.connections == 0


class TestTrouble:
    def test_what_we_cannot_ask_for_is_no_attempt(self, desk, server):
        callback = server.callback()
        with no_more_files(), pytest.raises(KeyUnavailable) as unavailable:
            desk.verify(callback)
        assert (unavailable.value.counts, unavailable.value.is_unknown) == (False, False)

        server.say(answer(b"", "500 Oops"))
        desk.now += 3600
        with pytest.raises(KeyUnavailable) as unavailable:
            desk.verify(callback)
        assert unavailable.value.counts

    @pytest.mark.parametrize(
        ("said", "reason", "wait", "is_unknown"),
        [
            (answer(b"", "500 Trouble"), "500", 2, False),
            (answer(b"", "429 Slow down", "Retry-After: 40"), "429", 40, False),
            (answer(b"", "404 None"), "404", 2, True),
            (answer(b"", "302 Found", "Location: http://127.0.0.1:1/"), "redirects", 2, False),
            (answer(b"<html>"), "signing key", 2, False),
            (answer(b'{"signing_key":"%b"}' % (b"x" * 20_000)), "longer", 2, False),
            (b"", "broke the connection", 2, False),
        ],
    )
    def test_what_is_no_key_is_asked_for_again_in_a_while(self, desk, server, said, reason, wait, is_unknown):
        server.say(said)
        for _ in range(2):
            with pytest.raises(KeyUnavailable, match=reason) as raised:
                desk.verify(server.callback())
            assert (raised.value.wait, raised.value.is_unknown) == (timedelta(seconds=wait), is_unknown)
            assert raised.value.counts
        assert server.asked == 1
        desk.now += wait
        server.hold("first")

        assert desk.verify(server.callback())

    def test_a_server_that_does_not_answer_is_not_asked_for_other_keys_either(self, desk, server):
        server.say(answer(b"", "503 Away"))

        for key_id in "123":
            with pytest.raises(KeyUnavailable):
                desk.verify(server.callback(key_id))

        assert server.asked == 1

    def test_a_strange_answer_for_one_key_keeps_nobody_from_others(self, desk, server):
        server.say(answer(b"<html>"))
        with pytest.raises(KeyUnavailable):
            desk.verify(server.callback("invented"))
        server.hold("first")

        assert desk.verify(server.callback("1"))

    def test_invented_keys_are_asked_for_in_measure_and_known_ones_stay(self, desk, server):
        desk.verify(server.callback())
        desk.now += 1
        for number in range(200):
            with pytest.raises((KeyUnavailable, CallbackRefused)):
                desk.verify(server.callback(f"invented{number}", key="wrong"), received_at=desk.now - 1)
        assert server.asked == 20

        assert desk.verify(server.callback())
        with pytest.raises(KeyUnavailable) as raised:
            desk.verify(server.callback("rotated"))
        assert (raised.value.wait, raised.value.counts) == (timedelta(seconds=59), False)
        desk.now += 60
        assert desk.verify(server.callback("rotated"))
        assert server.asked == 21

    def test_a_key_that_proved_genuine_is_fetched_whatever_forgers_have_used_up(self, desk, server):
        desk.verify(server.callback())
        desk.now += 3600
        for number in range(30):
            with pytest.raises((KeyUnavailable, CallbackRefused)):
                desk.verify(server.callback(f"invented{number}", key="wrong"), received_at=desk.now - 1)

        assert desk.verify(server.callback())


def test_keys_are_not_shown():
    keys = Keys()
    with Sink() as sink:
        server = KeyServer(sink)
        url = CALLBACKS.key_url(server.callback(), server.connection())
        key = keys.get(url, account="acme", read=CALLBACKS.signing_key)

    assert key.text == "first"
    assert "first" not in repr(key)
