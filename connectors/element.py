"""The vocabulary of a definition: what an element says about one provider product, as data.

The API, the console's form and the contract tests read definitions; nothing here knows a database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

if TYPE_CHECKING:
    from connectors.callbacks import Callbacks
    from connectors.connection import Connection
    from connectors.records import Page, Query, Record

# `milliseconds`: a date that is a number in records, counted in milliseconds since 1970.
FieldType = Literal["text", "number", "boolean", "datetime", "milliseconds"]
# The names of reference types on the wire (configuration entries of the Cloud Elements catalogue).
EntryType = Literal["TEXTFIELD_32", "TEXTFIELD_128", "TEXTFIELD_1000", "TEXTAREA", "BOOLEAN", "PASSWORD"]
Verb = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

POLLING: Final = "polling"
WEBHOOK: Final = "webhook"
EventMethod = Literal["polling", "webhook"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigField:
    """One entry of an element's configuration, as people and clients fill it in."""

    key: str
    label: str
    description: str = ""
    type: EntryType = "TEXTFIELD_128"
    required: bool = False
    secret: bool = False
    default: str | None = None
    aliases: tuple[str, ...] = ()
    """Other spellings that clients send; stored and returned under `key`."""
    identifies_account: bool = False
    """Part of which provider account this is: when it changes, watermarks and known ids mean nothing any more.
    Of a URL, the host is meant: paths change with the provider's releases."""
    is_url: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A collection of records under the hub, and where it lies at the provider."""

    name: str
    path: str
    verbs: frozenset[Verb] = frozenset({"GET"})
    field_types: Mapping[str, FieldType] = field(default_factory=lambda: MappingProxyType({}))
    """Dotted hub names whose type is not `text`: a quoted literal in a `where` clause is coerced to it."""
    provider_names: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Every field by its dotted hub name, as queries of the provider call it: `companyName` -> `company.name`.
    Empty where the hub's names are the provider's own."""
    child_fields: Mapping[str, tuple[str, str]] = field(default_factory=lambda: MappingProxyType({}))
    """Names that lie inside an array at the provider, as (condition template, array), e.g. `email`."""


class Client(Protocol):
    """Talks to one provider account. Raises the errors of `connectors.errors` and nothing else."""

    def __init__(self, connection: Connection) -> None: ...

    def check(self) -> datetime:
        """The cheapest call that proves the credentials. Returns the provider's clock (its `Date` header, UTC)."""

    def find(self, resource: Resource, query: Query) -> Page:
        """One page of records."""

    def get(self, resource: Resource, record_id: str) -> Record:
        """One record. Raises RecordNotFound."""

    def count(self, resource: Resource, query: Query) -> int:
        """How many records the query's `where` finds, on all pages together."""

    def highest_id(self, resource: Resource) -> int | None:
        """The greatest record id there is now, 0 in an empty resource; None where ids are no numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """A prebuilt way to talk to one provider product."""

    key: str
    id: int
    name: str
    description: str
    hub: str
    fields: tuple[ConfigField, ...]
    resources: tuple[Resource, ...]
    client: type[Client]
    event_methods: tuple[EventMethod, ...]
    poller_configuration: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """The default `event.poller.configuration`, in the form in which it goes over the wire. Where changes come by
    callbacks it is what the reconciling poll reads."""
    callbacks: Callbacks | None = None
    """How this provider tells us of changes; None for an element that can only be polled."""
    authentication: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({"type": "custom"}))
    logo: str = ""

    def resource(self, name: str) -> Resource:
        """Raises KeyError for a name that this element has not."""
        for resource in self.resources:
            if resource.name == name:
                return resource
        raise KeyError(name)
