"""What a dry run asked its provider, without secrets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

from connectors.connection import Connection
from connectors.egress import SentRequest
from instances.configuration import MASK, is_secret

_SHORTEST_SECRET = 4
"""What is shorter would be found in every other word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedRequest:
    """One request to the provider, without its secrets."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: str = field(repr=False)
    status: int | None
    """None: it was not answered."""
    duration_ms: int | None


def shown(sent: SentRequest, connection: Connection) -> AskedRequest:
    return AskedRequest(
        method=sent.method,
        url=without_secrets(sent.url, connection),
        headers=sent.headers,
        body=without_secrets(sent.body.decode(errors="replace"), connection),
        status=sent.status,
        duration_ms=sent.duration_ms,
    )


def without_secrets(text: str, connection: Connection) -> str:
    """Somebody may have written one into the poller's url."""
    secrets = {
        value.strip() for key, value in connection.configuration.items() if value and is_secret(connection.element, key)
    }
    # The longest first: one may be the beginning of another.
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            for written in (secret, quote(secret, safe=""), quote(secret), quote_plus(secret)):
                text = text.replace(written, MASK)
    return text
