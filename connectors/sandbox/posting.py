"""One POST with one deadline for all of it: a server that drips its answer is as late as one that says nothing."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from urllib.parse import quote, urlsplit

LARGEST_ANSWER = 1024 * 1024
NO_BODY = frozenset({204, 304})


class UnreadableAnswer(OSError):
    """What came back is no HTTP answer, or not all of one."""


def post(
    url: str,
    *,
    body: bytes,
    headers: Mapping[str, str],
    timeout: float,
    holding: Callable[[socket.socket], AbstractContextManager[object]],
) -> int:
    """The status of the answer, once it was read to its end. Follows no redirect.

    `holding` is told of the socket for as long as it is in use, so that another thread can cut it. Raises OSError for
    whatever goes wrong, TimeoutError when `timeout` seconds are over.
    """
    parts = urlsplit(url)
    is_secure = parts.scheme == "https"
    deadline = time.monotonic() + timeout
    port = parts.port or (443 if is_secure else 80)
    target = quote(f"{parts.path or '/'}?{parts.query}", safe="%/:=&?~+!$,;'@()*[]|")
    lines = [f"POST {target} HTTP/1.1", f"Host: {parts.netloc.rpartition('@')[2]}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(body)}", "Connection: close"]
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
    with socket.create_connection((str(parts.hostname), port), timeout=timeout) as plain:
        wire = _secured(plain, str(parts.hostname)) if is_secure else plain
        with wire, holding(wire):
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            wire.settimeout(_left(deadline))
            wire.sendall(head + body)
            return _status(wire, deadline)


def _secured(plain: socket.socket, host: str) -> socket.socket:
    return ssl.create_default_context().wrap_socket(plain, server_hostname=host)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


def _status(wire: socket.socket, deadline: float) -> int:
    received = b""
    while True:
        head, is_whole, rest = received.partition(b"\r\n\r\n")
        if is_whole:
            status = _number(head.split(b"\r\n")[0].split(b" ")[1:2])
            length = None if status >= 200 and status not in NO_BODY else 0
            for line in head.split(b"\r\n")[1:]:
                name, _, value = line.partition(b":")
                if name.strip().lower() == b"content-length" and length is None:
                    length = _number([value.strip()])
            if status < 200:
                received = rest  # such as 100 Continue: the real one follows
                continue
            if length is not None and len(rest) >= length:
                return status
        wire.settimeout(_left(deadline))
        chunk = wire.recv(64 * 1024)
        if not chunk:
            if is_whole and length is None:
                return status
            raise UnreadableAnswer("closed before the answer's end")
        received += chunk
        if len(received) > LARGEST_ANSWER:
            raise UnreadableAnswer("the answer is too long")


def _number(parts: list[bytes]) -> int:
    if not parts or not parts[0].isdigit():
        raise UnreadableAnswer("no HTTP answer")
    return int(parts[0])
