"""Four budgets: whatever fails, and however, it is charged to whoever it belongs to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from django.db import DataError, OperationalError
from django.utils import timezone

from connectors.budgets import Budget
from connectors.egress import OutboundRequest, Resolver, Sender, fetch, raise_for_status
from connectors.errors import AlreadyRegistered, InvalidQuery, UnusableAnswer
from events.retries import ErrorClass, error_class_of
from instances.encryption import KeyMissing, decrypt_json, encrypt_json
from instances.models import Instance
from polling.budgets import budget_of
from polling.models import PollCursor
from polling.poll import OWN_FAULT
from tests.connectors.egress.sinks import Reply, Sink, answering, silent
from tests.polling.driving import cursor_of, poll
from tests.scarcity import no_more_files


def failing(code: int, *, knows: str = "") -> Callable[[], Resolver]:
    """A name server that fails with `code`, and before that knew another name."""

    def lookup(name: str) -> list[str]:
        if name == knows:
            return ["127.0.0.1"]
        raise socket.gaierror(code, "as the test wants it")

    def make() -> Resolver:
        resolver = Resolver(lookup)
        if knows:
            resolver.resolve(knows, timeout=5)
        return resolver

    return make


def answers(*pieces: bytes) -> Callable[[], Reply]:
    return lambda: answering(*pieces)


FAILURES: dict[str, Callable[[], object]] = {
    **{
        str(status): answers(b"HTTP/1.1 %d x\r\nContent-Length: 0\r\n\r\n" % status)
        for status in (204, 301, 302, 307, 308, 400, 401, 403, 404, 408, 409, 410, 413, 429, 500, 502, 503, 504, 599)
    },
    "another protocol": answers(b"SSH-2.0-OpenSSH_9.6\r\n", b""),
    "hangs up": answers(b""),
    "cut short": answers(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc", b""),
    "too long": answers(b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000),
    "silent": lambda: silent,
    "no TLS": lambda: "https://127.0.0.1:{plain}/",
    "nobody there": lambda: "http://127.0.0.1:2/",
    "private address": lambda: "http://10.0.0.1/",
    "address that can be misread": lambda: "http://1.2.3/",
    "port of another protocol": lambda: "http://127.0.0.1:25/",
    "no such name": failing(socket.EAI_NONAME),
    "its name server is away": failing(socket.EAI_AGAIN, knows="other.test"),
    "our name server is away": failing(socket.EAI_AGAIN),
    "our look-up breaks down": failing(socket.EAI_SYSTEM),
    "no more files": lambda: no_more_files,
}


@dataclass
class Scene:
    """One way to fail, made real."""

    url: str
    resolver: Resolver | None = None
    surroundings: Callable[[], AbstractContextManager[None]] = nullcontext


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with Sink() as running:
        yield running


@pytest.fixture(scope="module")
def plain() -> Iterator[int]:
    """The port of a server that says what it likes as soon as somebody connects."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    with listener.accept()[0] as connection:
                        connection.sendall(b"220 ready\r\n")

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def scene(request, sink, plain):
    made = FAILURES[request.param]()
    if isinstance(made, str):
        return Scene(made.format(plain=plain))
    if isinstance(made, Resolver):
        return Scene(f"http://hooks.test:{sink.port}/", resolver=made)
    if made is no_more_files:
        return Scene(sink.url(), surroundings=no_more_files)
    sink.reply = made
    return Scene(sink.url())


def attempted(scene: Scene, *, headers: tuple[tuple[str, str], ...] = ()) -> ErrorClass:
    """The class of one attempt at a callback URL."""
    sender = Sender(1, timeout=0.3, resolver=scene.resolver)
    try:
        with scene.surroundings():
            sender.start(OutboundRequest(1, scene.url, headers, b"{}"))
            [outcome] = sender.wait(5)
    finally:
        sender.close()
    return ErrorClass(outcome.error_class) or error_class_of(outcome.status or 0)


def refusal(scene: Scene) -> Exception:
    """What reading from a provider raises."""
    with scene.surroundings(), pytest.raises(Exception) as raised:
        raise_for_status(fetch("GET", scene.url, headers={}, timeout=0.3, max_bytes=1000, resolver=scene.resolver))
    return raised.value


