"""How Ledger is asked: one secret in a header, lists in an envelope, other names than the hub's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from connectors.ceql import And, Comparison, Expression, Value
from connectors.connection import Connection
from connectors.egress import Answer, fetch, raise_for_status
from connectors.element import Resource
from connectors.errors import InvalidQuery, InvalidRecord, UnusableAnswer
from connectors.records import Page, Query, Record


class Client:
    """Implements `connectors.element.Client`."""

    def __init__(self, connection: Connection) -> None:
        self._url = (connection.configuration.get("ledger.url") or "").rstrip("/")
        self._headers = {"X-Ledger-Secret": connection.configuration.get("ledger.secret") or ""}

    def check(self) -> datetime:
        return _clock(self._call("GET", "/people?limit=1"))

    def find(self, resource: Resource, query: Query) -> Page:
        if query.order_by:
            raise InvalidQuery("orderBy: Ledger sorts by id only")
        asked = {"limit": query.page_size, **_asked(query.where)}
        if query.is_stable:
            asked["after"] = query.page_token or ""
        else:
            asked["offset"] = (query.page - 1) * query.page_size
        answer = self._call("GET", f"{resource.path}?{urlencode(asked)}")
        envelope = _object(answer)
        records = [_hub_record(resource, one) for one in envelope["rows"]]
        if query.fields:
            records = [{name: one.get(name) for name in ("id", *query.fields)} for one in records]
        token = records[-1]["id"] if envelope["more"] and query.is_stable else None
        if envelope["more"] and not query.is_stable:
            token = str(query.page + 1)
        return Page(body=orjson.dumps(records), next_page_token=token, answered_at=_clock(answer))

    def get(self, resource: Resource, record_id: str) -> Record:
        return _record(resource, self._call("GET", _path(resource, record_id)))

    def count(self, resource: Resource, query: Query) -> int:
        answer = self._call("GET", f"{resource.path}?{urlencode({'limit': 0, **_asked(query.where)})}")
        return int(_object(answer)["total"])

    def highest_id(self, resource: Resource) -> int | None:
        return None  # ids of Ledger are no numbers

    def create(self, resource: Resource, fields: Mapping[str, Any]) -> Record:
        return _record(resource, self._call("POST", resource.path, _document(resource, fields)))

    def replace(self, resource: Resource, record_id: str, fields: Mapping[str, Any]) -> Record:
        return _record(resource, self._call("PUT", _path(resource, record_id), _document(resource, fields)))

    def update(self, resource: Resource, record_id: str, fields: Mapping[str, Any]) -> Record:
        return _record(resource, self._call("PATCH", _path(resource, record_id), _document(resource, fields)))

    def delete(self, resource: Resource, record_id: str) -> None:
        self._call("DELETE", _path(resource, record_id))

    def _call(self, method: str, target: str, document: object = None) -> Answer:
        body = None if document is None else orjson.dumps(document)
        answer = fetch(method, self._url + target, headers=self._headers, body=body)
        raise_for_status(answer)
        return answer


def _path(resource: Resource, record_id: str) -> str:
    return f"{resource.path}/{quote(record_id, safe='')}"


def _asked(where: Expression | None) -> dict[str, Any]:
    """What Ledger can be asked for: a name, and since when. Raises InvalidQuery for everything else."""
    asked: dict[str, Any] = {}
    for field, operator, value in _comparisons(where):
        match field, operator:
            case "name", "=":
                asked["name"] = value
            case "changedAt", ">=":
                asked["since"] = value
            case _:
                raise InvalidQuery(f"Error parsing query: Ledger cannot be asked for {field[:60]} {operator}")
    return asked


def _comparisons(where: Expression | None) -> Iterator[tuple[str, str, Value]]:
    for term in where.terms if isinstance(where, And) else (where,) if where else ():
        if not isinstance(term, Comparison):
            raise InvalidQuery("Error parsing query: Ledger takes comparisons joined by AND only")
        yield term.field, term.operator, term.value


def _document(resource: Resource, fields: Mapping[str, Any]) -> dict[str, Any]:
    known = {one.name: one for one in resource.fields}
    if unknown := [name for name in fields if name not in known]:
        raise InvalidRecord(f"{unknown[0][:60]!r}: people have no such field; they have {', '.join(known)}")
    return {known[name].provider_name: value for name, value in fields.items() if not known[name].is_read_only}


def _hub_record(resource: Resource, row: Mapping[str, Any]) -> dict[str, Any]:
    return {one.name: row.get(one.provider_name) for one in resource.fields}


def _record(resource: Resource, answer: Answer) -> Record:
    return Record(fields=_hub_record(resource, _object(answer)), answered_at=_clock(answer))


def _object(answer: Answer) -> dict[str, Any]:
    try:
        document = orjson.loads(answer.body)
    except orjson.JSONDecodeError as error:
        raise UnusableAnswer("Ledger answered with something that is no JSON") from error
    if not isinstance(document, dict):
        raise UnusableAnswer("Ledger answered with something that is no object")
    return document


def _clock(answer: Answer) -> datetime:
    if answer.date is None:
        raise UnusableAnswer("Ledger answered without a readable Date header")
    return answer.date
