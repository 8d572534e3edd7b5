"""Resources under names and with fields of an instance's own: fields picked and renamed by path.

    myContacts = contacts with {"id": "id", "name.first": "firstName", "company": "company.name"}

Pure: from what clients send to a value, and from there records and queries in both directions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.ceql import Expression


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """One field: its dotted path in the instance's own records, and where it lies in the hub's."""

    path: str
    vendor_path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Transformation:
    """How one resource of the hub is shown under another name."""

    name: str
    resource: str
    """The resource of the element that its records come from."""
    fields: tuple[FieldMapping, ...]

    def shown(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """A record of the resource in the instance's own words. What is not mapped is left out."""
        raise NotImplementedError

    def shown_page(self, body: bytes, *, only: Sequence[str] = ()) -> bytes:
        """A JSON array of records likewise, in the same order and number, of `only` these fields and the id where some
        are named. Raises UnusableAnswer."""
        raise NotImplementedError

    def written(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """What a client sent, in the hub's words. Raises InvalidRecord for a field that is not mapped."""
        raise NotImplementedError

    def asked(self, where: Expression) -> Expression:
        """A query in the hub's words. Raises InvalidQuery for a field that is not mapped."""
        raise NotImplementedError

    def order(self, order_by: str) -> str:
        """`name.first desc` in the hub's words. Raises InvalidQuery."""
        raise NotImplementedError

    def names(self, fields: Sequence[str]) -> tuple[str, ...]:
        """`fields=` in the hub's words. Raises InvalidQuery."""
        raise NotImplementedError
