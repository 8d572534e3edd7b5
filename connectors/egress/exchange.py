"""One request, one answer: how connectors talk to providers.

`requests` builds the request and its adapter keeps the connections; `requests.Session.send` is left out on purpose.
It would follow or pre-read redirects, keep cookies across tenants, and read proxies and passwords from the
environment.
"""

from __future__ import annotations

import http.client
import os
import ssl
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import requests
import urllib3
from django.conf import settings

from connectors.egress import resolver as resolvers
from connectors.egress import watching
from connectors.egress.connections import Exchange, PinnedAdapter, exchanging
from connectors.egress.deadlines import shortened
from connectors.egress.destinations import Destination, allowed_networks, check_url, parse
from connectors.egress.faults import is_own
from connectors.egress.resolver import Resolver
from connectors.errors import OwnFault, RequestRefused, TryLater, UnusableAnswer

USER_AGENT = "Switchyard/0.1"
DEFAULT_TIMEOUT = 30.0
DEFAULT_MAX_BYTES = 32 * 1024 * 1024
READ_SIZE = 64 * 1024
# Headers, chunk sizes and trailers come on top of a body; a longer preamble than this is no answer.
FRAMING_ROOM = 1024 * 1024

_BROKEN = (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A complete answer, whatever its status."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    """Case-insensitive."""
    body: bytes = field(repr=False)
    """Decompressed."""

    @property
    def date(self) -> datetime | None:
        """The other side's clock (`Date` header, UTC, whole seconds); None if it is missing or unreadable."""
        return http_date(self.headers.get("Date"))


def http_date(text: str | None) -> datetime | None:
    """An HTTP date as a moment in UTC."""
    try:
        moment = parsedate_to_datetime(text or "")
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def fetch(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    max_bytes: int = DEFAULT_MAX_BYTES,
    resolver: Resolver | None = None,
) -> Answer:
    """Send one request and read the whole answer. Redirects are answers like any other.

    `timeout` is in seconds for everything together, less where a `deadline` is nearer; `max_bytes` counts the
    decompressed body. Raises DestinationRefused, RequestRefused (a header that cannot be sent), TryLater (no answer)
    and UnusableAnswer (an answer cut short, too long, too slow or in an encoding nobody asked for).
    """
    check_url(url)
    timeout = shortened(timeout)
    destination = parse(url)
    request = _prepare(method, destination, headers, body)
    exchange = Exchange(
        destination=destination,
        allowed=allowed_networks(),
        resolver=resolver or resolvers.default,
        timeout=timeout,
        max_wire=max_bytes + max_bytes // 2 + FRAMING_ROOM,
    )
    watching.note_request(method, destination.url, request.headers, body)
    with exchanging(exchange):
        try:
            response = _adapter().send(request, stream=True, timeout=timeout, proxies={})
        except _BROKEN as error:
            raise _no_answer(destination, error, timeout) from None
        watching.note_answer(response.status_code)
        with closing(response):
            try:
                content = _read(response, max_bytes=max_bytes)
            except _Unusable as error:
                reason = str(error)
            except (*_BROKEN, zlib.error) as error:
                reason = _cut_short(error, timeout)
            else:
                return Answer(status=response.status_code, headers=response.headers, body=content)
    raise UnusableAnswer(f"The answer of {destination.host} {reason}", status=response.status_code)


def _prepare(
    method: str, destination: Destination, headers: Mapping[str, str], body: bytes | None
) -> requests.PreparedRequest:
    sent = {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip", **headers}
    try:
        for name, value in sent.items():
            f"{name}: {value}".encode("latin-1")
        return requests.Request(method, destination.url, headers=sent, data=body).prepare()
    except ValueError:
        # The original error quotes the header, which may be a secret.
        raise RequestRefused(
            "A header of the request contains a line break or a character that cannot be sent"
        ) from None


class _Kept(threading.local):
    """This thread's connections. They are made anew when what they were checked against changes, and after a fork."""

    adapter: PinnedAdapter | None = None
    made_for: object = None


_kept = _Kept()


def _adapter() -> PinnedAdapter:
    made_for = (os.getpid(), allowed_networks(), settings.EGRESS_CA_BUNDLE)
    if _kept.adapter is None or _kept.made_for != made_for:
        _kept.adapter, _kept.made_for = PinnedAdapter(ca_bundle=settings.EGRESS_CA_BUNDLE), made_for
    return _kept.adapter


class _Unusable(Exception):
    """What is wrong with the body, as the end of a sentence."""


def _read(response: requests.Response, *, max_bytes: int) -> bytes:
    pieces: Iterable[bytes] = response.raw.stream(READ_SIZE, decode_content=False)
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding in ("gzip", "x-gzip"):
        pieces = _decompressed(pieces, max_bytes=max_bytes)
    elif encoding not in ("", "identity"):
        raise _Unusable("is compressed in a way that we did not offer")
    body, size = [], 0
    for piece in pieces:
        body.append(piece)
        size += len(piece)
        if size > max_bytes:
            raise _Unusable(f"is longer than {max_bytes} bytes")
    return b"".join(body)


def _decompressed(pieces: Iterable[bytes], *, max_bytes: int) -> Iterator[bytes]:
    """Never holds more than `max_bytes` + 1 at a time, however well it was compressed."""
    decoder = None
    for piece in pieces:
        rest = piece
        while rest:
            if decoder is None or decoder.eof:
                decoder = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
            yield decoder.decompress(rest, max_bytes + 1)
            rest = decoder.unconsumed_tail or decoder.unused_data
    if decoder is not None and not decoder.eof:
        raise _Unusable("was cut short")


def _no_answer(destination: Destination, error: Exception, timeout: float) -> TryLater:
    cause = _innermost(error)
    if isinstance(cause, OSError) and is_own(cause):
        return OwnFault(f"Nothing could be sent to {destination.host} from here: {cause.strerror}")
    return TryLater(_why_no_answer(destination, cause, timeout))


def _why_no_answer(destination: Destination, cause: BaseException, timeout: float) -> str:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"The certificate of {destination.host} cannot be trusted: {cause.verify_message or 'not verified'}"
    if isinstance(cause, ssl.SSLError):
        return f"{destination.host} does not speak TLS as we do: {cause.reason or 'the handshake failed'}"
    if isinstance(cause, TimeoutError):
        return f"{destination.host} did not answer within {timeout:g} seconds"
    if isinstance(cause, ConnectionError):
        return f"{destination.host} broke the connection before it answered"
    return f"{destination.host} did not answer in HTTP"


def _cut_short(error: Exception, timeout: float) -> str:
    cause = _innermost(error)
    if isinstance(cause, TimeoutError):
        return f"was not complete within {timeout:g} seconds"
    if isinstance(cause, zlib.error):
        return "is not compressed as it claims to be"
    return "was cut short"


def _innermost(error: BaseException) -> BaseException:
    """What happened first: the messages of the errors around it carry URLs with query strings."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    return error
