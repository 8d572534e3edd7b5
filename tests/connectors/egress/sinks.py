"""Small real servers on loopback that behave well or badly, one thread per connection."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

OK = b"HTTP/1.1 200 OK\r\nDate: Tue, 09 Jun 2026 21:59:47 GMT\r\nContent-Length: 2\r\n\r\n[]"


@dataclass(frozen=True)
class Received:
    """One request as it arrived."""

    line: str
    headers: dict[str, str]
    body: bytes


Reply = Callable[["Sink", Received], Iterator[bytes]]
"""Yields pieces of the answer; returning without having yielded closes the connection."""


def answering(*pieces: bytes) -> Reply:
    """Always the same answer; an empty last piece closes the connection after it."""

    def reply(_sink: Sink, _received: Received) -> Iterator[bytes]:
        yield from pieces

    return reply


def dripping(start: bytes, drop: bytes, *, every: float) -> Reply:
    """One `drop` per `every` seconds, for ever."""

    def reply(sink: Sink, _received: Received) -> Iterator[bytes]:
        yield start
        while not sink.stopping.wait(every):
            yield drop

    return reply


def silent(sink: Sink, _received: Received) -> Iterator[bytes]:
    sink.stopping.wait()
    yield b""


@dataclass
class Sink:
    """A server that counts what reaches it."""

    reply: Reply = field(default_factory=lambda: answering(OK))
    tls: ssl.SSLContext | None = None
    host: str = "127.0.0.1"
    port: int = 0
    connections: int = 0
    received: list[Received] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Sink:
        self._listener = socket.create_server((self.host, self.port))
        self.port = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stopping.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._accepting.join(5)

    def url(self, path: str = "/", *, host: str | None = None) -> str:
        return f"{'https' if self.tls else 'http'}://{host or self.host}:{self.port}{path}"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                stream = self.tls.wrap_socket(connection, server_side=True) if self.tls else connection
                with stream.makefile("rb") as reader:
                    while not self.stopping.is_set() and (received := _read(reader)):
                        self.received.append(received)
                        last = b""
                        for last in self.reply(self, received):
                            stream.sendall(last)
                        if not last:
                            break
                if self.tls:
                    stream.close()
        except OSError:
            pass  # the client went away, which is what many of these tests are about
        finally:
            self._open.discard(connection)


def _read(reader) -> Received | None:
    line = reader.readline()
    if not line:
        return None
    headers = {}
    while (header := reader.readline()) not in (b"\r\n", b""):
        name, _, value = header.decode("latin-1").partition(":")
        headers[name.strip()] = value.strip()
    lengths = [int(value) for name, value in headers.items() if name.lower() == "content-length"]
    return Received(line.decode("latin-1").strip(), headers, reader.read(lengths[0]) if lengths else b"")
