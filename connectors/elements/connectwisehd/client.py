"""How the configuration of this element becomes a way in, and how records get the hub's field names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from connectors.ceql import And, Expression, In, IsNull, Or
from connectors.connection import Connection
from connectors.egress import Answer
from connectors.element import Resource
from connectors.elements.connectwisehd import records, writes
from connectors.elements.connectwisehd.contact_names import contacts_called
from connectors.elements.connectwisehd.table import Table
from connectors.elements.connectwisehd.tables import TABLES
from connectors.elements.connectwisehd.ways import Way, worked
from connectors.errors import (
    ConnectorError,
    CredentialsRefused,
    InvalidQuery,
    PermissionRefused,
    RateLimited,
    RecordNotFound,
    RequestRefused,
    TryLater,
    UnusableAnswer,
)
from connectors.records import Page, Query, Record
from connectors.vendors.connectwise import API_PATH, Call, ConnectWiseClient, Login
from connectors.vendors.connectwise_hosts import api_sibling, server_origin
from connectors.vendors.connectwise_refusals import names_host_for_people, names_no_company

SERVER_URL = "helpdesk.connectwise.server.url"
COMPANY = "helpdesk.connectwise.company"
USERNAME = "helpdesk.connectwise.username"
PASSWORD = "helpdesk.connectwise.password"  # noqa: S105 (the name of a configuration key)
CLIENT_ID = "connectwise.clientID"

_ROOT: Final = f"/v4_6_release{API_PATH}"
# Callbacks of the type ticket tell of project tickets too. One that is not among the others is not deleted therefore.
_ELSEWHERE: Final = {"incidents": "/project/tickets"}
# With the provider's own names.
_CONTACTS: Final = Resource(name="contacts", path="/company/contacts")
_CHEAPEST: Final = Call(method="GET", path="/system/info")


class Client(ConnectWiseClient):
    """Raises RequestRefused when the server's URL or the client id cannot be used."""

    def __init__(self, connection: Connection) -> None:
        values = connection.configuration
        self._origin = server_origin(values.get(SERVER_URL) or "", key=SERVER_URL)
        login = Login(
            base_url=self._origin + _ROOT,
            company=values.get(COMPANY) or "",
            public_key=values.get(USERNAME) or "",
            private_key=values.get(PASSWORD) or "",
            client_id=values.get(CLIENT_ID) or "",
            base_url_key=SERVER_URL,
            credentials_keys=f"{COMPANY}, {USERNAME} and {PASSWORD}",
            client_id_key=CLIENT_ID,
            example_url="https://api-na.myconnectwise.net",
            address_parts="the host",
            credentials_hint=", which were tried both as an integrator login and as an API key pair",
        )
        super().__init__(login)
        self._account = worked.key(self._origin, login.company, login.public_key, login.private_key)

    # Records

    def find(self, resource: Resource, query: Query) -> Page:
        page = super().find(resource, query)
        if not resource.has_own_names:
            return page
        return replace(page, body=records.hub_page(resource.key, page.body, fields=query.fields))

    def get(self, resource: Resource, record_id: str) -> Record:
        try:
            return super().get(resource, record_id)
        except RecordNotFound as missing:
            if (elsewhere := _ELSEWHERE.get(resource.key)) is None:
                raise
            try:
                return super().get(replace(resource, path=elsewhere), record_id)
            except RecordNotFound:
                # Whether it is the record that is missing is told by the answer to where it should have been.
                raise missing from None

    def create(self, resource: Resource, fields: Mapping[str, Any]) -> Record:
        with _refusals_in_hub_words(resource, fields):
            return super().create(resource, fields)

    def replace(self, resource: Resource, record_id: str, fields: Mapping[str, Any]) -> Record:
        with _refusals_in_hub_words(resource, fields):
            return super().replace(resource, record_id, fields)

    def update(self, resource: Resource, record_id: str, fields: Mapping[str, Any]) -> Record:
        with _refusals_in_hub_words(resource, fields):
            if resource.has_own_names and fields.get("id") is not None:
                # A whole record sent back: references by their old names would be looked up anew.
                present = super().get(resource, record_id).fields
                fields = writes.changed_fields(fields, present=present)
            return super().update(resource, record_id, fields)

    def _kept(self, resource: Resource, record_id: str) -> dict[str, Any]:
        if not resource.has_own_names:
            return {}
        return writes.unnamed_members(resource.key, self._raw(resource, record_id))

    def _hub_record(self, resource: Resource, record: dict[str, Any]) -> dict[str, Any]:
        return records.hub_record(resource.key, record) if resource.has_own_names else record

    def _filter(self, resource: Resource, query: Query) -> dict[str, str]:
        if resource.has_own_names and query.where:
            query = replace(query, where=_only_where_it_means_this(query.where, TABLES[resource.key]))
        return super()._filter(resource, query)

    def _fields(self, resource: Resource, query: Query) -> Sequence[str]:
        if not resource.has_own_names:
            return super()._fields(resource, query)
        return [path.replace(".", "/") for path in records.provider_fields(resource.key, query.fields)]

    def _document(self, resource: Resource, fields: Mapping[str, Any], *, record_id: str | None) -> dict[str, Any]:
        if not resource.has_own_names:
            return super()._document(resource, fields, record_id=record_id)
        present = None
        if record_id is not None and writes.says_things_twice(resource.key, fields):
            present = records.hub_record(resource.key, self._raw(resource, record_id))
        body = writes.provider_body(resource.key, fields, is_new=record_id is None, present=present)
        if resource.key == "incidents" and body.get("contactName"):
            body |= self._contact_of(resource, body, record_id=record_id)
        return body

    # Contacts by name

    def _contact_of(
        self, resource: Resource, ticket: Mapping[str, Any], *, record_id: str | None
    ) -> dict[str, dict[str, Any] | None]:
        """Whom the ticket's `contactName` means: the one contact of that name, or somebody ConnectWise knows not."""
        company = ticket.get("company")
        if "company" not in ticket and record_id is not None:
            company = self._raw(resource, record_id).get("company")
        contact_id = self._contact_called(ticket["contactName"], company)
        if contact_id is not None:
            return {"contact": {"id": contact_id}}
        return {} if record_id is None else {"contact": None}

    def _contact_called(self, name: str, company: Mapping[str, Any] | None) -> int | None:
        where = contacts_called(name, company=company)
        if where is None:
            return None
        try:
            found = super().find(_CONTACTS, Query(where=where, page_size=2, fields=("id",))).records()
        except (InvalidQuery, PermissionRefused):
            # Odd characters, or contacts are closed to these credentials: the name is kept as a text.
            return None
        return found[0].get("id") if len(found) == 1 else None

    # The way in

    def _answer(self, call: Call) -> Answer:
        """By the way that worked last, or the first that does."""
        way = worked.get(self._account) or self._way_by_trying()
        try:
            answer, way = self._signed_in(call, way)
        except (CredentialsRefused, RequestRefused) as error:
            is_moved = error.status is not None and 300 <= error.status < 400
            if isinstance(error, CredentialsRefused) or is_moved or names_host_for_people(error):
                worked.forget(self._account)
            raise
        worked.remember(self._account, way)
        return answer

    def _signed_in(self, call: Call, way: Way) -> tuple[Answer, Way]:
        """The answer and the kind of credentials it came with. A call answered 401 has not been carried out."""
        try:
            return self._send_by(way, call), way
        except CredentialsRefused:
            way = replace(way, is_integrator=not way.is_integrator)
        return self._send_by(way, call), way

    def _send_by(self, way: Way, call: Call) -> Answer:
        return self._send(call, url=way.origin + _ROOT, headers=way.headers())

    def _way_by_trying(self) -> Way:
        """Where there is one host, that; else the one that answers /system/info as ConnectWise's API does.

        Not the call itself is tried: it may write, and 404 says that a record is not there as well as that a host
        is the wrong one.
        """
        given, sibling = Way(origin=self._origin, is_integrator=True), api_sibling(self._origin)
        if sibling is None:
            return given
        try:
            return self._proven(given)
        except PermissionRefused:
            return given
        except ConnectorError as error:
            if not _is_wrong_host(error):
                raise
            refusal = error
        try:
            return self._proven(replace(given, origin=sibling))
        except PermissionRefused:
            return replace(given, origin=sibling)
        except ConnectorError as error:
            # A host for people always has its sibling: if that does not answer now, it will later.
            if not _is_wrong_host(error) or (names_host_for_people(refusal) and isinstance(error, TryLater)):
                raise
            raise refusal from error

    def _proven(self, way: Way) -> Way:
        answer, way = self._signed_in(_CHEAPEST, way)
        self._check_info(answer)
        worked.remember(self._account, way)
        return way


