"""ConnectWise's side: routing, credentials, and the endpoints. What it refuses, it refuses in its own words."""

from __future__ import annotations

import base64
import re
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from connectors.sandbox import refusals
from connectors.sandbox.clock import SandboxClock
from connectors.sandbox.collection import API_MEMBER, Collection
from connectors.sandbox.listing import Listing, Parameters, count, fields_tree, listing, parameters_of, partial
from connectors.sandbox.refusals import JSON, TEXT, Refusal, encode
from connectors.sandbox.schema import Record
from connectors.sandbox.server import Answer, Request
from connectors.sandbox.signing import KEY_PATH, KeyRing
from connectors.sandbox.writing import Writer, json_body, json_object

CODEBASES = ("v4_6_release", "v2025_1")
LONGEST_TARGET = 10_000
REMEMBERED_PAGES = 16
_API_PATH = re.compile(r"/([^/]+)/{1,2}apis/3\.0(/.*)?", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The credentials that are right."""

    company: str
    public_key: str
    private_key: str
    requires_client_id: bool
    integrator: tuple[str, str] | None = None
    """User name and password of the integrator login; None: there is none."""

    def lets_in(self, pair: str, *, is_integrator: bool) -> bool:
        """`pair` is what follows `company+`: only the whole text tells, since either half may hold a colon."""
        if is_integrator:
            return self.integrator is not None and pair == ":".join(self.integrator)
        return pair == f"{self.public_key}:{self.private_key}"


def endpoint_of(path: str) -> str:
    """The path behind `apis/3.0`, or the whole one where it is none of the API's."""
    match = _API_PATH.fullmatch(path)
    return (match[2] or "/") if match else path


class ConnectWise:
    """Answers every request but those to `/_sandbox/`."""

    def __init__(
        self,
        account: Account,
        *,
        clock: SandboxClock,
        lock: threading.RLock,
        collections: Mapping[str, Collection],
        keys: KeyRing,
    ) -> None:
        self._account, self._clock, self._lock, self._keys = account, clock, lock, keys
        self._collections = {collection.schema.path: collection for collection in collections.values()}
        self._writers = {path: Writer(collection, others=collections) for path, collection in self._collections.items()}
        # Building a page of 1,000 contacts costs 10 ms and three megabytes: unchanged, it is sent again.
        self._recent: dict[tuple[object, ...], Listing] = {}
        self._endpoints: dict[str, Callable[[Request], Answer]] = {"/system/info": self._system_info}

    def answer(self, request: Request) -> Answer:
        try:
            return self.with_headers(self._route(request))
        except Refusal as refusal:
            return self.with_headers(refusal.answer)

    def with_headers(self, answer: Answer) -> Answer:
        """The answer with what every one carries, the clock's `Date` first."""
        common = (
            ("Date", self._clock.http_date()),
            ("api-current-version", "2025.1"),
            ("x-cw-request-id", str(uuid.uuid4())),
            ("x-server-name", "sandbox"),
        )
        return replace(answer, headers=answer.headers + common)

    def _route(self, request: Request) -> Answer:
        if len(request.path) + len(request.query) > LONGEST_TARGET:
            raise refusals.url_too_long()
        if request.path.lower().startswith("/login/companyinfo/"):
            return self._company_info(request.path.rsplit("/", 1)[1])
        if request.path == KEY_PATH:
            return self._signing_key(request)
        match = _API_PATH.fullmatch(request.path)
        if match is None:
            raise refusals.no_page()
        path = (match[2] or "").rstrip("/")
        if match[1].lower() not in CODEBASES or _API_PATH.search(path):
            raise refusals.cannot_route()
        self._authenticate(request)
        if path in self._endpoints:
            return self._endpoints[path](request)
        resource, _, rest = path.removeprefix("/").partition("/")
        name, _, rest = rest.partition("/")
        collection = self._collections.get(f"/{resource}/{name}".lower())
        if collection is None:
            raise refusals.no_endpoint()
        with self._lock:
            return self._answer_for(collection, rest, request)

    def _authenticate(self, request: Request) -> None:
        """The company inside the credentials routes first, then the keys count."""
        scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
        try:
            company, _, pair = base64.b64decode(encoded.strip(), validate=True).decode().partition("+")
        except ValueError:
            company = pair = ""
        if scheme.lower() != "basic" or ":" in company or ":" not in pair:
            raise refusals.not_authenticated()
        if company.lower() != self._account.company.lower():
            raise refusals.cannot_route()
        if self._account.requires_client_id and not _is_guid(request.headers.get("clientid", "")):
            raise refusals.client_id_missing()
        is_integrator = request.headers.get("x-cw-usertype", "").strip().lower() == "integrator"
        if not self._account.lets_in(pair, is_integrator=is_integrator):
            raise refusals.wrong_keys()

    def _company_info(self, company: str) -> Answer:
        """Needs no credentials; a company that is not known is answered 200 and null."""
        info: Record | None = {
            "CompanyName": self._account.company,
            "Codebase": "v2025_1/",
            "VersionCode": "v2025.1",
            "VersionNumber": "v4.6.99999",
            "CompanyID": self._account.company,
            "IsCloud": True,
        }
        return _json(200, info if company.lower() == self._account.company.lower() else None)

    def _signing_key(self, request: Request) -> Answer:
        """Needs no credentials. JSON that is called text."""
        _only(request, "GET")
        parameters = parameters_of(request.query)
        key = self._keys.find(company=parameters.get("companyname", ""), key_id=parameters.get("id", ""))
        if key is None:
            raise refusals.no_page()
        return Answer(status=200, body=encode({"signing_key": key}), headers=(("Content-Type", TEXT),))

    def _system_info(self, request: Request) -> Answer:
        _only(request, "GET")
        info = {
            "version": "v2025.1.99999",
            "isCloud": True,
            "serverTimeZone": "Eastern Standard Time",
            "cloudRegion": "NA",
            "licenseBits": [{"name": "AuditTrail", "activeFlag": True}],
        }
        return _json(200, info)

    def _answer_for(self, collection: Collection, rest: str, request: Request) -> Answer:
        parameters = parameters_of(request.query)
        if request.method in ("POST", "PUT", "PATCH"):
            _check_content_type(request)
        if rest == "":
            _only(request, "GET", "POST")
            return (
                self._list(collection, parameters, request)
                if request.method == "GET"
                else self._create(collection, request)
            )
        if rest == "count":
            _only(request, "GET")
            return _json(200, {"count": count(collection, parameters)})
        if rest == "search":
            _only(request, "POST")
            body = json_object(request.body)
            given = {name.lower(): str(value) for name, value in body.items() if value is not None}
            return self._list(collection, {**parameters, **given}, request)
        if not (rest.isascii() and rest.isdigit() and len(rest) <= 10):
            raise refusals.no_endpoint()
        _only(request, "GET", "PUT", "PATCH", "DELETE")
        return self._answer_for_record(collection, int(rest), request)

    def _list(self, collection: Collection, parameters: Parameters, request: Request) -> Answer:
        is_forward_only = request.headers.get("pagination-type", "").lower() == "forward-only"
        url = f"http://{request.headers.get('host', '127.0.0.1')}{request.path}"
        asked = (url, request.query, request.body, is_forward_only, collection.version)
        if asked not in self._recent:
            found = listing(collection, parameters, is_forward_only=is_forward_only, url=url, query=request.query)
            while len(self._recent) >= REMEMBERED_PAGES:
                del self._recent[next(iter(self._recent))]
            self._recent[asked] = found
        found = self._recent[asked]
        link = () if found.link is None else (("Link", found.link),)
        return Answer(status=200, body=found.body, headers=(("Content-Type", JSON), *link))

    def _create(self, collection: Collection, request: Request) -> Answer:
        tree = fields_tree(collection.schema, parameters_of(request.query))
        writer = self._writers[collection.schema.path]
        body = json_object(request.body)
        saved = collection.save(writer.new(body, record_id=collection.next_id()), by=API_MEMBER)
        return _json(201, partial(saved, tree), ("Location", f"{request.path.rstrip('/')}/{saved['id']}"))

    def _answer_for_record(self, collection: Collection, record_id: int, request: Request) -> Answer:
        tree = fields_tree(collection.schema, parameters_of(request.query))
        row = collection.row(record_id)
        if row is None:
            raise refusals.not_found(collection.schema.kind, record_id)
        if request.method == "GET":
            if tree is None:
                return Answer(status=200, body=row.encoded, headers=(("Content-Type", JSON),))
            return _json(200, partial(row.record, tree))
        if request.method == "DELETE":
            self._refuse_if_used(collection, record_id)
            collection.delete(record_id, by=API_MEMBER)
            return Answer(status=204)
        writer = self._writers[collection.schema.path]
        if request.method == "PUT":
            record = writer.replaced(row.record, json_object(request.body))
        else:
            record = writer.patched(collection.get(record_id), json_body(request.body))
        return _json(200, partial(collection.save(record, by=API_MEMBER), tree))

    def _refuse_if_used(self, collection: Collection, record_id: int) -> None:
        """A company with contacts or tickets stays."""
        if collection.schema.kind != "Company":
            return
        for other in self._collections.values():
            if any((row.record.get("company") or {}).get("id") == record_id for row in other.rows()):
                raise refusals.in_use("Company", record_id)


def _json(status: int, value: object, *headers: tuple[str, str]) -> Answer:
    return Answer(status=status, body=encode(value), headers=(("Content-Type", JSON), *headers))


def _only(request: Request, *methods: str) -> None:
    if request.method not in methods:
        raise refusals.verb_not_supported(request.method)


def _check_content_type(request: Request) -> None:
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise refusals.wrong_content_type()


def _is_guid(text: str) -> bool:
    try:
        return bool(uuid.UUID(text))
    except ValueError:
        return False