OURS = ["our name server is away", "our look-up breaks down", "no more files"]
RECEIVERS = [
    *((status, ErrorClass.REDIRECT) for status in ("301", "302", "307", "308")),
    *((status, ErrorClass.HTTP_4XX) for status in ("400", "401", "403", "404", "408", "410", "413", "429")),
    *((status, ErrorClass.HTTP_5XX) for status in ("500", "502", "503", "504", "599")),
    ("another protocol", ErrorClass.PROTOCOL),
    ("hangs up", ErrorClass.PROTOCOL),
    ("cut short", ErrorClass.PROTOCOL),
    ("silent", ErrorClass.TIMEOUT),
    ("no TLS", ErrorClass.TLS),
    ("nobody there", ErrorClass.CONNECT),
    ("private address", ErrorClass.REFUSED_DESTINATION),
    ("address that can be misread", ErrorClass.REFUSED_DESTINATION),
    ("port of another protocol", ErrorClass.REFUSED_DESTINATION),
    ("no such name", ErrorClass.DNS),
    ("its name server is away", ErrorClass.DNS),
]
PROVIDERS = [
    *("302", "400", "404", "409", "429", "500", "502", "503"),
    *("another protocol", "hangs up", "cut short", "too long", "silent", "no TLS", "nobody there"),
    *("private address", "address that can be misread", "no such name", "its name server is away"),
]


@pytest.mark.parametrize(("scene", "error_class"), RECEIVERS, indirect=["scene"])
def test_what_a_receiver_does_is_charged_to_the_receiver(scene, error_class):
    found = attempted(scene)

    assert (found, found.budget) == (error_class, Budget.RECEIVER)


@pytest.mark.parametrize("scene", OURS, indirect=True)
def test_what_we_cannot_do_costs_no_receiver_an_attempt(scene):
    found = attempted(scene)

    assert (found, found.budget) == (ErrorClass.INTERNAL, Budget.OWN)


@pytest.mark.parametrize("scene", ["204"], indirect=True)
def test_a_success_is_charged_to_nobody_and_a_header_that_we_cannot_send_to_us(scene):
    assert attempted(scene).budget is None
    assert attempted(scene, headers=(("X-Key", "a\r\nb"),)).budget == Budget.OWN


@pytest.mark.parametrize("scene", ["401", "403"], indirect=True)
def test_credentials_that_a_provider_refuses_are_charged_to_the_credentials(scene):
    assert budget_of(refusal(scene)) == Budget.CREDENTIALS


@pytest.mark.parametrize("scene", PROVIDERS, indirect=True)
def test_what_a_provider_does_is_charged_to_reading(scene):
    assert budget_of(refusal(scene)) == Budget.PROVIDER_READ


@pytest.mark.parametrize("scene", OURS, indirect=True)
def test_what_we_cannot_do_is_not_charged_to_the_provider(scene):
    assert budget_of(refusal(scene)) == Budget.OWN


@pytest.mark.parametrize(
    ("error", "budget"),
    [
        (UnusableAnswer("HTML"), Budget.PROVIDER_READ),
        (InvalidQuery("where"), Budget.PROVIDER_READ),
        (AlreadyRegistered("twice"), Budget.PROVIDER_READ),
        (KeyMissing("FERNET_KEYS"), Budget.OWN),
        (OperationalError("the database is away"), Budget.OWN),
        (DataError("it does not fit"), Budget.OWN),
        (MemoryError(), Budget.OWN),
        (KeyError("a mistake"), Budget.OWN),
    ],
    ids=lambda value: type(value).__name__,
)
def test_errors_that_come_from_elsewhere_have_their_budget_too(error, budget):
    assert budget_of(error) == budget


@pytest.mark.django_db
def test_faults_of_ours_never_stop_polling_however_often_they_come(instance, settings):
    settings.POLL_FAILURES_BEFORE_DISABLING = 2
    readable = instance.configuration_encrypted
    Instance.objects.update(configuration_encrypted=Fernet(Fernet.generate_key()).encrypt(b"{}").decode())
    for _ in range(4):
        poll(instance)

    cursor = cursor_of(instance)
    assert (cursor.is_active, cursor.failures, cursor.last_error) == (True, 0, OWN_FAULT)
    assert timedelta(seconds=50) < cursor.next_poll_at - timezone.now() < timedelta(seconds=70)

    Instance.objects.update(configuration_encrypted=readable)
    poll(instance)
    assert cursor_of(instance).last_error == ""


@pytest.mark.django_db
def test_without_sockets_nothing_is_held_against_the_provider(instance):
    PollCursor.objects.update(failures=1)
    elsewhere = decrypt_json(instance.configuration_encrypted) | {"baseUrl": "http://127.0.0.1:2/v4_6_release/apis/3.0"}
    Instance.objects.update(configuration_encrypted=encrypt_json(elsewhere))
    with no_more_files():
        poll(instance)

    cursor = cursor_of(instance)
    assert cursor.failures == 1
    assert "Too many open files" in cursor.last_error
