"""What the elements of ConnectWise PSA share: signing in, asking for records of the REST API 3.0, reading answers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from connectors.egress import Answer, fetch, raise_for_status
from connectors.element import Resource
from connectors.errors import (
    ConnectorError,
    DestinationRefused,
    InvalidQuery,
    OperationNotSupported,
    RecordNotFound,
    RequestRefused,
    UnusableAnswer,
)
from connectors.records import LARGEST_PAGE_SIZE, Page, Query, Record
from connectors.vendors.connectwise_conditions import order_of, path_of, translate
from connectors.vendors.connectwise_login import API_PATH, EXAMPLE_URL, Login
from connectors.vendors.connectwise_refusals import explained

__all__ = ["API_PATH", "EXAMPLE_URL", "ConnectWiseClient", "Login"]

# ConnectWise asks for URLs under 2,000 characters; longer conditions travel in the body of a search.
LONGEST_URL = 1800

_links = re.compile(r'<([^>]*)>\s*;\s*rel="?([a-z]+)"?', re.IGNORECASE)
_is_record_id = re.compile(r"[0-9]{1,18}").fullmatch


class _Identified(msgspec.Struct):
    """Decoding a page to these checks that it is a complete list of objects, and costs a tenth of decoding it all."""

    id: Any = None


class _Count(msgspec.Struct):
    count: int


_list_of_objects = msgspec.json.Decoder(list[_Identified])
_object = msgspec.json.Decoder(dict[str, Any])
_count = msgspec.json.Decoder(_Count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, without the way to send it: host and credentials come from the client."""

    method: str
    path: str
    """Behind `/apis/3.0`."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)

    def target(self) -> str:
        query = urlencode(self.parameters, quote_via=quote, safe="")
        return f"{self.path}?{query}" if query else self.path


class ConnectWiseClient:
    """Reads records of one ConnectWise company. Implements `connectors.element.Client` but for its constructor."""

    def __init__(self, login: Login) -> None:
        self._login = login
        self._url = login.api_url()
        self._headers = login.headers()

    def check(self) -> datetime:
        """GET /system/info, which needs next to no rights. Returns the provider's clock."""
        try:
            answer = self._get("/system/info", {})
        except RecordNotFound as error:
            login = self._login
            raise RequestRefused(
                f"ConnectWise has nothing at this address: check {login.address_parts} in {login.base_url_key} "
                f"(a complete one reads {login.example_url}); on the cloud it may also mean that "
                f"{login.credentials_keys} are wrong",
                provider_message=error.provider_message,
                status=error.status,
            ) from error
        self._check_info(answer)
        return self._date(answer)

    def _check_info(self, answer: Answer) -> None:
        self._decoded(answer, _object, "an object")

    def find(self, resource: Resource, query: Query) -> Page:
        """One page. A stable query follows the ids and takes no `order_by`."""
        size = max(1, min(query.page_size, LARGEST_PAGE_SIZE))
        parameters = {"pageSize": str(size), **self._filter(resource, query)}
        if query.is_stable:
            return self._find_behind_id(resource, query, parameters)
        parameters["page"] = str(query.page)
        parameters["orderBy"] = order_of(query.order_by, resource=resource) if query.order_by else "id asc"
        answer = self._list(resource, parameters)
        rows = len(self._decoded(answer, _list_of_objects, "a list of records"))
        links = relations(answer)
        # Without a Link header, which servers leave out when all fits on one page, a full page may have a next one.
        has_next = rows > 0 and ("next" in links if links else rows >= size)
        return Page(
            body=answer.body,
            next_page_token=str(query.page + 1) if has_next else None,
            answered_at=self._date(answer),
        )

    def _find_behind_id(self, resource: Resource, query: Query, parameters: dict[str, str]) -> Page:
        """Forward-only paging: records whose id is greater than `pageId`, by id."""
        if query.order_by:
            raise InvalidQuery("orderBy cannot be used while pages follow the ids")
        if not _is_record_id(query.page_token or "0"):
            raise InvalidQuery("nextPage: this is no page token of ConnectWise")
        after = int(query.page_token or 0)
        if after:
            parameters["pageId"] = str(after)
        answer = self._list(resource, parameters, {"pagination-type": "forward-only"})
        records = self._decoded(answer, _list_of_objects, "a list of records")
        next_id = self._next_id(answer, records, after)
        return Page(
            body=answer.body,
            next_page_token=None if next_id is None else str(next_id),
            answered_at=self._date(answer),
        )

    def _next_id(self, answer: Answer, records: list[_Identified], after: int) -> int | None:
        """Where the next page begins. An empty Link header says that this was the last page."""
        if not records:
            return None
        first, last = records[0].id, records[-1].id
        if after and not (isinstance(first, int) and first > after):
            # Servers before 2018.5 pass over pageId and would answer the first page for ever.
            raise UnusableAnswer("ConnectWise did not continue behind the last id: it needs version 2018.5 or later")
        if "Link" in answer.headers and "next" not in relations(answer):
            return None
        # The link names this very id; without a header, an empty page will say that it was the last.
        if not isinstance(last, int) or last <= after:
            raise UnusableAnswer("ConnectWise answered with records that are not in the order of their ids")
        return last

    def get(self, resource: Resource, record_id: str) -> Record:
        """Raises RecordNotFound, also for what can be no id of ConnectWise."""
        if not _is_record_id(record_id):
            raise RecordNotFound(f"{resource.name} have numbers as ids")
        answer = self._get(f"{resource.path}/{record_id}", {})
        return self._record(resource, answer)

    def highest_id(self, resource: Resource) -> int | None:
        answer = self._list(resource, {"orderBy": "id desc", "pageSize": "1", "fields": "id"})
        ids = [record.id for record in self._decoded(answer, _list_of_objects, "a list of records")]
        if not ids:
            return 0  # whatever comes is new
        return ids[0] if isinstance(ids[0], int) else None

    def count(self, resource: Resource, query: Query) -> int:
        """How many records the whole query has."""
        parameters = self._filter(resource, query)
        parameters.pop("fields", None)
        path = f"{resource.path}/count"
        if len(self._address(path, parameters)) > LONGEST_URL:
            raise InvalidQuery("where is too long to be counted; ask without returnCount")
        return int(self._decoded(self._get(path, parameters), _count, "a count").count)

    def create(self, resource: Resource, fields: Mapping[str, Any]) -> Record:
        raise OperationNotSupported(f"{resource.name} cannot be created yet")

    def replace(self, resource: Resource, record_id: str, fields: Mapping[str, Any]) -> Record:
        raise OperationNotSupported(f"{resource.name} cannot be replaced yet")

    def update(self, resource: Resource, record_id: str, fields: Mapping[str, Any]) -> Record:
        raise OperationNotSupported(f"{resource.name} cannot be changed yet")

    def delete(self, resource: Resource, record_id: str) -> None:
        raise OperationNotSupported(f"{resource.name} cannot be deleted yet")

    def _record(self, resource: Resource, answer: Answer) -> Record:
        fields = self._decoded(answer, _object, "an object")
        return Record(fields=self._hub_record(resource, fields), answered_at=self._date(answer))

    # What elements with words of their own do otherwise

    def _document(self, resource: Resource, fields: Mapping[str, Any], *, record_id: str | None) -> dict[str, Any]:
        """What a client wrote in the provider's words: its members at the top level, null to empty one.

        Of contacts it may hold `email`, `phone` and `fax`, which become communication items. `record_id` is None for
        a new record. Raises InvalidRecord.
        """
        return dict(fields)

    def _hub_record(self, resource: Resource, record: dict[str, Any]) -> dict[str, Any]:
        """A record as it is answered, in the hub's words."""
        return record

    def request(
        self, method: str, path: str, *, parameters: Mapping[str, str] | None = None, document: object = None
    ) -> Answer:
        """One call to `path` behind `/apis/3.0`, with a document as JSON. Raises where the answer is no 2xx."""
        if document is None:
            return self._call(method, path, parameters or {}, {})
        headers = {"Content-Type": "application/json"}
        return self._call(method, path, parameters or {}, headers, msgspec.json.encode(document))

    def _filter(self, resource: Resource, query: Query) -> dict[str, str]:
        asked = translate(query.where, resource=resource)
        parameters = {"conditions": asked.conditions, "childConditions": asked.child_conditions}
        if query.fields:
            parameters["fields"] = ",".join(self._fields(resource, query))
        return {name: value for name, value in parameters.items() if value}

    def _fields(self, resource: Resource, query: Query) -> Sequence[str]:
        """What the provider has to give for the fields asked for."""
        # Pages that follow the ids need them, and so does whoever reads the records.
        names = dict.fromkeys(("id", *query.fields)) if query.is_stable else query.fields
        return [path_of(name, resource=resource) for name in names]

    def _list(self, resource: Resource, parameters: dict[str, str], headers: Mapping[str, str] | None = None) -> Answer:
        if len(self._address(resource.path, parameters)) <= LONGEST_URL:
            return self._get(resource.path, parameters, headers)
        body = {
            name: parameters.pop(name) for name in ("conditions", "childConditions", "orderBy") if name in parameters
        }
        sent = {**(headers or {}), "Content-Type": "application/json"}
        return self._call("POST", f"{resource.path}/search", parameters, sent, msgspec.json.encode(body))

    def _get(self, path: str, parameters: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Answer:
        return self._call("GET", path, parameters, headers or {})

    def _address(self, path: str, parameters: Mapping[str, str]) -> str:
        return self._url + Call(method="GET", path=path, parameters=parameters).target()

    def _call(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes | None = None,
    ) -> Answer:
        try:
            return self._answer(Call(method=method, path=path, parameters=parameters, headers=headers, body=body))
        except DestinationRefused as error:
            raise DestinationRefused(f"{self._login.base_url_key}: {error}") from error
        except ConnectorError as error:
            error.provider_message = self._without_secrets(error.provider_message)
            better = explained(error, login=self._login, path=path, has_client_id="clientId" in self._headers)
            if better is error:
                raise
            raise better from error

    def _answer(self, call: Call) -> Answer:
        """The answer to a call, by the way in that this client has. Raises where it is no 2xx."""
        return self._send(call, url=self._url, headers={})

    def _send(self, call: Call, *, url: str, headers: Mapping[str, str]) -> Answer:
        """One request to `url`, which ends with `/apis/3.0`, with `headers` beside those of the login."""
        answer = fetch(
            call.method, url + call.target(), headers={**self._headers, **headers, **call.headers}, body=call.body
        )
        raise_for_status(answer)
        return answer

    def _without_secrets(self, text: str) -> str:
        for secret in (self._login.private_key.strip(), self._headers["Authorization"].removeprefix("Basic ")):
            if secret:
                text = text.replace(secret, "********")
        return text

    def _decoded(self, answer: Answer, decoder: msgspec.json.Decoder[Any], what: str) -> Any:
        try:
            answer.body.decode()  # the decoder does not look at the text that it steps over
            return decoder.decode(answer.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UnusableAnswer(
                f"ConnectWise answered with something that is not {what} in JSON, or not all of it",
                status=answer.status,
            ) from error

    def _date(self, answer: Answer) -> datetime:
        if answer.date is None:
            raise UnusableAnswer("ConnectWise answered without a readable Date header, so its clock is not known")
        return answer.date


def relations(answer: Answer) -> dict[str, str]:
    """The Link header as relation -> URL. URLs hold commas, so the header is not split at them."""
    return {relation.lower(): url for url, relation in _links.findall(answer.headers.get("Link", ""))}
