"""A small threaded HTTP/1.1 server for this machine: the sandbox and the callback receiver are built on it.

One thread a connection, keep-alive, no header objects: `http.server` spends more time on a request's headers than
the sandbox does on its answer. It listens on 127.0.0.1 only, and can break its answers on purpose.
"""

from __future__ import annotations

import contextlib
import logging
import select
import selectors
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import BinaryIO, cast
from urllib.parse import unquote

logger = logging.getLogger(__name__)

LARGEST_HEADER_LINE = 64 * 1024
LARGEST_BODY = 64 * 1024 * 1024
NO_BODY = frozenset({204, 304})
PHRASES = {status.value: status.phrase for status in HTTPStatus}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, read to its end."""

    method: str
    path: str
    """Percent-decoded, without the query."""
    query: str
    """As sent, still encoded, without the question mark."""
    headers: Mapping[str, str]
    """Names in lower case; repeated headers are joined with a comma."""
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer, and how to spoil its transport."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    delay: float = 0.0
    """Seconds to wait before the first byte."""
    cut_after: int | None = None
    """Send this many bytes of the body, whose whole length was promised, and close."""
    seconds_per_byte: float = 0.0
    is_dropped: bool = False
    """Close the connection without a word."""


class MalformedRequest(ValueError):
    """What came in is no HTTP request that this server takes."""


class LocalServer:
    """Answers each request by `handler`, which is called from many threads."""

    def __init__(self, handler: Callable[[Request], Answer], *, port: int = 0) -> None:
        """Takes the port at once; port 0 picks a free one. Raises OSError when it is taken."""
        self._handler = handler
        self._listener = socket.create_server(("127.0.0.1", port), backlog=1024)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._stopping = threading.Event()
        self._wake, self._woken = socket.socketpair()
        self._connections: dict[threading.Thread, socket.socket] = {}
        self._lock = threading.Lock()
        self._acceptor = threading.Thread(target=self._accept, name=f"server-{self.port}", daemon=True)
        self.failures: list[Exception] = []
        """What a handler raised; the client was answered 500."""

    def start(self) -> None:
        self._acceptor.start()

    def stop(self) -> None:
        """Take no more, cut what is open, and return when every thread has ended. A second call does nothing."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._wake.send(b"!")
        if self._acceptor.ident is not None:
            self._acceptor.join(5)
        # The acceptor may have ended by itself, so none of these is its to close.
        for taken in (self._listener, self._wake, self._woken):
            taken.close()
        with self._lock:
            connections = dict(self._connections)
        for connection in connections.values():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in connections:
            if thread is not threading.current_thread():
                thread.join(5)

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while not self._stopping.is_set():
                selector.select()
                if self._stopping.is_set():
                    return
                try:
                    connection, _ = self._listener.accept()
                except OSError:  # the client was gone again
                    continue
                connection.setblocking(True)
                thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
                with self._lock:
                    self._connections[thread] = connection
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, _reader(connection) as reader, contextlib.suppress(OSError):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                while not self._stopping.is_set() and self._serve_one(connection, reader):
                    pass
        finally:
            with self._lock:
                self._connections.pop(threading.current_thread(), None)

    def _serve_one(self, connection: socket.socket, reader: BinaryIO) -> bool:
        """Whether the connection stays open."""
        try:
            incoming = _read_request(reader, connection)
        except MalformedRequest as malformed:
            self._send(connection, Answer(status=400, body=str(malformed).encode()), method="GET", keeps_alive=False)
            _drain(connection)
            return False
        if incoming is None:
            return False
        request, keeps_alive = incoming
        try:
            answer = self._handler(request)
        except Exception as failure:
            logger.exception("the local server's handler failed", extra={"method": request.method})
            self.failures.append(failure)
            answer = Answer(status=500, body=f"{type(failure).__name__}: {failure}".encode())
        return self._send(connection, answer, method=request.method, keeps_alive=keeps_alive)

    def _send(self, connection: socket.socket, answer: Answer, *, method: str, keeps_alive: bool) -> bool:
        if answer.delay and _has_gone_within(connection, answer.delay):
            return False
        if answer.is_dropped or self._stopping.is_set():
            return False
        keeps_alive = keeps_alive and answer.cut_after is None
        head = _head(answer, keeps_alive=keeps_alive)
        body = b"" if method == "HEAD" or answer.status in NO_BODY else answer.body[: answer.cut_after]
        if answer.seconds_per_byte:
            connection.sendall(head)
            for position in range(len(body)):
                if self._stopping.wait(answer.seconds_per_byte):
                    return False
                connection.sendall(body[position : position + 1])
        elif len(body) < 64 * 1024:
            connection.sendall(head + body)
        else:
            connection.sendall(head)
            connection.sendall(body)
        return keeps_alive


