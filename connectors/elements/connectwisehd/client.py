"""How the configuration of this element becomes a way in, and how records get the hub's field names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from connectors.ceql import And, Expression, In, IsNull, Or
from connectors.connection import Connection
from connectors.egress import Answer
from connectors.element import Resource
from connectors.elements.connectwisehd import records
from connectors.elements.connectwisehd.tables import TABLES, Table
from connectors.elements.connectwisehd.ways import Way, worked
from connectors.errors import (
    ConnectorError,
    CredentialsRefused,
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
        return replace(page, body=records.hub_page(resource.name, page.body, fields=query.fields))

    def get(self, resource: Resource, record_id: str) -> Record:
        try:
            record = super().get(resource, record_id)
        except RecordNotFound as missing:
            if (elsewhere := _ELSEWHERE.get(resource.name)) is None:
                raise
            try:
                record = super().get(replace(resource, path=elsewhere), record_id)
            except RecordNotFound:
                # Whether it is the record that is missing is told by the answer to where it should have been.
                raise missing from None
        return replace(record, fields=records.hub_record(resource.name, record.fields))

    def _filter(self, resource: Resource, query: Query) -> dict[str, str]:
        where = query.where and _only_where_it_means_this(query.where, TABLES[resource.name])
        return super()._filter(resource, replace(query, where=where))

    def _fields(self, resource: Resource, query: Query) -> Sequence[str]:
        return [path.replace(".", "/") for path in records.provider_fields(resource.name, query.fields)]

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
