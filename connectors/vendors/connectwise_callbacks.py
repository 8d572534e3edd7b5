"""What the callbacks of ConnectWise PSA mean, for the elements that get them. Implements `connectors.callbacks`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors import registry
from connectors.callbacks import (
    CallbackRefused,
    CannotStandardize,
    InboundCallback,
    RegisteredCallback,
    StandardizedCallback,
    WantedCallback,
)
from connectors.change import CREATED, DELETED, DELETED_VERSION, UNKNOWN, UPDATED, Change, EventType
from connectors.connection import Connection
from connectors.dates import ISO, date_reader
from connectors.egress.destinations import Destination, parse
from connectors.errors import DestinationRefused
from connectors.vendors import connectwise_registrations as registrations
from connectors.vendors import connectwise_signatures as signatures
from connectors.vendors.connectwise import ConnectWiseClient
from connectors.vendors.connectwise_bodies import (
    Body,
    NotReadable,
    content_hash,
    member,
    read_body,
    read_json,
    shown,
    usable_text,
)
from connectors.vendors.connectwise_callback_types import OWNER, parse_wanted
from connectors.vendors.connectwise_hosts import sibling_hosts

EVENT_TYPES: Mapping[str, EventType] = {"added": CREATED, "updated": UPDATED, "deleted": DELETED}
LONGEST_ID = 255
LONGEST_STAMP = 64
LONGEST_TYPE = 64
LONGEST_MESSAGE_ID = 64

_BOM = b"\xef\xbb\xbf"
_read_date = date_reader(ISO, "GMT")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectWiseCallbacks:
    """The same for every element but for these words."""

    element_key: str
    server_url_key: str
    company_key: str
    """Entries of the element's configuration."""
    object_types: Mapping[str, str]
    """Callback type -> resource of the hub. Other types keep their name."""
    signature_header: str = signatures.SIGNATURE_HEADER
    # ConnectWise tries 404, 409, 419 and 429 once more, and nothing else: not 5xx, not a refused connection.
    busy_status: int = 429

    def wanted(self, text: str) -> tuple[WantedCallback, ...]:
        return parse_wanted(text, default=tuple(self.object_types))

    def covered_resources(self, wanted: Sequence[WantedCallback]) -> frozenset[str]:
        return frozenset(
            self.object_types[one.type] for one in wanted if one.level == OWNER and one.type in self.object_types
        )

    def wanted_object_types(self, wanted: Sequence[WantedCallback]) -> frozenset[str]:
        return frozenset(self.object_types.get(one.type, one.type) for one in wanted)

    def url(self, address: str) -> str:
        # ConnectWise appends the record's id to whatever it finds, so that the last parameter must be for it.
        return f"{address}?recordId="

    def registered(self, connection: Connection, *, marker: str) -> list[RegisteredCallback]:
        return registrations.find(_client(connection), marker=marker)

    def register(
        self, connection: Connection, wanted: WantedCallback, *, url: str, description: str
    ) -> RegisteredCallback:
        return registrations.add(_client(connection), wanted, url=url, description=description)

    def rearm(self, connection: Connection, *, provider_id: str) -> None:
        registrations.rearm(_client(connection), provider_id=provider_id)

    def remove(self, connection: Connection, *, provider_id: str) -> None:
        registrations.remove(_client(connection), provider_id=provider_id)

    def accounts(self, callback: InboundCallback) -> tuple[str, ...]:
        try:
            body = read_body(_content(callback))
        except NotReadable:
            return ()
        element = registry.element(self.element_key)
        connections = (
            Connection(element=element, configuration={self.server_url_key: server, self.company_key: company})
            for company in _companies(body)
            for server in _servers(body)
        )
        return tuple(dict.fromkeys(connection.account() for connection in connections))

    def refuse_another_company(self, callback: InboundCallback, connection: Connection) -> None:
        try:
            body = read_body(_content(callback))
        except NotReadable:
            # It is said what is wrong with it when it is standardized.
            return
        signatures.refuse_another_company(body, company=connection.configuration.get(self.company_key) or "")

    def key_url(self, callback: InboundCallback, connection: Connection) -> str:
        try:
            body = read_body(_content(callback))
        except NotReadable as problem:
            raise CallbackRefused(f"the body {problem}") from problem
        values = connection.configuration
        server = signatures.own_server(values.get(self.server_url_key) or "")
        return signatures.key_url(body, server=server, company=values.get(self.company_key) or "")

    def signing_key(self, answer: bytes) -> str:
        return signatures.signing_key(answer)

    def is_signed_with(self, callback: InboundCallback, key: str) -> bool:
        return signatures.is_signed_with(callback, key)

    def standardize(self, callback: InboundCallback) -> StandardizedCallback:
        content = _content(callback)
        try:
            body = read_body(content)
            change = self._change(body, content)
        except NotReadable as problem:
            raise CannotStandardize(f"the body {problem}") from problem
        return StandardizedCallback(
            message_id=usable_text(body.message_id, longest=LONGEST_MESSAGE_ID), changes=(change,)
        )

    def _change(self, body: Body, content: bytes) -> Change:
        action = body.action.strip().lower() if isinstance(body.action, str) else ""
        event_type = EVENT_TYPES.get(action, UNKNOWN)
        entity = _entity(body, is_needed=event_type != DELETED)
        stamp, changed_at = _stamp(entity or {})
        return Change(
            event_type=event_type,
            object_type=self._object_type(body),
            object_id=_object_id(body, entity),
            version=DELETED_VERSION if event_type == DELETED else stamp,
            changed_at=changed_at,
            raw=content,
            content_hash=content_hash(action, entity),
            is_settled=False,
        )

    def _object_type(self, body: Body) -> str:
        callback_type = usable_text(body.type, longest=LONGEST_TYPE).lower()
        if not callback_type:
            raise CannotStandardize("the body says no Type that can be used")
        return self.object_types.get(callback_type, callback_type)

    def stamp(self, record: Mapping[str, Any]) -> tuple[str, datetime | None]:
        return _stamp(record)


