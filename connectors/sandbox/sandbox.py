"""A running sandbox, as tests and the command hold it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from connectors.sandbox.api import Account, ConnectWise, endpoint_of
from connectors.sandbox.behaviours import Behaviour, Behaviours
from connectors.sandbox.callbacks import Callbacks
from connectors.sandbox.clock import SandboxClock
from connectors.sandbox.consequences import Consequences
from connectors.sandbox.control import Control
from connectors.sandbox.endpoints import Endpoints
from connectors.sandbox.listing import parameters_of
from connectors.sandbox.server import Answer, LocalServer, Request
from connectors.sandbox.stock import Stock

LONGEST_LOG = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRequest:
    """One request as it came in, without its Authorization header."""

    method: str
    path: str
    """Whole, percent-decoded."""
    endpoint: str
    """Behind `apis/3.0`: `/company/contacts`."""
    query: Mapping[str, str]
    """Names in lower case, values decoded."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes = field(repr=False)


class SandboxFailed(Exception):
    """A hook, or the sandbox itself, raised while it answered; the request got a 500."""


class Sandbox:
    """A ConnectWise on loopback, with its records, its clock and its moods in reach.

    with Sandbox.start(contacts=50) as sandbox:
        sandbox.contacts.edit(7, at=sandbox.clock.now() - timedelta(minutes=3), title="CFO")
        sandbox.behave(path="/company/contacts", status=429, headers={"Retry-After": "7"})
    """

    def __init__(
        self,
        *,
        port: int = 0,
        contacts: int = 3_000,
        companies: int = 300,
        tickets: int = 2_000,
        time_entries: int | None = None,
        notes: int | None = None,
        configurations: int = 30,
        opportunities: int = 20,
        schedule_entries: int = 10,
        company: str = "acme",
        public_key: str = "sandboxPublic",
        private_key: str = "sandboxPrivate",
        integrator_username: str | None = None,
        integrator_password: str | None = None,
        require_client_id: bool = False,
        hidden_fractions: bool = False,
        seed: int = 1,
    ) -> None:
        """Port 0 takes a free one. Time entries and notes are as many as suit the tickets, unless told otherwise.

        `hidden_fractions`: stored stamps have the milliseconds that none shows.

        Without both words of the integrator login there is none. Raises ValueError for one without the other.
        """
        if (integrator_username is None) != (integrator_password is None):
            raise ValueError("integrator_username and integrator_password go together")
        self.company, self.public_key, self.private_key = company, public_key, private_key
        self.integrator_username, self.integrator_password = integrator_username, integrator_password
        self.clock = SandboxClock()
        lock = threading.RLock()
        counts = {
            "contacts": contacts,
            "companies": companies,
            "tickets": tickets,
            "time_entries": min(200, max(20, tickets // 10)) if time_entries is None else time_entries,
            "notes": min(100, max(20, tickets // 20)) if notes is None else notes,
            "configurations": configurations,
            "opportunities": opportunities,
            "schedule_entries": schedule_entries,
        }
        stock = Stock(counts, clock=self.clock, lock=lock, seed=seed, keeps_fractions=hidden_fractions)
        self.collections = stock.collections
        self.companies, self.contacts = stock.collections["companies"], stock.collections["contacts"]
        self.tickets, self.time_entries = stock.collections["tickets"], stock.collections["time_entries"]
        self.notes = stock.collections["notes"]
        """Of all tickets: `ticketId` says of which. Every change of one saves its ticket again."""
        self.configurations, self.opportunities = (
            stock.collections["configurations"],
            stock.collections["opportunities"],
        )
        self.user_defined_fields = stock.collections["user_defined_fields"]
        self.schedule_entries = stock.collections["schedule_entries"]
        self.registrations = stock.collections["registrations"]
        """What is registered for callbacks, at `/system/callbacks`."""
        self.attachments = stock.attachments
        """Which configurations a ticket is about."""
        self.tables = stock.tables
        """The set-up tables, by path: what the API shows of them can be changed, what references may name cannot."""
        self.behaviours = Behaviours()
        self.requests: list[LoggedRequest] = []
        """Everything asked of the API, oldest first; `clear()` it at will."""
        self.on_request: Callable[[LoggedRequest], None] | None = None
        """Called before a request is answered: a test can change records between two pages."""
        self._server = LocalServer(self._answer, port=port)
        self.url = self._server.url
        self.callbacks = Callbacks(
            url=self.url, company=company, seed=seed, clock=self.clock, registrations=self.registrations
        )
        """What is sent to those who registered, and how it goes wrong."""
        Consequences(self.collections, attachments=stock.attachments, announce=self.callbacks.announce)
        account = Account(
            company=company,
            public_key=public_key,
            private_key=private_key,
            requires_client_id=require_client_id,
            integrator=(integrator_username, integrator_password)
            if integrator_username is not None and integrator_password is not None
            else None,
        )
        endpoints = Endpoints(stock, lock=lock)
        self._api = ConnectWise(account, clock=self.clock, endpoints=endpoints, keys=self.callbacks.keys)
        self._control = Control(self)
        self.base_url = f"{self.url}/v4_6_release/apis/3.0"

    @classmethod
    def start(cls, **options: Any) -> Self:
        """A sandbox that answers. Takes what the constructor takes."""
        sandbox = cls(**options)
        sandbox.serve()
        return sandbox

    def serve(self) -> None:
        """Begin to answer, once."""
        self._server.start()

    def stop(self) -> None:
        """Raises SandboxFailed when a request or a callback met an error that was not scripted."""
        self._end()
        if failures := self._server.failures + self.callbacks.sender.failures:
            raise SandboxFailed(f"The sandbox could not answer or send: {failures[0]!r}") from failures[0]

    def _end(self) -> None:
        self.callbacks.sender.stop()
        self._server.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self.stop()
        else:  # what the test met matters more
            self._end()

    def credentials(self) -> dict[str, str]:
        """What a client needs, as `/_sandbox/credentials` answers it."""
        integrator = {"integratorUsername": self.integrator_username, "integratorPassword": self.integrator_password}
        return {name: value for name, value in integrator.items() if value is not None} | {
            "url": self.url,
            "baseUrl": self.base_url,
            "company": self.company,
            "publicKey": self.public_key,
            "privateKey": self.private_key,
        }

    def behave(
        self,
        *,
        path: str = "",
        method: str | None = None,
        times: int | None = 1,
        status: int | None = None,
        body: bytes | str | dict[str, object] | list[object] | None = None,
        headers: Mapping[str, str] | None = None,
        content_type: str | None = None,
        delay: float = 0.0,
        cut_after: int | None = None,
        seconds_per_byte: float = 0.0,
        drop: bool = False,
    ) -> Behaviour:
        """Answer the next `times` requests (None: until `behave_well`) under `path` by this script; see Behaviour.

        A `status` alone brings ConnectWise's own body: 429 with `Retry-After: 30`, 500 its time-out, 401, 403, and
        HTML for 502 to 504. `uses` of what is returned counts the requests it answered.
        """
        script = Behaviour(
            path=path,
            method=method,
            times=times,
            status=status,
            body=body,
            headers=headers or {},
            content_type=content_type,
            delay=delay,
            cut_after=cut_after,
            seconds_per_byte=seconds_per_byte,
            drop=drop,
        )
        self.behaviours.add(script)
        return script

    def behave_well(self) -> None:
        """Forget every script."""
        self.behaviours.clear()

    def _answer(self, request: Request) -> Answer:
        if request.path == "/_sandbox" or request.path.startswith("/_sandbox/"):
            return self._control.answer(request)
        endpoint = endpoint_of(request.path)
        headers = {name: value for name, value in request.headers.items() if name != "authorization"}
        logged = LoggedRequest(
            method=request.method,
            path=request.path,
            endpoint=endpoint,
            query=parameters_of(request.query),
            headers=headers,
            body=request.body,
        )
        if len(self.requests) >= LONGEST_LOG:
            del self.requests[: LONGEST_LOG // 2]
        self.requests.append(logged)
        if self.on_request is not None:
            self.on_request(logged)
        script = self.behaviours.take(method=request.method, paths=(endpoint, request.path))
        if script is None:
            return self._api.answer(request)
        if script.replaces_answer():
            return script.spoiled(self._api.with_headers(script.scripted()))
        return script.spoiled(self._api.answer(request))
