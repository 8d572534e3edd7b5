"""The drain: claim what is due, send it, write down how it went, until nothing is due any more.

Any number of drains run side by side. One ends by itself; what it leaves behind when it is killed is claimed again
when the lease ends. Its thread signs and drives the requests, while the clerk's works on the database: a transaction
is never open for as long as a request takes.
"""

from __future__ import annotations

import logging
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import count

from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from connectors.egress import OutboundRequest, Outcome, Sender
from events import claims, doorbell, outcomes, retries, senders, signing
from events.claims import LEASE, Claim
from events.clerk import Clerk
from events.models import Delivery
from events.outcomes import DATABASE_AWAY, Ended
from events.retries import ErrorClass, Try, Verdict
from events.senders import ATTEMPT_SECONDS
from events.windows import Windows
from instances import retry_schedules, signing_keys
from instances.encryption import KeyMissing
from instances.signing_keys import SigningKey

logger = logging.getLogger(__name__)

TICK_SECONDS = 0.05
"""How often to ask whether the worker stops; everything else ends a wait by itself."""
STOP_SECONDS = 10.0
"""How long requests under way may still take when the worker stops."""
MARGIN_SECONDS = LEASE.total_seconds() / 6
START_WITHIN_SECONDS = LEASE.total_seconds() - ATTEMPT_SECONDS - MARGIN_SECONDS
"""After its claim; later, the attempt might outlive the lease."""
FRESH_SECONDS = min(START_WITHIN_SECONDS, 5.0)
"""After its claim; later, URL, keys or the switch may be others by now, and it is claimed anew."""
if START_WITHIN_SECONDS <= ATTEMPT_SECONDS:  # a claim must survive waiting for the attempt before its own
    raise ImproperlyConfigured("DELIVERY_LEASE_SECONDS must be three times DELIVERY_ATTEMPT_SECONDS or more")


@dataclass(slots=True)
class Drained:
    """What one drain did."""

    attempts: int = 0
    delivered: int = 0
    not_sent: int = 0
    """Claims given back or put aside."""


def drain(*, is_stopping: Callable[[], bool] = lambda: False, waits_for_recovery: bool = False) -> Drained:
    """Deliver everything that is due. Once `is_stopping` says so, end within STOP_SECONDS and give the rest back.

    With `waits_for_recovery` it goes on while any receiver is sent to slowly: otherwise what each next sweep finds
    permitted would go at once.
    """
    # Whatever is committed from here on rings again, so it needs not be seen by the claims below.
    doorbell.DELIVERIES.answer()
    with senders.borrowed() as (sender, windows):
        drained = _Drain(sender, windows, is_stopping, waits_for_recovery=waits_for_recovery).run()
    if drained.attempts or drained.not_sent:
        logger.info(
            "deliveries drained",
            extra={"attempts": drained.attempts, "delivered": drained.delivered, "not_sent": drained.not_sent},
        )
    return drained


