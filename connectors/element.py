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

# `milliseconds`: a date that is a number in records, counted in milliseconds since 1970. A `reference` is an object
# that names another record; `list` is any array.
FieldType = Literal["text", "number", "boolean", "datetime", "milliseconds", "reference", "list"]
# The names of reference types on the wire (configuration entries of the Cloud Elements catalogue).
EntryType = Literal["TEXTFIELD_32", "TEXTFIELD_128", "TEXTFIELD_1000", "TEXTAREA", "BOOLEAN", "PASSWORD"]

Verb = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Operation = Literal["list", "get", "create", "replace", "update", "delete"]
"""What may be done with a resource: GET and POST of the collection, GET, PUT, PATCH and DELETE of a record."""
READING: Final[frozenset[Operation]] = frozenset({"list", "get"})
EVERYTHING: Final[frozenset[Operation]] = frozenset({"list", "get", "create", "replace", "update", "delete"})

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
class Field:
    """One field of a resource's records, as the hub calls it."""

    name: str
    """Dotted where it lies inside another one, as in `_info.lastUpdated`."""
    type: FieldType = "text"
    """A quoted literal in a `where` clause is coerced to it."""
    provider_name: str = ""
    """What queries of the provider call it, dotted: `company.name`. Empty: the same."""
    is_required: bool = False
    """When a record is created."""
    is_read_only: bool = False
    """The provider fills it in; in what clients send it is passed over."""
    longest: int | None = None
    """Of a text, in characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A collection of records under the hub, and where it lies at the provider."""

    name: str
    path: str
    """Of the collection at the provider. `{parent}` in it stands for the id of the record that these belong to."""
    operations: frozenset[Operation] = READING
    created_by: frozenset[Literal["POST", "PUT"]] = frozenset({"POST"})
    """The verbs that create a record, where clients send others than POST to the collection."""
    fields: tuple[Field, ...] = ()
    """What is known of the records. Where `has_own_names` is not set, they may have others besides."""
    has_own_names: bool = False
    """Whether the hub calls fields otherwise than the provider. Then queries and bodies may name `fields` only."""
    child_fields: Mapping[str, tuple[str, str]] = field(default_factory=lambda: MappingProxyType({}))
    """Names that lie inside an array at the provider, as (condition template, array), e.g. `email`."""
    parent: str = ""
    """The resource whose records these belong to: they are found under `{parent}/{id}/{name}`. Empty: at the top."""
    of_parent: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Where the path does not name the parent: the fields by which records are its own, `{parent}` for its id."""
    is_vendors: bool = False
    """Not declared by the element: a collection of the provider's, passed through as it is."""

    @property
    def key(self) -> str:
        """Names it within the element: `contacts`, `incidents/comments`."""
        return f"{self.parent}/{self.name}" if self.parent else self.name

    @property
    def field_types(self) -> dict[str, FieldType]:
        """By hub name; without those that are text, a reference or a list."""
        return {one.name: one.type for one in self.fields if one.type not in ("text", "reference", "list")}

    @property
    def provider_names(self) -> dict[str, str]:
        """Every field by its hub name, as queries of the provider call it. Empty where the names are the provider's."""
        if not self.has_own_names:
            return {}
        return {one.name: one.provider_name or one.name for one in self.fields if one.name not in self.child_fields}


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

    # What is written comes in the hub's words, and so does the record that is answered. Nothing is sent twice: where
    # an answer is lost, TryLater says so, and the caller looks before writing again.

    def create(self, resource: Resource, fields: Mapping[str, Any]) -> Record:
        """A new record. Raises InvalidRecord for fields that cannot be sent."""

    def replace(self, resource: Resource, record_id: str, fields: Mapping[str, Any]) -> Record:
        """The record with these fields and no others. Raises RecordNotFound, InvalidRecord."""

    def update(self, resource: Resource, record_id: str, fields: Mapping[str, Any]) -> Record:
        """The record with these fields changed; null empties one. Raises RecordNotFound, InvalidRecord."""

    def delete(self, resource: Resource, record_id: str) -> None:
        """Raises RecordNotFound."""


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
    vendor_objects: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Collections of the provider's that are passed through, by the name they get: `boards` -> `/service/boards`."""
    reads_vendor_paths: bool = False
    """Whether any other collection can be read by its path at the provider: `service/boards/1/statuses`."""
    examples: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: MappingProxyType({}))
    """By the key of a resource: a body that creates a record, for readers of the API's document."""
    authentication: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({"type": "custom"}))
    logo: str = ""

    def resource(self, name: str) -> Resource:
        """By name, or `{parent}/{name}` of what belongs to another. Raises KeyError for what this element has not."""
        for resource in self.resources:
            if resource.key == name:
                return resource
        raise KeyError(name)
