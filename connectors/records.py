"""Records as they travel: a query, a page of answers, one answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from connectors.ceql import Expression

DEFAULT_PAGE_SIZE = 200
LARGEST_PAGE_SIZE = 1000

_slices = msgspec.json.Decoder(list[msgspec.Raw])
_records = msgspec.json.Decoder(list[dict[str, Any]])


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What to ask for.

    With `is_stable`, pages follow the ids (`id >` the last one seen): edits, inserts and deletions while paging
    neither hide nor repeat a record. `page` counts from 1 and is used only without it.
    """

    where: Expression | None = None
    page: int = 1
    page_size: int = DEFAULT_PAGE_SIZE
    page_token: str | None = None
    is_stable: bool = False
    order_by: str | None = None
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a provider's answer. The body was checked to be a complete JSON array of objects."""

    body: bytes = field(repr=False)
    next_page_token: str | None
    """None: this was the last page."""
    answered_at: datetime
    """The provider's clock (`Date` header, UTC, whole seconds)."""

    def slices(self) -> list[msgspec.Raw]:
        """Each record as the bytes it came in, undecoded."""
        return _slices.decode(self.body)

    def records(self) -> list[dict[str, Any]]:
        return _records.decode(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record as the hub returns it, with the provider's clock."""

    fields: dict[str, Any] = field(repr=False)
    answered_at: datetime
