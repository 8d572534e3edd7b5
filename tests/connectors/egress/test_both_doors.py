"""What holds for one request at a time and for many at once: where we do not go, and whom we do not believe."""

from __future__ import annotations

import time
from ipaddress import ip_network

import pytest

from connectors.egress import Resolver
from tests.connectors.egress.sinks import OK, Sink, answering, dripping, silent
from tests.connectors.egress.test_destinations import ODD_LOOPBACKS


class Answers:
    """A name server that gives each answer once, then the last one again, and counts questions."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, name: str) -> list[str]:
        self.asked.append(name)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def resolver(self) -> Resolver:
        return Resolver(self, remembered_seconds=0)


def test_no_spelling_of_loopback_reaches_it(send, canary, settings):
    settings.EGRESS_ALLOW_NETWORKS = []

    assert {send(f"http://{host}:{canary.port}/").kind for host in ODD_LOOPBACKS} == {"refused"}
    assert canary.connections == 0


def test_a_name_that_leads_to_loopback_is_refused(send, canary, settings):
    settings.EGRESS_ALLOW_NETWORKS = []

    result = send(canary.url(host="hooks.test"), resolver=Answers(["127.0.0.1"]).resolver())

    assert result.kind == "refused"
    assert "hooks.test leads to a loopback address" in result.error
    assert canary.connections == 0


@pytest.mark.parametrize("answer", [["8.8.8.8", "127.0.0.1"], ["127.0.0.1", "8.8.8.8"], ["8.8.8.8", "::ffff:7f00:1"]])
def test_one_refused_address_among_public_ones_refuses_the_name(send, canary, settings, answer):
    settings.EGRESS_ALLOW_NETWORKS = []

    assert send(canary.url(host="hooks.test"), resolver=Answers(answer).resolver()).kind == "refused"
    assert canary.connections == 0


def test_a_name_is_asked_for_once_and_connected_to_as_answered(send, start_beside_canary, settings):
    settings.EGRESS_ALLOW_NETWORKS = [ip_network("127.0.0.2/32")]
    allowed, canary = start_beside_canary()
    names = Answers(["127.0.0.2"], ["127.0.0.1"])

    result = send(allowed.url(host="hooks.test"), resolver=names.resolver())

    assert result.status == 200
    assert names.asked == ["hooks.test"]
    assert [received.headers["Host"] for received in allowed.received] == [f"hooks.test:{allowed.port}"]
    assert canary.connections == 0


def test_a_name_that_moves_to_loopback_between_requests_is_refused_then(send, start_beside_canary, settings):
    settings.EGRESS_ALLOW_NETWORKS = [ip_network("127.0.0.2/32")]
    allowed, canary = start_beside_canary(answering(OK.replace(b"\r\n", b"\r\nConnection: close\r\n", 1), b""))
    resolver = Answers(["127.0.0.2"], ["127.0.0.1"]).resolver()

    assert send(allowed.url(host="hooks.test"), resolver=resolver).kind == "answered"
    assert send(allowed.url(host="hooks.test"), resolver=resolver).kind == "refused"
    assert canary.connections == 0


def test_the_next_address_is_tried_where_the_first_does_not_answer(send, start):
    sink = start(host="127.0.0.1")

    result = send(sink.url(host="hooks.test"), resolver=Answers(["127.0.0.3", "127.0.0.1"]).resolver())

    assert result.status == 200


def test_a_name_without_address_fails_and_may_be_asked_again(send):
    def unknown(name: str) -> list[str]:
        raise OSError(-2, "Name or service not known")

    result = send("http://nowhere.test/", resolver=Resolver(unknown))

    assert result.kind == "failed"
    assert result.error == "The address of nowhere.test could not be found: Name or service not known"
    assert result.error_class in ("dns", "")


def test_an_answer_that_is_no_address_fails(send):
    assert send("http://nowhere.test/", resolver=Answers(["not an address"]).resolver()).kind == "failed"
    assert send("http://nowhere.test/", resolver=Answers([]).resolver()).kind == "failed"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_is_not_followed(send, start, canary, status):
    location = canary.url("/stolen").encode()
    moved = b"HTTP/1.1 %d Moved\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % (status, location)
    sink = start(answering(moved))

    assert send(sink.url("/hook")).status == status
    assert [received.line for received in sink.received] == ["POST /hook HTTP/1.1"]
    assert canary.connections == 0


def test_proxies_of_the_environment_are_not_used(send, start, canary, monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, canary.url())
        monkeypatch.setenv(name.lower(), canary.url())
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    sink = start()

    assert send(sink.url()).status == 200
    assert send(sink.url(host="hooks.test"), resolver=Answers(["127.0.0.1"]).resolver()).status == 200
    assert canary.connections == 0


def test_passwords_of_the_environment_are_not_sent(send, start, monkeypatch, tmp_path):
    sink = start()
    (tmp_path / ".netrc").write_text(f"machine {sink.host} login someone password secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))

    assert send(sink.url()).status == 200
    assert "Authorization" not in sink.received[0].headers


def test_a_certificate_of_a_known_authority_is_believed(send, start, authority, settings):
    settings.EGRESS_CA_BUNDLE = authority.bundle
    sink = start(tls=authority.server_context("hooks.test", "127.0.0.1"))

    assert send(sink.url()).status == 200
    assert send(sink.url(host="hooks.test"), resolver=Answers(["127.0.0.1"]).resolver()).status == 200


@pytest.mark.parametrize(
    "names, is_self_signed, reason",
    [
        (("hooks.test",), True, "self-signed"),
        (("other.test",), False, "hooks.test"),
    ],
    ids=["self-signed", "another host's"],
)
def test_a_certificate_that_proves_nothing_is_not_believed(
    send, start, authority, settings, names, is_self_signed, reason
):
    settings.EGRESS_CA_BUNDLE = authority.bundle
    sink = start(tls=authority.server_context(*names, is_self_signed=is_self_signed))

    result = send(sink.url(host="hooks.test"), resolver=Answers(["127.0.0.1"]).resolver())

    assert result.kind == "failed"
    assert result.error_class in ("tls", "")
    assert "certificate" in result.error.lower()
    assert reason in result.error
    assert sink.received == []


def test_an_authority_that_the_operator_did_not_name_is_not_believed(send, start, authority):
    sink = start(tls=authority.server_context("127.0.0.1"))

    assert send(sink.url()).kind == "failed"
    assert sink.received == []


def test_an_address_must_be_in_the_certificate_too(send, start, authority, settings):
    settings.EGRESS_CA_BUNDLE = authority.bundle
    sink = start(tls=authority.server_context("hooks.test"))

    assert send(sink.url()).kind == "failed"
    assert sink.received == []


@pytest.mark.parametrize(
    "reply",
    [
        silent,
        dripping(b"HTTP/1.1 200 ", b"O", every=0.05),
        dripping(b"HTTP/1.1 200 OK\r\n", b"X-Drop: 1\r\n", every=0.05),
        dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"x", every=0.05),
        dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", every=0.05),
        dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1", every=0.05),
        dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n", every=0.05),
        dripping(b"HTTP/1.1 200 OK\r\n\r\n", b"x", every=0.05),
    ],
    ids=["silence", "status", "headers", "body", "chunks", "chunk size", "interim answers", "endless body"],
)
def test_a_slow_answer_ends_at_the_deadline(send, start, reply):
    sink = start(reply)

    began = time.monotonic()
    result = send(sink.url("/slow?secret=1"), timeout=0.6)
    took = time.monotonic() - began

    assert result.kind == "failed"
    assert result.error_class in ("timeout", "")
    assert 0.5 < took < 1.6
    assert "secret" not in result.error


def test_a_handshake_that_never_comes_ends_at_the_deadline(send, start):
    sink = start(silent)
    began = time.monotonic()

    result = send(f"https://127.0.0.1:{sink.port}/", timeout=0.6)

    assert result.kind == "failed"
    assert time.monotonic() - began < 1.6


@pytest.mark.parametrize(
    "reply",
    [
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", b""),
        answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", b""),
        answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\nhello", b""),
        answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n", b""),
        answering(b""),
        answering(b"SSH-2.0-OpenSSH_9.2\r\n", b""),
        answering(b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 200_000 + b"\r\n", b""),
        answering(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 3_000_000 + b"\r\n\r\n", b""),
    ],
    ids=["length", "chunks", "chunk", "chunk size", "nothing", "no HTTP", "too many headers", "too long a header"],
)
def test_an_answer_that_breaks_off_or_makes_no_sense_fails(send, start, reply):
    result = send(start(reply).url("/?secret=1"))

    assert result.kind == "failed"
    assert result.error_class in ("protocol", "")
    assert result.error
    assert "secret" not in result.error


def test_a_port_where_nobody_listens_fails(send):
    with Sink() as sink:
        url = sink.url()
    result = send(url)

    assert result.kind == "failed"
    assert result.error_class in ("connect", "")
