"""On the cloud, the host as given is tried first, then the one for programs; elsewhere nobody else is asked."""

from __future__ import annotations

import http.client
from collections.abc import Iterator

import pytest

from connectors import hub
from connectors.connection import Connection
from connectors.egress import Resolver
from connectors.egress import resolver as resolvers
from connectors.errors import ConnectorError, CredentialsRefused, RateLimited, RecordNotFound, RequestRefused, TryLater
from connectors.sandbox import Sandbox
from tests.connectors.egress.conftest import authority  # noqa: F401 (a fixture)
from tests.connectors.egress.sinks import Received, Sink
from tests.connectors.elements.connectwisehd.accounts import connection_to

PEOPLE, PROGRAMS = "na.myconnectwise.net", "api-na.myconnectwise.net"
ON_PREMISE = "cw.acme.example"


def http_answer(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", "Date: Tue, 09 Jun 2026 21:59:47 GMT", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


SSL_REQUIRED = http_answer("400 Bad Request", b'{"code":"Security","message":"SSL is required.","errors":null}')
NO_PAGE = http_answer("404 Not Found", b"<html>404</html>")
SIGN_IN = http_answer("200 OK", b"<html>Sign in</html>")
ELSEWHERE = http_answer("302 Found", b"", "Location: https://na.myconnectwise.net/login")
UNAUTHORIZED = http_answer("401 Unauthorized", b'{"code":"Unauthorized","message":"no"}')
THROTTLED = http_answer("429 Too Many Requests", b"{}", "Retry-After: 7")
BROKEN = b""


class Cloud:
    """Hosts of one port, over TLS: each is scripted, or the sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.scripts: dict[str, bytes] = {}
        self.port = 0
        self.asked: list[tuple[str, str, str | None]] = []
        """Host, method and endpoint; the kind of credentials."""

    def reply(self, _sink: Sink, received: Received) -> Iterator[bytes]:
        host = received.headers["Host"].partition(":")[0]
        method, path, _ = received.line.split()
        endpoint = path.partition("?")[0].partition("/apis/3.0")[2]
        self.asked.append((host, f"{method} {endpoint}", received.headers.get("x-cw-usertype")))
        if host in self.scripts:
            if script := self.scripts[host]:
                yield script
            return
        connection = http.client.HTTPConnection(self.sandbox.url.partition("//")[2])
        connection.request(method, path, body=received.body or None, headers=received.headers)
        answer = connection.getresponse()
        body = answer.read()
        headers = [f"{name}: {value}" for name, value in answer.getheaders() if name.lower() != "content-length"]
        connection.close()
        yield http_answer(f"{answer.status} x", body, *headers).replace(b"Date: Tue, 09 Jun 2026 21:59:47 GMT\r\n", b"")

    def hosts(self) -> list[str]:
        """Who was asked, since the last look."""
        hosts = [host for host, _, _ in self.asked]
        self.asked.clear()
        return hosts

    def connection(self, host: str = PEOPLE) -> Connection:
        return connection_to(self.sandbox, url=f"{host}:{self.port}")


@pytest.fixture
def cloud(sandbox, authority, settings, monkeypatch) -> Iterator[Cloud]:  # noqa: F811
    cloud = Cloud(sandbox)
    settings.EGRESS_CA_BUNDLE = authority.bundle
    names = (PEOPLE, PROGRAMS, ON_PREMISE, f"api-{ON_PREMISE}")
    addresses = dict.fromkeys(names, "127.0.0.1")

    def lookup(name: str) -> list[str]:
        if name not in addresses:
            raise OSError(2, "Name or service not known")
        return [addresses[name]]

    monkeypatch.setattr(resolvers, "default", Resolver(lookup))
    with Sink(cloud.reply, tls=authority.server_context(*names)) as sink:
        cloud.port = sink.port
        yield cloud


@pytest.mark.parametrize("answer", [SSL_REQUIRED, NO_PAGE, SIGN_IN, ELSEWHERE, BROKEN])
def test_host_for_people_leads_to_the_one_for_programs_once(cloud, answer):
    cloud.scripts[PEOPLE] = answer
    connection = cloud.connection()

    connection.client().check()
    asked = cloud.hosts()
    assert asked[0] == PEOPLE
    assert set(asked[1:]) == {PROGRAMS}

    assert hub.count(connection, "contacts", where=None) == 23
    assert cloud.hosts() == [PROGRAMS]


def test_host_that_answers_is_the_one_to_use(cloud):
    connection = cloud.connection()

    assert hub.count(connection, "contacts", where=None) == 23
    with pytest.raises(RecordNotFound):
        hub.get(connection, "contacts", "99999")
    assert set(cloud.hosts()) == {PEOPLE}


def test_host_for_programs_has_no_sibling(cloud):
    cloud.scripts[PROGRAMS] = NO_PAGE

    with pytest.raises(RequestRefused, match=r"check the host in helpdesk\.connectwise\.server\.url"):
        cloud.connection(PROGRAMS).client().check()
    assert cloud.hosts() == [PROGRAMS]


@pytest.mark.parametrize("answer", [SSL_REQUIRED, NO_PAGE, SIGN_IN, BROKEN])
def test_credentials_never_go_to_a_sibling_outside_the_cloud(cloud, answer):
    cloud.scripts[ON_PREMISE] = answer

    with pytest.raises(ConnectorError):
        cloud.connection(ON_PREMISE).client().check()
    assert cloud.hosts() == [ON_PREMISE]


def test_nothing_is_written_while_trying(cloud):
    cloud.scripts[PEOPLE] = NO_PAGE

    cloud.connection().client().request("DELETE", "/company/contacts/7")

    assert [(host, call) for host, call, _ in cloud.asked] == [
        (PEOPLE, "GET /system/info"),
        (PROGRAMS, "GET /system/info"),
        (PROGRAMS, "GET /system/info"),
        (PROGRAMS, "DELETE /company/contacts/7"),
    ]
    assert [kind for _, _, kind in cloud.asked] == ["integrator", "integrator", None, None]


def test_refused_credentials_are_refused_without_asking_the_sibling(cloud):
    cloud.scripts[PEOPLE] = UNAUTHORIZED

    with pytest.raises(CredentialsRefused):
        cloud.connection().client().check()
    assert cloud.hosts() == [PEOPLE, PEOPLE]


def test_throttling_is_no_reason_to_ask_elsewhere(cloud):
    cloud.scripts[PEOPLE] = THROTTLED

    with pytest.raises(RateLimited):
        cloud.connection().client().check()
    assert cloud.hosts() == [PEOPLE]


@pytest.mark.parametrize(
    ("people", "programs", "error", "words"),
    [
        (NO_PAGE, NO_PAGE, ConnectorError, "nothing at"),
        (SSL_REQUIRED, NO_PAGE, RequestRefused, "begin with api-"),
        (SSL_REQUIRED, BROKEN, TryLater, PROGRAMS),
        (SSL_REQUIRED, UNAUTHORIZED, CredentialsRefused, "both as an integrator"),
        (NO_PAGE, BROKEN, RequestRefused, "check the host"),
        (NO_PAGE, THROTTLED, RateLimited, "too many"),
        (BROKEN, BROKEN, TryLater, f"^{PEOPLE} "),
    ],
)
def test_when_neither_takes_the_call_the_error_is_the_one_that_helps(cloud, people, programs, error, words):
    cloud.scripts |= {PEOPLE: people, PROGRAMS: programs}

    with pytest.raises(error, match=words):
        cloud.connection().client().check()


def test_host_that_turns_into_one_for_people_is_found_out(cloud):
    connection = cloud.connection()
    connection.client().check()
    cloud.scripts[PEOPLE] = SSL_REQUIRED
    with pytest.raises(RequestRefused):
        connection.client().check()
    cloud.hosts()

    connection.client().check()
    assert cloud.hosts()[-1] == PROGRAMS