def _reader(connection: socket.socket) -> BinaryIO:
    return cast(BinaryIO, connection.makefile("rb", 64 * 1024))


def _has_gone_within(connection: socket.socket, seconds: float) -> bool:
    """Wait for so long, or until the client closes or this server stops, which closes the connection too."""
    # Elsewhere than on Linux it is seen only when both sides have closed.
    poll = select.poll()
    poll.register(connection, getattr(select, "POLLRDHUP", 0))
    return bool(poll.poll(seconds * 1000))


def _drain(connection: socket.socket) -> None:
    """Closing on bytes that were not read would reset the connection, and the client would lose our answer."""
    connection.shutdown(socket.SHUT_WR)
    connection.settimeout(1)
    for _ in range(64):
        if not connection.recv(64 * 1024):
            return


def _head(answer: Answer, *, keeps_alive: bool) -> bytes:
    lines = [f"HTTP/1.1 {answer.status} {PHRASES.get(answer.status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in answer.headers]
    if answer.status not in NO_BODY:
        lines.append(f"Content-Length: {len(answer.body)}")
    if not keeps_alive:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def _read_request(reader: BinaryIO, connection: socket.socket) -> tuple[Request, bool] | None:
    """The next request and whether the connection stays open behind it; None when the client has gone."""
    line = reader.readline(LARGEST_HEADER_LINE)
    if not line.endswith(b"\n"):
        if len(line) == LARGEST_HEADER_LINE:
            raise MalformedRequest("The request line is too long.")
        return None
    try:
        method, target, version = line.decode("latin-1").split()
    except ValueError as unreadable:
        raise MalformedRequest("The request line is not METHOD TARGET VERSION.") from unreadable
    if version not in ("HTTP/1.1", "HTTP/1.0") or not target.startswith("/"):
        raise MalformedRequest("This server speaks HTTP/1.1 and takes targets that begin with a slash.")
    headers = _read_headers(reader)
    if headers.get("expect", "").lower() == "100-continue":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = _read_body(reader, headers)
    if body is None:
        return None
    path, _, query = target.partition("?")
    wishes = headers.get("connection", "").lower()
    keeps_alive = "close" not in wishes if version == "HTTP/1.1" else "keep-alive" in wishes
    decoded = unquote(path) if "%" in path else path
    return Request(method=method, path=decoded, query=query, headers=headers, body=body), keeps_alive


def _read_headers(reader: BinaryIO) -> dict[str, str]:
    headers: dict[str, str] = {}
    while True:
        line = reader.readline(LARGEST_HEADER_LINE)
        if line in (b"\r\n", b"\n"):
            return headers
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or not line.endswith(b"\n") or name != name.strip() or len(headers) > 200:
            raise MalformedRequest("A header line could not be read.")
        name, value = name.lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value


def _read_body(reader: BinaryIO, headers: Mapping[str, str]) -> bytes | None:
    """None when the client went away in the middle."""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return _read_chunks(reader)
    length = headers.get("content-length", "0")
    if not length.isascii() or not length.isdigit() or int(length) > LARGEST_BODY:
        raise MalformedRequest("Content-Length is no number, or too great.")
    body = reader.read(int(length))
    return body if len(body) == int(length) else None


def _read_chunks(reader: BinaryIO) -> bytes | None:
    chunks: list[bytes] = []
    total = 0
    while True:
        try:
            length = int(reader.readline(1024).split(b";")[0], 16)
        except ValueError as unreadable:
            raise MalformedRequest("A chunk's length could not be read.") from unreadable
        total += length
        if length < 0 or total > LARGEST_BODY:
            raise MalformedRequest("The chunks are too long.")
        if length == 0:
            while reader.readline(LARGEST_HEADER_LINE) not in (b"\r\n", b"\n", b""):
                pass
            return b"".join(chunks)
        chunk = reader.read(length)
        if len(chunk) < length:
            return None
        chunks.append(chunk)
        reader.readline(16)
