"""One libcurl transfer of a `Sender`: its fixed options, what is read of the answer, what goes into the headers."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

import pycurl

from connectors.egress.addresses import Address
from connectors.egress.exchange import USER_AGENT
from connectors.egress.faults import OWN_ERRNOS
from connectors.egress.outbound import CONNECT, DNS, INTERNAL, PROTOCOL, REFUSED_DESTINATION, TIMEOUT, TLS

EXCERPT_BYTES = 2 * 1024
READ_BYTES = 64 * 1024
LONGEST_ERROR = 300
# A connection in constant use would otherwise never notice that its name moved.
LONGEST_CONNECTION_LIFE_SECONDS = 300

ERROR_CLASSES = {
    pycurl.E_COULDNT_RESOLVE_HOST: DNS,
    pycurl.E_COULDNT_CONNECT: CONNECT,
    pycurl.E_INTERFACE_FAILED: CONNECT,
    pycurl.E_OPERATION_TIMEDOUT: TIMEOUT,
    pycurl.E_SSL_CONNECT_ERROR: TLS,
    pycurl.E_PEER_FAILED_VERIFICATION: TLS,
    pycurl.E_SSL_CERTPROBLEM: TLS,
    pycurl.E_SSL_CIPHER: TLS,
    pycurl.E_SSL_ISSUER_ERROR: TLS,
    pycurl.E_SSL_INVALIDCERTSTATUS: TLS,
    pycurl.E_SSL_CACERT_BADFILE: INTERNAL,
    pycurl.E_OUT_OF_MEMORY: INTERNAL,
    pycurl.E_BAD_FUNCTION_ARGUMENT: INTERNAL,
    pycurl.E_FAILED_INIT: INTERNAL,
    pycurl.E_URL_MALFORMAT: INTERNAL,
    pycurl.E_ABORTED_BY_CALLBACK: INTERNAL,
}


class Slot:
    """A reused easy handle and what its present transfer has brought."""

    __slots__ = (
        "addresses",
        "began",
        "excerpt",
        "fault",
        "handle",
        "has_refused",
        "head",
        "key",
        "on_connection",
        "received",
        "started_at",
        "timeout_ms",
        "url",
    )

    def __init__(self, ca_file: str, *, connect_timeout: float, on_connection: Callable[[socket.socket], None]) -> None:
        self.handle = pycurl.Curl()
        self.on_connection = on_connection
        self.head: list[bytes] = []
        self.excerpt = b""
        self.received = 0
        self.key = 0
        self.url = ""
        self.timeout_ms = 0
        self.addresses: frozenset[Address] = frozenset()
        self.has_refused = False
        self.fault: OSError | None = None
        self.began = 0.0
        self.started_at = datetime.min.replace(tzinfo=UTC)
        for option, value in (
            (pycurl.NOSIGNAL, 1),
            (pycurl.POST, 1),
            (pycurl.FOLLOWLOCATION, 0),
            (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
            (pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
            # No proxies, whatever http_proxy and its kin in the environment say.
            (pycurl.PROXY, ""),
            (pycurl.NOPROXY, "*"),
            (pycurl.CONNECTTIMEOUT_MS, max(1, int(connect_timeout * 1000))),
            (pycurl.MAXLIFETIME_CONN, LONGEST_CONNECTION_LIFE_SECONDS),
            (pycurl.SSL_VERIFYPEER, 1),
            (pycurl.SSL_VERIFYHOST, 2),
            (pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2),
            # A file, not a blob: libcurl then reads it once for many connections.
            (pycurl.CAINFO, ca_file),
            (pycurl.USERAGENT, USER_AGENT),
            (pycurl.OPENSOCKETFUNCTION, self.open),
            (pycurl.WRITEFUNCTION, self.read),
            (pycurl.HEADERFUNCTION, self.head.append),
        ):
            self.handle.setopt(option, value)

    def clear(self) -> None:
        """Ready for the next transfer; options and connections stay."""
        self.head.clear()
        self.excerpt = b""
        self.received = 0
        self.has_refused = False
        self.fault = None

    def connected_for(self, now: float) -> float:
        """Seconds since the connection stood, or was taken up again; 0 while it is being made."""
        after = self.handle.getinfo(pycurl.PRETRANSFER_TIME)
        return now - self.began - after if after else 0.0

    @property
    def is_full(self) -> bool:
        """The transfer ended because we had read enough of the answer."""
        return self.received > READ_BYTES

    def read(self, piece: bytes) -> int | None:
        """Called by libcurl for each piece of the body. 0 ends the transfer: we have seen enough."""
        self.received += len(piece)
        if len(self.excerpt) < EXCERPT_BYTES:
            self.excerpt = (self.excerpt + piece)[:EXCERPT_BYTES]
        return 0 if self.received > READ_BYTES else None

    def retry_after(self) -> str | None:
        """The header as it came, of the final answer (interim ones, 1xx, come before it)."""
        for line in reversed(self.head):
            name, _, value = line.partition(b":")
            if name.strip().lower() == b"retry-after":
                return value.strip().decode("latin-1")[:100]
            if line.startswith(b"HTTP/"):
                break
        return None

    def open(self, _purpose: int, address: Any) -> Any:
        """Called by libcurl for each new connection: the last word on where it goes."""
        family, kind, protocol, peer = address
        if ip_address(peer[0]) not in self.addresses:
            self.has_refused = True
            return pycurl.SOCKET_BAD
        try:
            made = socket.socket(family, kind, protocol)
            self.on_connection(made)
        except OSError as error:
            self.fault = error
            return pycurl.SOCKET_BAD
        return made

    def failure(self, code: int, message: str) -> tuple[str, str]:
        """Error class and text of a transfer that libcurl ended with `code`."""
        if code == pycurl.E_COULDNT_CONNECT:
            if self.has_refused:
                return REFUSED_DESTINATION, "The connection would have gone to an address that was not checked"
            fault = self.fault.errno if self.fault is not None else self.handle.getinfo(pycurl.OS_ERRNO)
            if self.fault is not None or fault in OWN_ERRNOS:
                return INTERNAL, f"No connection could be made from here: {os.strerror(fault or 0)}"
        error_class = ERROR_CLASSES.get(code, PROTOCOL)
        return error_class, message[:LONGEST_ERROR] or f"The answer made no sense (libcurl's error {code})"


def header_lines(headers: Sequence[tuple[str, str]]) -> list[str | bytes]:
    """As libcurl wants them. Raises ValueError, without the value, for one that would break out of its line."""
    texts = [f"{name}: {value}" if value else f"{name};" for name, value in headers]
    joined = "".join(texts)  # one look instead of one per header
    if "\n" in joined or "\r" in joined or "\0" in joined:
        raise ValueError("A header of the request contains a line break")
    lines: list[str | bytes] = [*texts] if joined.isascii() else [text.encode() for text in texts]
    # libcurl adds these two of its own accord unless told otherwise.
    lines.append("Expect:")
    if not any(len(name) == 12 and name.lower() == "content-type" for name, _ in headers):
        lines.append("Content-Type:")
    return lines
