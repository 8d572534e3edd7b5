"""A connection: element plus provider configuration, as a value, ready to call."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from connectors.element import Client, Element


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """What a client needs. Its `repr` shows no configuration: it holds secrets."""

    element: Element
    configuration: Mapping[str, str | None] = field(repr=False)
    """The element's own entries by key, secrets in clear."""
    filters_nulls: bool = True
    """`filter.response.nulls`: drop keys whose value is null from records."""

    def client(self) -> Client:
        return self.element.client(self)

    def account(self) -> str:
        """Names the provider account (not its secrets): connections with the same name share its rate limit."""
        parts = [self.element.key]
        parts += [str(self.configuration.get(f.key) or "") for f in self.element.fields if f.identifies_account]
        return hashlib.sha256("\x1f".join(parts).casefold().encode()).hexdigest()
