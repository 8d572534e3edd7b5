"""What a reference in a body stands for: an id, an identifier or a name leads to one whole reference."""

from __future__ import annotations

import copy
from collections.abc import Iterable

from connectors.sandbox import catalogue
from connectors.sandbox.references import company_reference, contact_reference
from connectors.sandbox.schema import Record, Schema
from connectors.sandbox.subject import Surroundings

_COMPANY_FIELDS = frozenset({"company", "parentCompany", "billToCompany", "shipToCompany"})
_CONTACT_FIELDS = frozenset(
    {"contact", "defaultContact", "managerContact", "assistantContact"}
    | {"billingContact", "shipToContact", "billToContact"}
)


class NotReferable(LookupError):
    """There is none, or more than one of the name."""

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field


def referred(schema: Schema, name: str, value: Record, surroundings: Surroundings) -> Record:
    """For the field `name` of that schema. Raises NotReferable."""
    kind, entries = _entries(schema, name, surroundings)
    if entries is None:
        return {**value, "_info": {}}
    by = next((key for key in ("id", "identifier", "name") if key in value), "id")
    wanted = str(value.get(by)).lower()
    named = [entry for entry in entries if by in value and str(entry.get(by)).lower() == wanted]
    if named and (schema.kind, name, by) == ("Ticket", "status", "name"):
        return {"name": named[0]["name"]}  # which one it is depends on the board
    if len(named) == 1 or (named and by != "name"):
        return {"_info": {}, **copy.deepcopy(named[0])}
    message = f"More than one {kind} has the name {wanted}" if named else f"{kind} {wanted} not found"
    raise NotReferable(message, field=f"{name}/{by}")


def _entries(schema: Schema, name: str, surroundings: Surroundings) -> tuple[str, Iterable[Record] | None]:
    """What a reference field may name, and what messages call that; None: anything."""
    if name in _COMPANY_FIELDS:
        return "Company", (company_reference(row.record) for row in surroundings.companies.rows())
    if name in _CONTACT_FIELDS:
        return "Contact", (contact_reference(row.record) for row in surroundings.contacts.rows())
    kind, entries = catalogue.TABLES.get((schema.kind, name), (name, None))
    return kind, entries.values() if entries is not None else None