def _client(connection: Connection) -> ConnectWiseClient:
    client = connection.client()
    assert isinstance(client, ConnectWiseClient)
    return client


def _content(callback: InboundCallback) -> bytes:
    """The JSON. A byte order mark would be in the way of whoever reads it inside our notification."""
    return callback.body.removeprefix(_BOM)


def _entity(body: Body, *, is_needed: bool) -> dict[str, Any] | None:
    """The record that came along: JSON inside a JSON string, or as it is; None for a deletion and in old versions."""
    entity = body.entity
    try:
        if isinstance(entity, str):
            entity = read_json(entity) if entity.strip() else None
    except NotReadable as problem:
        if is_needed:
            raise CannotStandardize(f"the Entity {problem}") from problem
        entity = None
    if entity is None or isinstance(entity, dict):
        return entity
    if is_needed:
        raise CannotStandardize("the Entity is no record")
    return None


def _object_id(body: Body, entity: Mapping[str, Any] | None) -> str:
    said, inside = _id(body.id), _id(member(entity, "id"))
    if said and inside and said != inside:
        raise CannotStandardize(f"ID is {shown(said)}, and the Entity's id is {shown(inside)}")
    if not (said or inside):
        raise CannotStandardize("the body says no ID that can be used")
    return said or inside


def _id(value: object) -> str:
    """As polls know it; empty where it is none."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    text = usable_text(value, longest=LONGEST_ID)
    return str(int(text)) if text.isascii() and text.isdecimal() else text


def _stamp(record: Mapping[str, Any]) -> tuple[str, datetime | None]:
    """The last save, exactly as it is written; where it cannot be read it is none."""
    for value in (member(member(record, "_info"), "lastUpdated"), member(record, "lastUpdated")):
        text = value if isinstance(value, str) and 0 < len(value) <= LONGEST_STAMP and value.isprintable() else ""
        if text and (moment := _read_date(text)) is not None:
            return text, moment
    return "", None


def _companies(body: Body) -> Iterator[str]:
    if company := usable_text(body.company_id, longest=LONGEST_ID):
        yield company
    elif key := _key_destination(body):
        yield from [name for name in signatures.companies_in(key.target.partition("?")[2]) if name.strip()][:1]


def _servers(body: Body) -> Iterator[str]:
    """URLs of servers that the body may be from, each as an instance may have been configured with it."""
    named = [_named(body.from_url), _key_destination(body)]
    for one in (one for one in named if one is not None):
        for host in sorted(sibling_hosts(one.host)):
            for scheme in ("https", "http"):
                yield f"{scheme}://{_bracketed(host)}"
                yield f"{scheme}://{_bracketed(host)}:{one.port}"


def _named(from_url: object) -> Destination | None:
    """FromUrl has no scheme."""
    text = usable_text(from_url, longest=1000)
    return _destination(text if "://" in text else f"https://{text}")


def _key_destination(body: Body) -> Destination | None:
    return _destination(body.key_url.strip()) if isinstance(body.key_url, str) else None


def _destination(url: str) -> Destination | None:
    try:
        return parse(url)
    except DestinationRefused:
        return None


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
