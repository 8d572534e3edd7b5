"""A connection: element plus provider configuration, as a value, ready to call."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from connectors.egress import destinations
from connectors.element import Client, Element
from connectors.errors import DestinationRefused
from connectors.transformations import Transformation

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_DEFAULT_PORTS = {"http": 80, "https": 443}


def origin(url: str) -> str:
    """`scheme://host:port` of a URL; of a bare host as with https. What cannot be split is its own origin."""
    try:
        parts = urlsplit(url if _SCHEME.match(url) else f"https://{url}")
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
        # As we connect to it: folding letters would take ß for ss, which is another host.
        host = destinations.ascii_name(parts.hostname or "")
    except (ValueError, DestinationRefused):
        return url
    return f"{parts.scheme}://{host}:{port}" if url else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """What a client needs. Its `repr` shows no configuration: it holds secrets."""

    element: Element
    configuration: Mapping[str, str | None] = field(repr=False)
    """The element's own entries by key, secrets in clear."""
    filters_nulls: bool = True
    """`filter.response.nulls`: drop keys whose value is null from records."""
    transformations: Mapping[str, Transformation] = field(default_factory=dict, repr=False)
    """Resources that this instance has under names and with fields of its own, by name."""

    def client(self) -> Client:
        return self.element.client(self)

    def account(self) -> str:
        """Names the provider account (not its secrets): connections with the same name share its rate limit."""
        parts = [self.element.key]
        for one in self.element.fields:
            if one.identifies_account:
                value = str(self.configuration.get(one.key) or "")
                # Another path on the same host is the same account: a new release, or a slash at the end.
                parts.append(origin(value) if one.is_url else value)
        return hashlib.sha256("\x1f".join(parts).casefold().encode()).hexdigest()