def _is_wrong_host(error: ConnectorError) -> bool:
    """Whether this is how a host answers, or does not, that is not the one for programs."""
    match error:
        case RateLimited():
            return False
        case UnusableAnswer() | RecordNotFound():
            return True
        case TryLater():
            return error.status is None
        case RequestRefused():
            return error.status is not None and not names_no_company(error)
    return False


def _only_where_it_means_this(where: Expression, table: Table) -> Expression:
    """The same with each test of a field that means it only for some records narrowed down to these."""
    if isinstance(where, And | Or):
        return type(where)(tuple(_only_where_it_means_this(term, table) for term in where.terms))
    for name, (told_by, values) in table.only_where.items():
        if where.field.casefold() == name.casefold():
            listed = tuple(sorted(values))
            if isinstance(where, IsNull):
                return In(told_by, listed, is_negated=not where.is_negated)
            return And((where, In(told_by, listed)))
    return where


@contextmanager
def _refusals_in_hub_words(resource: Resource, fields: Mapping[str, Any]) -> Iterator[None]:
    """A refusal that names the provider's fields names the hub's instead."""
    try:
        yield
    except RequestRefused as refused:
        if not refused.fields or not resource.has_own_names:
            raise
        names = ", ".join(writes.refused_fields(resource.key, fields, refused.fields)) or "the fields"
        better = RequestRefused(
            f"ConnectWise does not take this for {resource.key}: look at {names}",
            provider_message=refused.provider_message,
            status=refused.status,
        )
        better.codes, better.fields = refused.codes, refused.fields
        raise better from refused
