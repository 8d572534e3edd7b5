"""What goes to a `Sender` and what comes back."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from connectors.errors import OwnFault, TryLater

ANSWERED = ""
REFUSED_DESTINATION = "refused_destination"
DNS = "dns"
CONNECT = "connect"
TLS = "tls"
TIMEOUT = "timeout"
PROTOCOL = "protocol"
INTERNAL = "internal"


def class_of_lookup(failure: TryLater) -> str:
    """The error class of a name for which there was no address."""
    return INTERNAL if isinstance(failure, OwnFault) else DNS


@dataclass(frozen=True, slots=True)
class OutboundRequest:
    """A POST to send. `key` comes back with its outcome; `body` goes out byte for byte."""

    key: int
    url: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one request. Either it was answered, or `error_class` says what kept it from that."""

    key: int
    status: int | None
    """The answer's status (redirects included: they are not followed); None without a usable answer."""
    error_class: str
    """"" answered, else refused_destination, dns, connect, tls, timeout, protocol or internal."""
    error: str
    """For people; no query strings, no secrets."""
    retry_after: str | None
    """The `Retry-After` header as it came, of answers other than 2xx."""
    excerpt: bytes
    """The answer's first bytes, 2 KiB at most."""
    started_at: datetime
    duration_ms: int
