"""Connections for `exchange`: each resolves its name once, refuses what may not be reached, and pins what is left.

They also keep the two limits that hold for an exchange as a whole: a deadline by the clock, over resolving,
connecting, handshake, headers and body together, and a number of bytes off the wire. Both are kept where bytes
arrive, so that no slow or endless header, chunk or handshake gets around them.
"""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from connectors.egress.addresses import Address, Network
from connectors.egress.authorities import tls_context
from connectors.egress.destinations import Destination, refuse_unless_public
from connectors.egress.faults import is_own
from connectors.egress.resolver import Resolver
from connectors.errors import DestinationRefused, OwnFault, TryLater, UnusableAnswer

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

LONGEST_CONNECT_SECONDS = 10.0
# Its warning about malformed headers carries the whole URL, query string and all.
logging.getLogger("urllib3.connection").setLevel(logging.ERROR)


class Exchange:
    """What holds for one request and its answer."""

    def __init__(
        self, *, destination: Destination, allowed: Sequence[Network], resolver: Resolver, timeout: float, max_wire: int
    ) -> None:
        self.destination = destination
        self.allowed = allowed
        self.resolver = resolver
        self._deadline = time.monotonic() + timeout
        self._room = max_wire

    def seconds_left(self) -> float:
        """More than 0. Raises TimeoutError when the deadline has passed."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline has passed")
        return left

    def count(self, received: int) -> None:
        self._room -= received
        if self._room < 0:
            raise UnusableAnswer(f"{self.destination.host} sent more than we read")

    def addresses(self) -> Sequence[Address]:
        """Where to connect, best first. All of them were checked. Raises DestinationRefused, TryLater."""
        if self.destination.address is not None:
            found: Sequence[Address] = [self.destination.address]
        else:
            found = self.resolver.resolve(self.destination.host, timeout=self.seconds_left())
        refuse_unless_public(self.destination, found, allowed=self.allowed)
        return found


class _Current(threading.local):
    exchange: Exchange | None = None


_current = _Current()


@contextmanager
def exchanging(exchange: Exchange) -> Iterator[None]:
    """Connections of this thread work for `exchange` meanwhile."""
    _current.exchange = exchange
    try:
        yield
    finally:
        _current.exchange = None


def _exchange() -> Exchange:
    assert _current.exchange is not None, "connections of the egress door are used through fetch() only"
    return _current.exchange


class _Limited(socket.socket):
    """Every read and write has what is left until the deadline, and every byte read counts."""

    def recv_into(self, buffer: WriteableBuffer, nbytes: int = 0, flags: int = 0) -> int:
        exchange = _exchange()
        self.settimeout(exchange.seconds_left())
        received = super().recv_into(buffer, nbytes, flags)
        exchange.count(received)
        return received

    def send(self, data: ReadableBuffer, flags: int = 0) -> int:
        self.settimeout(_exchange().seconds_left())
        return super().send(data, flags)

    def sendall(self, data: ReadableBuffer, flags: int = 0) -> None:
        self.settimeout(_exchange().seconds_left())
        super().sendall(data, flags)


class _LimitedTLS(_Limited, ssl.SSLSocket):  # type: ignore[misc]
    """The same over TLS (the method resolution order puts the limits first)."""


def _connect(exchange: Exchange, *, port: int) -> socket.socket:
    addresses = exchange.addresses()
    deadline = time.monotonic() + min(LONGEST_CONNECT_SECONDS, exchange.seconds_left())
    failure, is_ours = "there is no address", False
    for tried, address in enumerate(addresses):
        share = (deadline - time.monotonic()) / (len(addresses) - tried)
        if share <= 0:
            break
        try:
            return _connected(exchange, address, port=port, share=share)
        except TimeoutError:
            failure, is_ours = "it does not answer", False
        except OSError as error:
            # What one of them says of itself counts for more than that we have no way to another.
            if not is_own(error) or failure == "there is no address":
                failure, is_ours = error.strerror or "no connection", is_own(error)
    raise (OwnFault if is_ours else TryLater)(f"{exchange.destination.host} cannot be reached: {failure}")


def _connected(exchange: Exchange, address: Address, *, port: int, share: float) -> socket.socket:
    """Raises OSError."""
    connection = _Limited(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_STREAM)
    try:
        connection.settimeout(share)
        connection.connect((str(address), port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(exchange.seconds_left())
    except OSError:
        connection.close()
        raise
    return connection


class _Pinned:
    """Replaces how urllib3 gets from a name to a socket."""

    host: str
    port: int

    def _new_conn(self) -> socket.socket:
        exchange = _exchange()
        # urllib3 reads the URL a second time; should it ever read another host than we checked, nothing is sent.
        if (self.host.strip("[]"), self.port) != (exchange.destination.host, exchange.destination.port):
            raise DestinationRefused(f"{exchange.destination.host} is written in a way that can be misread")
        return _connect(exchange, port=self.port)


class _PinnedHTTPConnection(_Pinned, HTTPConnection):
    pass


class _PinnedHTTPSConnection(_Pinned, HTTPSConnection):
    pass


class _PinnedHTTPPool(HTTPConnectionPool):
    ConnectionCls = _PinnedHTTPConnection


class _PinnedHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _PinnedHTTPSConnection


class PinnedAdapter(HTTPAdapter):
    """One thread's connections, kept alive: one per origin, for the 32 origins used last."""

    def __init__(self, *, ca_bundle: str) -> None:
        self._tls = tls_context(ca_bundle)
        self._tls.sslsocket_class = _LimitedTLS
        super().__init__(pool_connections=32, pool_maxsize=1)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: Any) -> None:
        super().init_poolmanager(connections, maxsize, block, ssl_context=self._tls, **pool_kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _PinnedHTTPPool, "https": _PinnedHTTPSPool}

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Nothing to add: the context verifies. What this replaces reads the bundle again for every connection."""
