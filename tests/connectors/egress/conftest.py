from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from connectors.egress import OutboundRequest, Resolver, Sender, fetch
from connectors.errors import DestinationRefused, TryLater
from tests.connectors.egress.sinks import Sink

HOUR = timedelta(hours=1)


@pytest.fixture
def start() -> Iterator[Callable[..., Sink]]:
    """Start a Sink with the given behaviour; it ends with the test."""
    with ExitStack() as running:

        def start_one(*args, **kwargs) -> Sink:
            return running.enter_context(Sink(*args, **kwargs))

        yield start_one


@pytest.fixture
def canary(start: Callable[..., Sink]) -> Sink:
    """A server on loopback that nothing may reach."""
    sink: Sink = start()
    return sink


@pytest.fixture
def start_beside_canary(start) -> Callable[..., tuple[Sink, Sink]]:
    """A Sink on 127.0.0.2 and a canary on the same port of 127.0.0.1."""

    def start_both(*args, **kwargs) -> tuple[Sink, Sink]:
        for _ in range(20):
            sink = start(*args, host="127.0.0.2", **kwargs)
            try:
                return sink, start(host="127.0.0.1", port=sink.port)
            except OSError:  # somebody else has that port
                continue
        raise AssertionError("no port is free on both addresses")

    return start_both


@dataclass(frozen=True)
class Result:
    kind: str
    """answered, refused (before anything is sent) or failed."""
    status: int | None
    error: str
    error_class: str = ""


def _by_fetch(url: str, *, resolver: Resolver | None = None, timeout: float = 5.0) -> Result:
    try:
        answer = fetch("POST", url, headers={}, body=b"{}", timeout=timeout, resolver=resolver)
    except DestinationRefused as refused:
        return Result("refused", None, str(refused))
    except TryLater as failed:
        return Result("failed", failed.status, str(failed))
    return Result("answered", answer.status, "")


def _by_sender(url: str, *, resolver: Resolver | None = None, timeout: float = 5.0) -> Result:
    sender = Sender(4, timeout=timeout, resolver=resolver)
    try:
        sender.start(OutboundRequest(1, url, (("Content-Type", "application/json"),), b"{}"))
        [outcome] = sender.wait(timeout + 5)
    finally:
        sender.close()
    kind = {"": "answered", "refused_destination": "refused"}.get(outcome.error_class, "failed")
    return Result(kind, outcome.status, outcome.error, outcome.error_class)


@pytest.fixture(params=[_by_fetch, _by_sender], ids=["fetch", "Sender"])
def send(request) -> Callable[..., Result]:
    """Send one POST through either half of the door."""
    door: Callable[..., Result] = request.param
    return door


@dataclass(frozen=True)
class Authority:
    """A certificate authority of our own, for servers under test."""

    directory: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def bundle(self) -> str:
        return str(self.directory / "authority.pem")

    def server_context(self, *names: str, is_self_signed: bool = False) -> ssl.SSLContext:
        """A server that proves to be `names` (names or addresses)."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(names[0])
        certificate = _certificate(
            subject,
            key,
            issuer=subject if is_self_signed else self.certificate.subject,
            signed_with=key if is_self_signed else self.key,
            names=names,
        )
        path = self.directory / f"{names[0]}-{is_self_signed}.pem"
        path.write_bytes(_private(key) + certificate.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


@pytest.fixture(scope="session")
def authority(tmp_path_factory) -> Authority:
    directory = tmp_path_factory.mktemp("authority")
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate(_name("Test authority"), key, issuer=_name("Test authority"), signed_with=key)
    (directory / "authority.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return Authority(directory, key, certificate)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _certificate(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    *,
    issuer: x509.Name,
    signed_with: ec.EllipticCurvePrivateKey,
    names: tuple[str, ...] = (),
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - HOUR)
        .not_valid_after(now + HOUR)
        .add_extension(x509.BasicConstraints(ca=not names, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signed_with.public_key()), critical=False)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([_alternative(name) for name in names]), False)
    else:
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        builder = builder.add_extension(usage, critical=True)
    return builder.sign(signed_with, hashes.SHA256())


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
