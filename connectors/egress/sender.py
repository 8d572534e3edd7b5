"""Many callbacks at once: one libcurl multi handle, driven by whoever owns the `Sender`.

The hot path is `start` and `wait`: per request a handful of options on a reused handle, and no parsing of a URL
that was seen before.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pycurl
from django.conf import settings

from connectors.egress import resolver as resolvers
from connectors.egress.addresses import Address, Network
from connectors.egress.authorities import ca_file
from connectors.egress.destinations import Destination, allowed_networks, parse, refuse_unless_public
from connectors.egress.outbound import (
    ANSWERED,
    INTERNAL,
    REFUSED_DESTINATION,
    TIMEOUT,
    OutboundRequest,
    Outcome,
    class_of_lookup,
)
from connectors.egress.readiness import HAS_EPOLL, SELECTABLE, Readiness
from connectors.egress.resolver import Answers, Resolver
from connectors.egress.transfers import Slot, header_lines
from connectors.errors import DestinationRefused, TryLater

MOST_CONNECTIONS = 20_000
OTHER_FILES = 124
"""Of the process, beside connections."""
MOST_PLANS = 10_000
LOOKUP_CHECK_SECONDS = 0.005
SILENCE_CHECK_SECONDS = 0.2
"""How often to look for receivers that were silent for too long."""


@dataclass(slots=True)
class _Plan:
    """What is known of a URL: read once, checked once per answer of the DNS."""

    destination: Destination
    answered: Future[Answers] | None = None
    """The lookup that `addresses` came from; None for a literal."""
    addresses: frozenset[Address] = frozenset()
    pin: list[str] = field(default_factory=list)
    """The same for CURLOPT_RESOLVE; empty for a literal."""


@dataclass(slots=True)
class _Waiting:
    """A request whose name is being looked up."""

    request: OutboundRequest
    plan: _Plan
    lookup: Future[Answers]
    started_at: datetime
    began: float


class Sender:
    """Sends up to `concurrency` requests at a time from one thread, keeping connections alive between them.

    `connect_timeout` (name, connection, TLS handshake), `first_byte_timeout` (from then until an answer begins) and
    `timeout` (all of it) are in seconds. Make it in the process that uses it: a fork must not share its connections.
    """

    def __init__(
        self,
        concurrency: int,
        *,
        connect_timeout: float = 5.0,
        first_byte_timeout: float = 10.0,
        timeout: float = 15.0,
        resolver: Resolver | None = None,
    ) -> None:
        self.concurrency = concurrency
        self._connect_timeout = connect_timeout
        self._first_byte_timeout = first_byte_timeout
        self._timeout = timeout
        self._resolver = resolver or resolvers.default
        self._ca_file = ca_file(settings.EGRESS_CA_BUNDLE)
        self._networks: Sequence[Network] = ()
        self._networks_set: object = None
        self._plans: dict[str, _Plan] = {}
        self._idle: list[Slot] = []
        self._running: dict[Any, Slot] = {}
        self._waiting: list[_Waiting] = []
        self._ready: list[Outcome] = []
        self._silence_checked_at = 0.0
        self._multi = pycurl.CurlMulti()
        self._readiness = Readiness(self._multi)
        room = connection_room()
        self._multi.setopt(pycurl.M_MAX_TOTAL_CONNECTIONS, room)
        # Closing live connections to make room for others costs a handshake each: keep several times what is in use.
        self._multi.setopt(pycurl.M_MAXCONNECTS, min(max(5 * concurrency, 50), room))

    @property
    def in_flight(self) -> int:
        """Requests started whose outcome `wait` has not returned yet."""
        return len(self._running) + len(self._waiting) + len(self._ready)

    def start(self, request: OutboundRequest) -> None:
        """Begin a request. Never blocks and never raises for what is wrong with it: its outcome says so."""
        began, started_at = time.monotonic(), datetime.now(UTC)
        try:
            plan = self._plan(request.url)
            if plan.destination.address is None:
                lookup = self._resolver.start(plan.destination.host)
                if not lookup.done():
                    self._waiting.append(_Waiting(request, plan, lookup, started_at, began))
                    return
                self._pin(plan, lookup)
        except DestinationRefused as refused:
            self._fail(request.key, REFUSED_DESTINATION, str(refused), started_at, began)
        except TryLater as unknown:
            self._fail(request.key, class_of_lookup(unknown), str(unknown), started_at, began)
        else:
            self._launch(request, plan, started_at, began)

    def wait(self, timeout_seconds: float) -> list[Outcome]:
        """Drive the transfers until one or more have ended, `wake` is called, or `timeout_seconds` have passed."""
        now = time.monotonic()
        deadline = now + timeout_seconds
        is_woken = False
        while True:
            if self._waiting:
                self._launch_resolved()
            if self._running:
                self._multi.perform()
                self._collect()
                if now - self._silence_checked_at >= SILENCE_CHECK_SECONDS:
                    self._silence_checked_at = now
                    self._break_off_silent()
            if self._ready or is_woken or now >= deadline or not self.in_flight:
                ready, self._ready = self._ready, []
                return ready
            is_woken = self._sleep(deadline - now)
            now = time.monotonic()

    def wake(self) -> None:
        """End `wait`, from another thread."""
        self._readiness.wake()

    def close(self) -> None:
        """Break off what is running and close every connection. Outcomes not yet returned are lost."""
        for handle in self._running:
            self._multi.remove_handle(handle)
            handle.close()
        for slot in self._idle:
            slot.handle.close()
        self._running, self._idle, self._waiting, self._ready = {}, [], [], []
        self._multi.close()
        self._readiness.close()

    def _plan(self, url: str) -> _Plan:
        networks = settings.EGRESS_ALLOW_NETWORKS
        if networks is not self._networks_set or len(self._plans) >= MOST_PLANS:
            self._networks_set, self._networks = networks, allowed_networks()
            self._plans.clear()
        plan = self._plans.get(url)
        if plan is None:
            destination = parse(url)
            plan = _Plan(destination)
            if destination.address is not None:
                plan.addresses = frozenset([destination.address])
                refuse_unless_public(destination, plan.addresses, allowed=self._networks)
                if destination.host == "localhost" or destination.host.endswith(".localhost"):
                    plan.pin = [_pin(destination, [destination.address])]
            self._plans[url] = plan
        return plan

    def _pin(self, plan: _Plan, lookup: Future[Answers]) -> None:
        """Check what the DNS answered and hold the plan to it. Raises DestinationRefused, TryLater."""
        if plan.answered is lookup:
            return
        if (failure := lookup.exception()) is not None:
            raise type(failure)(str(failure))
        found = lookup.result()
        refuse_unless_public(plan.destination, found, allowed=self._networks)
        plan.answered, plan.addresses, plan.pin = lookup, frozenset(found), [_pin(plan.destination, found)]

    def _launch_resolved(self) -> None:
        waiting, self._waiting = self._waiting, []
        now = time.monotonic()
        for one in waiting:
            if one.lookup.done():
                try:
                    self._pin(one.plan, one.lookup)
                except DestinationRefused as refused:
                    self._fail(one.request.key, REFUSED_DESTINATION, str(refused), one.started_at, one.began)
                except TryLater as unknown:
                    self._fail(one.request.key, class_of_lookup(unknown), str(unknown), one.started_at, one.began)
                else:
                    self._launch(one.request, one.plan, one.started_at, one.began, waited=now - one.began)
            elif now - one.began > min(self._connect_timeout, self._timeout):
                late = self._resolver.too_late(one.plan.destination.host)
                self._fail(one.request.key, class_of_lookup(late), str(late), one.started_at, one.began)
            else:
                self._waiting.append(one)

    def _launch(
        self, request: OutboundRequest, plan: _Plan, started_at: datetime, began: float, *, waited: float = 0.0
    ) -> None:
        try:
            lines = header_lines(request.headers)
        except ValueError as invalid:
            self._fail(request.key, INTERNAL, str(invalid), started_at, began)
            return
        slot = self._idle.pop() if self._idle else self._new_slot()
        handle = slot.handle
        slot.key, slot.started_at, slot.began, slot.addresses = request.key, started_at, began, plan.addresses
        timeout_ms = max(1, int((self._timeout - waited) * 1000))
        if slot.timeout_ms != timeout_ms:
            handle.setopt(pycurl.TIMEOUT_MS, timeout_ms)
            slot.timeout_ms = timeout_ms
        if slot.url != plan.destination.url:
            handle.setopt(pycurl.URL, plan.destination.url)
            slot.url = plan.destination.url
        if plan.pin:
            handle.setopt(pycurl.RESOLVE, plan.pin)
        handle.setopt(pycurl.HTTPHEADER, lines)
        handle.setopt(pycurl.POSTFIELDS, request.body)
        self._multi.add_handle(handle)
        self._running[handle] = slot

    def _new_slot(self) -> Slot:
        return Slot(self._ca_file, connect_timeout=self._connect_timeout, on_connection=self._readiness.watch)

    def _break_off_silent(self) -> None:
        """End what has been connected for long enough, without a byte of an answer."""
        now = time.monotonic()
        silent = []
        for slot in self._running.values():  # the longest running first
            if slot.began > now - self._first_byte_timeout:
                break
            if not slot.head and slot.connected_for(now) >= self._first_byte_timeout:
                silent.append(slot)
        for slot in silent:
            del self._running[slot.handle]
            message = f"No answer began within {self._first_byte_timeout:g} seconds"
            self._fail(slot.key, TIMEOUT, message, slot.started_at, slot.began)
            self._release(slot)

    def _collect(self) -> None:
        queued = 1
        while queued:
            queued, answered, failed = self._multi.info_read()
            for handle in answered:
                slot = self._running.pop(handle)
                self._answered(slot)
                self._release(slot)
            for handle, code, message in failed:
                slot = self._running.pop(handle)
                if code == pycurl.E_WRITE_ERROR and slot.is_full:
                    self._answered(slot)
                else:
                    self._fail(slot.key, *slot.failure(code, message), slot.started_at, slot.began)
                self._release(slot)

    def _answered(self, slot: Slot) -> None:
        status = slot.handle.getinfo(pycurl.RESPONSE_CODE)
        retry_after = None if 200 <= status < 300 else slot.retry_after()
        duration_ms = int((time.monotonic() - slot.began) * 1000)
        outcome = Outcome(slot.key, status, ANSWERED, "", retry_after, slot.excerpt, slot.started_at, duration_ms)
        self._ready.append(outcome)

    def _fail(self, key: int, error_class: str, error: str, started_at: datetime, began: float) -> None:
        duration_ms = int((time.monotonic() - began) * 1000)
        self._ready.append(Outcome(key, None, error_class, error, None, b"", started_at, duration_ms))

    def _release(self, slot: Slot) -> None:
        self._multi.remove_handle(slot.handle)
        slot.clear()
        self._idle.append(slot)

    def _sleep(self, seconds: float) -> bool:
        """Until something happened, libcurl has something to time out, or a name may have been found.

        Says whether somebody called `wake`.
        """
        if self._waiting:
            seconds = min(seconds, LOOKUP_CHECK_SECONDS)
        if self._running:
            due_ms = self._multi.timeout()
            if due_ms >= 0:
                seconds = min(seconds, due_ms / 1000)
            seconds = min(seconds, SILENCE_CHECK_SECONDS)
        return self._readiness.wait(seconds)


def _pin(destination: Destination, addresses: Sequence[Address]) -> str:
    written = ",".join(f"[{address}]" if address.version == 6 else str(address) for address in addresses)
    return f"{destination.host}:{destination.port}:{written}"


def connection_room() -> int:
    """How many connections fit into this process beside its other files; it is allowed all the files it may have."""
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files < most:
        files = most
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, most))
    if not HAS_EPOLL:
        files = min(files, SELECTABLE)
    return max(16, min(MOST_CONNECTIONS, files - OTHER_FILES))