class _Drain:
    def __init__(
        self, sender: Sender, windows: Windows, is_stopping: Callable[[], bool], *, waits_for_recovery: bool
    ) -> None:
        self._sender = sender
        self._windows = windows
        self._is_stopping = is_stopping
        self._clerk = Clerk(windows, wake=sender.wake, waits_for_recovery=waits_for_recovery)
        self._waiting: dict[tuple[int, int], deque[Claim]] = {}
        """By lane and subscription."""
        self._sent: dict[int, Claim] = {}
        """By request, not by delivery: one whose lease ended while it was under way may have been claimed anew."""
        self._requests = count(1)
        self._ended: list[Ended] = []
        self._keys: dict[str, tuple[SigningKey, ...] | None] = {}
        self._drained = Drained()

    def run(self) -> Drained:
        try:
            with self._clerk:
                try:
                    self._work()
                except DATABASE_AWAY as error:
                    # Receivers are told once: what they answer now is written down when the database is back.
                    if connection.in_atomic_block or not (self._sent or self._ended or self._clerk.ended):
                        raise
                    logger.warning("drain broken off, the database is away", extra={"error": type(error).__name__})
                    self._finish()
        finally:
            self._settle()
        return self._drained

    def _work(self) -> None:
        """Send what the clerk claims, until nothing is due or the worker stops. Raises where the database is away."""
        deadline: float | None = None
        while True:
            if deadline is None and self._is_stopping():
                deadline = time.monotonic() + STOP_SECONDS
                self._clerk.stop_claiming()
            self._take_over()
            if deadline is None:
                self._start()
            else:
                self._give_back([claim for queue in self._waiting.values() for claim in queue])
                self._waiting.clear()
            self._hand_over()
            if not self._sent and not self._waiting and self._clerk.is_idle:
                break
            if deadline is not None and time.monotonic() > deadline:
                break
            self._wait()

    def _finish(self) -> None:
        """Wait for the receivers that were asked; none of them takes longer than an attempt may."""
        deadline: float | None = None
        while self._sent and (deadline is None or time.monotonic() <= deadline):
            if deadline is None and self._is_stopping():
                deadline = time.monotonic() + STOP_SECONDS
            self._wait()

    def _settle(self) -> None:
        """When the clerk has gone: write what it left, and give back what was not sent or had no answer."""
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()
        if ended := [*self._clerk.ended, *self._ended]:
            outcomes.store(ended)
        for given, wait in self._clerk.given_back:
            claims.release(given, wait=wait)
        unsent = [claim for queue in self._waiting.values() for claim in queue] + self._clerk.found
        claims.release([*unsent, *self._sent.values()])
        self._windows.gave_back(unsent)
        self._drained.not_sent += len(unsent) + len(self._sent) + self._clerk.parked

    def _wait(self) -> None:
        if self._sent:
            self._take(self._sender.wait(TICK_SECONDS))
        else:
            self._clerk.wait(TICK_SECONDS)

    def _take_over(self) -> None:
        if found := self._clerk.take_over():
            self._keys.clear()
            for claim in found:
                key = (claim.lane, claim.subscription_id)
                if (queue := self._waiting.get(key)) is None:
                    queue = self._waiting[key] = deque()
                queue.append(claim)

    def _start(self) -> None:
        """Send what waits, one of each lane in turn, as far as requests may be under way at once."""
        latest = time.monotonic() - FRESH_SECONDS
        with self._clerk.lock:
            for lane in (Delivery.LIVE, Delivery.AGAIN):
                queues = [queue for key, queue in self._waiting.items() if key[0] == lane]
                while queues:
                    queues = [queue for queue in queues if self._start_next(queue, latest)]
        self._waiting = {key: queue for key, queue in self._waiting.items() if queue}

    def _start_next(self, queue: deque[Claim], latest: float) -> bool:
        """Send the first of a lane, if it may be. Says whether to go on with this lane."""
        claim = queue[0]
        if claim.claimed_at < latest:
            self._give_back([queue.popleft()])
        elif (keys := self._signing_keys(claim)) is None:
            self._give_back([queue.popleft()], wait=retries.OWN_FAULT_WAIT)
        elif self._windows.start(claim):
            self._send(queue.popleft(), keys)
        else:
            return False
        return bool(queue)

    def _send(self, claim: Claim, keys: Sequence[str]) -> None:
        headers = signing.headers(
            delivery_id=claim.delivery_id,
            event_id=claim.event_id,
            body=claim.body,
            keys=keys,
            is_legacy_signed_by_old=claim.is_legacy_signed_by_old,
            timestamp=int(time.time()),
        )
        key = next(self._requests)
        self._sent[key] = claim
        self._sender.start(OutboundRequest(key, claim.url, headers, claim.body))

    def _signing_keys(self, claim: Claim) -> list[str] | None:
        """Those that sign now. None when FERNET_KEYS lacks the key, and then nothing may be sent.

        Decrypted once per claimed batch.
        """
        encrypted = claim.signing_keys_encrypted
        if encrypted not in self._keys:
            try:
                self._keys[encrypted] = signing_keys.read(encrypted)
            except KeyMissing:
                self._keys[encrypted] = None
                logger.exception("signing key not readable, nothing sent", extra={"instance": claim.instance_id})
        keys = self._keys[encrypted]
        if keys is None:
            return None
        lasting = [key.text for key in keys if key.ends_at is None]
        return lasting if len(lasting) == len(keys) else signing_keys.alive(keys, at=claim.database_now())

    def _take(self, answers: list[Outcome]) -> None:
        now = time.monotonic()
        with self._clerk.lock:
            for outcome in answers:
                claim = self._sent.pop(outcome.key)
                ended = _judged(claim, outcome)
                self._windows.end(
                    claim,
                    seconds=outcome.duration_ms / 1000,
                    is_timeout=ended.error_class == ErrorClass.TIMEOUT,
                    now=now,
                )
                self._ended.append(ended)
                self._count(ended)

    def _count(self, ended: Ended) -> None:
        self._drained.attempts += 1
        if ended.error_class == ErrorClass.NONE:
            self._drained.delivered += 1
            return
        logger.info(
            "attempt failed",
            extra={
                "delivery": ended.claim.delivery_id,
                "subscription": ended.claim.subscription_id,
                "status": ended.status,
                "error_class": str(ended.error_class),
                "attempt": ended.claim.epoch,
            },
        )

    def _hand_over(self) -> None:
        is_last = not self._sent and not self._waiting
        self._clerk.write(self._ended, is_last=is_last)
        self._ended = []

    def _give_back(self, given: Sequence[Claim], *, wait: timedelta = retries.NOTHING) -> None:
        if given:
            with self._clerk.lock:
                self._windows.gave_back(given)
            self._clerk.release(given, wait=wait)
            self._drained.not_sent += len(given)


def _judged(claim: Claim, outcome: Outcome) -> Ended:
    error_class = ErrorClass(outcome.error_class) if outcome.status is None else retries.error_class_of(outcome.status)
    if error_class is ErrorClass.NONE:  # nearly always
        verdict, retry_after = retries.success(attempts_made=claim.attempts_made), None
    else:
        verdict, retry_after = _judged_failure(claim, outcome, error_class)
    return Ended(
        claim=claim,
        verdict=verdict,
        started_at=outcome.started_at,
        duration_ms=outcome.duration_ms,
        status=outcome.status,
        error_class=error_class,
        error=outcome.error,
        excerpt=outcome.excerpt,
        retry_after=retry_after,
    )


def _judged_failure(claim: Claim, outcome: Outcome, error_class: ErrorClass) -> tuple[Verdict, timedelta | None]:
    failing_for = claim.failing_for
    if failing_for is not None:
        failing_for += timedelta(seconds=time.monotonic() - claim.claimed_at)
    attempt = Try(
        status=outcome.status,
        error_class=error_class,
        error=outcome.error,
        retry_after=retries.parse_retry_after(
            outcome.retry_after, now=outcome.started_at + timedelta(milliseconds=outcome.duration_ms)
        ),
        attempts_made=claim.attempts_made,
        failing_for=failing_for,
        failure_policy=claim.failure_policy,
        schedule=retry_schedules.schedule_of(claim.retry_schedule),
    )
    return retries.judge(attempt, chance=random.random()), attempt.retry_after
