"""What the elements of ConnectWise PSA share: signing in, asking for records of the REST API 3.0, reading answers."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec
from django.conf import settings

from connectors.egress import Answer, fetch, raise_for_status
from connectors.element import Resource
from connectors.errors import (
    ConnectorError,
    CredentialsRefused,
    DestinationRefused,
    InvalidQuery,
    PermissionRefused,
    RecordNotFound,
    RequestRefused,
    UnusableAnswer,
)
from connectors.records import LARGEST_PAGE_SIZE, Page, Query, Record
from connectors.vendors.connectwise_conditions import order_of, path_of, translate

API_PATH = "/apis/3.0"
EXAMPLE_URL = "https://api-na.myconnectwise.net/v4_6_release/apis/3.0"
# Without a version the newest record model is served, and fields change their names between models.
MODEL = "application/vnd.connectwise.com+json; version=2025.1"
# ConnectWise asks for URLs under 2,000 characters; longer conditions travel in the body of a search.
LONGEST_URL = 1800

_links = re.compile(r'<([^>]*)>\s*;\s*rel="?([a-z]+)"?', re.IGNORECASE)
_is_record_id = re.compile(r"[0-9]{1,18}").fullmatch
_is_client_id = re.compile(r"[\x21-\x7e]+").fullmatch


class _Identified(msgspec.Struct):
    """Decoding a page to these checks that it is a complete list of objects, and costs a tenth of decoding it all."""

    id: Any = None


class _Count(msgspec.Struct):
    count: int


_list_of_objects = msgspec.json.Decoder(list[_Identified])
_object = msgspec.json.Decoder(dict[str, Any])
_count = msgspec.json.Decoder(_Count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """One API member's way in. `*_key` are the configuration keys, to name in messages for people."""

    base_url: str
    company: str
    public_key: str
    private_key: str = field(repr=False)
    client_id: str = ""
    base_url_key: str = "baseUrl"
    credentials_keys: str = "company, public.key and private.key"
    client_id_key: str = "connectwise.clientID"

    def api_url(self) -> str:
        """The URL up to `/apis/3.0`, without a trailing slash. Raises RequestRefused with the way to write it."""
        url = self.base_url.strip().rstrip("/")
        try:
            parts = urlsplit(url)
        except ValueError:
            parts = urlsplit("")
        if not parts.hostname or parts.scheme.lower() not in ("http", "https"):
            raise RequestRefused(f"{self.base_url_key} is no URL; a complete one reads {EXAMPLE_URL}")
        if parts.query or parts.fragment:
            raise RequestRefused(f"{self.base_url_key} must end with {API_PATH}, without ? and # behind it")
        if parts.path.lower().count(API_PATH) != 1 or not parts.path.lower().endswith(API_PATH):
            raise RequestRefused(
                f"{self.base_url_key} must contain {API_PATH} once, at its end; a complete one reads {EXAMPLE_URL}"
            )
        return url

    def headers(self) -> dict[str, str]:
        """Raises RequestRefused for a client id that no header can carry."""
        pair = f"{self.company.strip()}+{self.public_key.strip()}:{self.private_key.strip()}"
        headers = {"Authorization": f"Basic {b64encode(pair.encode()).decode()}", "Accept": MODEL}
        if client_id := self.client_id.strip() or settings.CONNECTWISE_CLIENT_ID.strip():
            if not _is_client_id(client_id):
                raise RequestRefused(f"{self.client_id_key} holds characters that no client id has")
            headers["clientId"] = client_id
        return headers


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
            raise RequestRefused(
                f"ConnectWise has nothing at this address: check the host and the codebase in "
                f"{self._login.base_url_key} (a complete one reads {EXAMPLE_URL}); on the cloud it may also mean "
                f"that {self._login.credentials_keys} are wrong",
                provider_message=error.provider_message,
                status=error.status,
            ) from error
        self._decoded(answer, _object, "an object")
        return self._date(answer)

    def find(self, resource: Resource, query: Query) -> Page:
        """One page. A stable query follows the ids and takes no `order_by`."""
        size = max(1, min(query.page_size, LARGEST_PAGE_SIZE))
        parameters = {"pageSize": str(size), **self._filter(resource, query)}
        if query.is_stable:
            return self._find_behind_id(resource, query, parameters)
        parameters["page"] = str(query.page)
        parameters["orderBy"] = order_of(query.order_by) if query.order_by else "id asc"
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
        return Record(fields=self._decoded(answer, _object, "an object"), answered_at=self._date(answer))

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
            # Pages that follow the ids need them, and so does whoever reads the records.
            names = dict.fromkeys(("id", *query.fields)) if query.is_stable else query.fields
            parameters["fields"] = ",".join(path_of(name) for name in names)
        return {name: value for name, value in parameters.items() if value}

    def _list(self, resource: Resource, parameters: dict[str, str], headers: Mapping[str, str] | None = None) -> Answer:
        if len(self._address(resource.path, parameters)) <= LONGEST_URL:
            return self._get(resource.path, parameters, headers)
        body = {
            name: parameters.pop(name) for name in ("conditions", "childConditions", "orderBy") if name in parameters
        }
        return self._call(
            "POST",
            f"{resource.path}/search",
            parameters,
            {**(headers or {}), "Content-Type": "application/json"},
            msgspec.json.encode(body),
        )

    def _get(self, path: str, parameters: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Answer:
        return self._call("GET", path, parameters, headers or {})

    def _address(self, path: str, parameters: Mapping[str, str]) -> str:
        query = urlencode(parameters, quote_via=quote, safe="")
        return f"{self._url}{path}?{query}" if query else f"{self._url}{path}"

    def _call(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes | None = None,
    ) -> Answer:
        try:
            answer = fetch(method, self._address(path, parameters), headers={**self._headers, **headers}, body=body)
            raise_for_status(answer)
        except DestinationRefused as error:
            raise DestinationRefused(f"{self._login.base_url_key}: {error}") from error
        except ConnectorError as error:
            error.provider_message = self._without_secrets(error.provider_message)
            if (explained := self._explained(error, path)) is error:
                raise
            explained.codes = error.codes
            raise explained from error
        return answer

    def _explained(self, error: ConnectorError, path: str) -> ConnectorError:
        """The same error in words that name the field to look at."""
        login, said = self._login, error.provider_message
        match error:
            case CredentialsRefused():
                hint = (
                    ""
                    if "clientId" in self._headers
                    else f"; {login.client_id_key} is not set, and the cloud asks for one"
                )
                return CredentialsRefused(
                    f"ConnectWise refused the credentials: check {login.credentials_keys}{hint}",
                    provider_message=said,
                    status=error.status,
                )
            case PermissionRefused():
                return PermissionRefused(
                    f"ConnectWise refused access to {path}: the security role of the API member lacks the right",
                    provider_message=said,
                    status=error.status,
                )
            case RecordNotFound():
                return RecordNotFound(f"ConnectWise has nothing at {path}", provider_message=said, status=error.status)
            case RequestRefused() if "cannot route" in said.casefold():
                # Plain text, status 400, for a wrong codebase as well as for a wrong company id.
                return RequestRefused(
                    f"ConnectWise knows no such company at this address: check {login.base_url_key} "
                    f"(a complete one reads {EXAMPLE_URL}) and the company id",
                    provider_message=said,
                    status=error.status,
                )
            case RequestRefused() if error.status is not None and error.status < 400:
                return RequestRefused(f"{login.base_url_key}: {error}", provider_message=said, status=error.status)
            case RequestRefused() if "ssl is required" in said.casefold():
                return RequestRefused(
                    f"{login.base_url_key} names a host for people: hosts for programs begin with api-, "
                    f"as in {EXAMPLE_URL}",
                    provider_message=said,
                    status=error.status,
                )
        return error

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
