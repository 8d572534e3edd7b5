"""ConnectWise's side: routing and credentials. What it refuses, it refuses in its own words."""

from __future__ import annotations

import base64
import re
import uuid
from dataclasses import dataclass, replace

from connectors.sandbox import refusals
from connectors.sandbox.answers import json_answer, only
from connectors.sandbox.clock import SandboxClock
from connectors.sandbox.endpoints import Endpoints
from connectors.sandbox.listing import parameters_of
from connectors.sandbox.refusals import TEXT, Refusal, encode
from connectors.sandbox.schema import Record
from connectors.sandbox.server import Answer, Request
from connectors.sandbox.signing import KEY_PATH, KeyRing

CODEBASES = ("v4_6_release", "v2025_1")
LONGEST_TARGET = 10_000
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

    def __init__(self, account: Account, *, clock: SandboxClock, endpoints: Endpoints, keys: KeyRing) -> None:
        self._account, self._clock, self._endpoints, self._keys = account, clock, endpoints, keys

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
        if path == "/system/info":
            return self._system_info(request)
        return self._endpoints.answer(path, request)

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
        return json_answer(200, info if company.lower() == self._account.company.lower() else None)

    def _signing_key(self, request: Request) -> Answer:
        """Needs no credentials. JSON that is called text."""
        only(request, "GET")
        parameters = parameters_of(request.query)
        key = self._keys.find(company=parameters.get("companyname", ""), key_id=parameters.get("id", ""))
        if key is None:
            raise refusals.no_page()
        return Answer(status=200, body=encode({"signing_key": key}), headers=(("Content-Type", TEXT),))

    def _system_info(self, request: Request) -> Answer:
        only(request, "GET")
        info = {
            "version": "v2025.1.99999",
            "isCloud": True,
            "serverTimeZone": "Eastern Standard Time",
            "cloudRegion": "NA",
            "licenseBits": [{"name": "AuditTrail", "activeFlag": True}],
        }
        return json_answer(200, info)


def _is_guid(text: str) -> bool:
    try:
        return bool(uuid.UUID(text))
    except ValueError:
        return False
