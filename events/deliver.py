"""The drain: claim what is due, send it, write down how it went, until nothing is due any more.

Any number of drains run side by side. One ends by itself; what it leaves behind when it is killed is claimed again
when the lease ends. While requests are under way no transaction is open.
"""

from __future__ import annotations

import logging
import os
import random
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError, OperationalError, connection

from connectors.egress import OutboundRequest, Outcome, Sender
from events import claims, doorbell, outcomes, retries, schedules, signing
from events.claims import LEASE, Claim
from events.outcomes import Ended
from events.retries import ErrorClass, Try
from instances import signing_keys
from instances.encryption import KeyMissing
from instances.signing_keys import SigningKey

logger = logging.getLogger(__name__)

CLAIMED_AT_ONCE = 500
ATTEMPT_SECONDS: float = settings.DELIVERY_ATTEMPT_SECONDS
"""The longest that one attempt takes, from name look-up to the last byte."""
FLUSH_SECONDS = 0.25
FLUSH_ROWS = 500
# How often to look for newly due deliveries while waiting for receivers: one that hangs must not delay the others.
LOOK_SECONDS = 0.02
STOP_SECONDS = 10.0
"""How long requests under way may still take when the worker stops."""
DATABASE_PATIENCE_SECONDS = 20.0
"""How long outcomes are kept while the database is away."""
MARGIN_SECONDS = LEASE.total_seconds() / 6
START_WITHIN_SECONDS = LEASE.total_seconds() - ATTEMPT_SECONDS - MARGIN_SECONDS
"""After its claim; later, the attempt might outlive the lease."""
FRESH_SECONDS = min(START_WITHIN_SECONDS, 5.0)
"""After its claim; later, URL, keys or the switch may be others by now, and it is claimed anew."""
if START_WITHIN_SECONDS <= ATTEMPT_SECONDS:  # a claim must survive waiting for the attempt before its own
    raise ImproperlyConfigured("DELIVERY_LEASE_SECONDS must be three times DELIVERY_ATTEMPT_SECONDS or more")


_DATABASE_AWAY = (OperationalError, InterfaceError)


@dataclass(slots=True)
class Drained:
    """What one drain did."""

    attempts: int = 0
    delivered: int = 0
    not_sent: int = 0
    """Claims given back or put aside."""


def drain(*, is_stopping: Callable[[], bool] = lambda: False) -> Drained:
    """Deliver everything that is due. Once `is_stopping` says so, end within STOP_SECONDS and give the rest back."""
    # Whatever is committed from here on rings again, so it needs not be seen by the claims below.
    doorbell.DELIVERIES.answer()
    with _borrowed_sender() as sender:
        drained = _Drain(sender, is_stopping).run()
    if drained.attempts or drained.not_sent:
        logger.info(
            "deliveries drained",
            extra={"attempts": drained.attempts, "delivered": drained.delivered, "not_sent": drained.not_sent},
        )
    return drained


# By process, since a fork must not share connections.
_idle_senders: dict[tuple[int, int], list[Sender]] = {}


@contextmanager
def _borrowed_sender() -> Iterator[Sender]:
    """A sender of this process that nobody else uses, with its connections to receivers still open.

    Closed instead of kept if requests are under way when it comes back: their outcomes belong to nobody.
    """
    concurrency: int = settings.DELIVERY_CONCURRENCY
    idle = _idle_senders.setdefault((os.getpid(), concurrency), [])
    try:
        sender = idle.pop()
    except IndexError:
        sender = Sender(concurrency, timeout=ATTEMPT_SECONDS)
    try:
        yield sender
    finally:
        if sender.in_flight:
            sender.close()
        else:
            idle.append(sender)


class _Drain:
    def __init__(self, sender: Sender, is_stopping: Callable[[], bool]) -> None:
        self._sender = sender
        self._is_stopping = is_stopping
        self._concurrency = sender.concurrency
        self._waiting: deque[Claim] = deque()
        self._sent: dict[int, Claim] = {}
        self._ended: list[Ended] = []
        self._flushed_at = self._looked_at = 0.0
        self._has_more = True
        self._keys: dict[str, tuple[SigningKey, ...] | None] = {}
        self._drained = Drained()

    def run(self) -> Drained:
        try:
            self._work()
        except _DATABASE_AWAY as error:
            # Receivers are told once: what they answer now is written down when the database is back.
            if connection.in_atomic_block or not (self._sent or self._ended):
                raise
            logger.warning("drain broken off, the database is away", extra={"error": type(error).__name__})
            connection.close_if_unusable_or_obsolete()
            self._finish()
        finally:
            self._flush()
            self._give_back(self._waiting)
            self._give_back(deque(self._sent.values()))
        return self._drained

    def _work(self) -> None:
        """Claim and send until nothing is due or the worker stops. Raises where the database is away."""
        deadline: float | None = None
        while True:
            if deadline is None and self._is_stopping():
                deadline = time.monotonic() + STOP_SECONDS
                self._give_back(self._waiting)
            if deadline is None:
                self._claim()
                self._start()
            if not self._sent and not self._waiting and not (self._has_more and deadline is None):
                break
            if deadline is not None and time.monotonic() > deadline:
                break
            self._take(self._sender.wait(LOOK_SECONDS))
            self._flush_if_due()

    def _finish(self) -> None:
        """Wait for the receivers that were asked; none of them takes longer than an attempt may."""
        deadline: float | None = None
        while self._sent and (deadline is None or time.monotonic() <= deadline):
            if deadline is None and self._is_stopping():
                deadline = time.monotonic() + STOP_SECONDS
            self._take(self._sender.wait(LOOK_SECONDS))

    def _claim(self) -> None:
        """Claim when half of what may wait has gone, or when it is time to look for what has become due."""
        now = time.monotonic()
        room = 2 * self._concurrency - len(self._sent) - len(self._waiting)
        is_time = now - self._looked_at >= LOOK_SECONDS
        if room < self._concurrency / 2 or not (self._has_more or is_time):
            return
        limit = min(CLAIMED_AT_ONCE, room)
        found = claims.claim(limit=limit)
        self._looked_at = time.monotonic()
        self._has_more = len(found) == limit
        self._keys.clear()
        if unwanted := [claim for claim in found if not claim.is_wanted]:
            claims.park(unwanted)
            self._drained.not_sent += len(unwanted)
        self._waiting.extend(claim for claim in found if claim.is_wanted)

    def _start(self) -> None:
        """Send what waits, as far as requests may be under way at once."""
        late: deque[Claim] = deque()
        unsigned: dict[int, Claim] = {}
        latest = time.monotonic() - FRESH_SECONDS
        while self._waiting and len(self._sent) < self._concurrency:
            claim = self._waiting.popleft()
            if claim.claimed_at < latest:
                late.append(claim)
                continue
            keys = self._signing_keys(claim)
            if keys is None:
                unsigned[claim.delivery_id] = claim
                continue
            headers = signing.headers(
                delivery_id=claim.delivery_id,
                event_id=claim.event_id,
                body=claim.body,
                keys=keys,
                is_legacy_signed_by_old=claim.is_legacy_signed_by_old,
                timestamp=int(time.time()),
            )
            self._sent[claim.delivery_id] = claim
            self._sender.start(OutboundRequest(claim.delivery_id, claim.url, headers, claim.body))
        if late:
            self._give_back(late)
        if unsigned:
            self._give_back(deque(unsigned.values()), wait=retries.OWN_FAULT_WAIT)

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
        return None if keys is None else signing_keys.alive(keys, at=claim.database_now())

    def _take(self, answers: list[Outcome]) -> None:
        for outcome in answers:
            claim = self._sent.pop(outcome.key)
            ended = _judged(claim, outcome)
            self._ended.append(ended)
            self._drained.attempts += 1
            if ended.error_class == ErrorClass.NONE:
                self._drained.delivered += 1
            else:
                logger.info(
                    "attempt failed",
                    extra={
                        "delivery": claim.delivery_id,
                        "subscription": claim.subscription_id,
                        "status": ended.status,
                        "error_class": str(ended.error_class),
                        "attempt": claim.epoch,
                    },
                )

    def _flush_if_due(self) -> None:
        is_time = time.monotonic() - self._flushed_at >= FLUSH_SECONDS
        if len(self._ended) >= FLUSH_ROWS or is_time or (not self._sent and not self._waiting):
            self._flush()

    def _flush(self) -> None:
        if self._ended:
            ended, self._ended = self._ended, []
            for delivery_id in _write(ended):
                logger.warning("outcome of a lost claim ignored", extra={"delivery": delivery_id})
        self._flushed_at = time.monotonic()

    def _give_back(self, given: deque[Claim], *, wait: timedelta = retries.NOTHING) -> None:
        if given:
            claims.release(given, wait=wait)
            self._drained.not_sent += len(given)
            given.clear()


def _judged(claim: Claim, outcome: Outcome) -> Ended:
    error_class = ErrorClass(outcome.error_class)
    if outcome.status is not None and error_class == ErrorClass.NONE:
        error_class = retries.error_class_of(outcome.status)
    failing_for = claim.failing_for
    if failing_for is not None:
        failing_for += timedelta(seconds=time.monotonic() - claim.claimed_at)
    attempt = Try(
        status=outcome.status,
        error_class=error_class,
        retry_after=retries.parse_retry_after(
            outcome.retry_after, now=outcome.started_at + timedelta(milliseconds=outcome.duration_ms)
        ),
        attempts_made=claim.attempts_made,
        failing_for=failing_for,
        failure_policy=claim.failure_policy,
        schedule=schedules.schedule_of(claim.retry_schedule),
    )
    return Ended(
        claim=claim,
        verdict=retries.judge(attempt, chance=random.random()),
        started_at=outcome.started_at,
        duration_ms=outcome.duration_ms,
        status=outcome.status,
        error_class=error_class,
        error=outcome.error,
        excerpt=outcome.excerpt,
        retry_after=attempt.retry_after,
    )


def _write(ended: list[Ended]) -> list[int]:
    """Store outcomes, through a restart of the database if need be: without them everything would be sent again.

    What became of deliveries counts for more than the log of attempts: it is stored even if that cannot be.
    """
    give_up_at = time.monotonic() + DATABASE_PATIENCE_SECONDS
    while True:
        try:
            return outcomes.write(ended)
        except _DATABASE_AWAY:
            if connection.in_atomic_block or time.monotonic() > give_up_at:
                raise
            logger.warning("outcomes wait for the database", extra={"outcomes": len(ended)})
            connection.close_if_unusable_or_obsolete()
            time.sleep(LOOK_SECONDS * 10)
        except DatabaseError:
            logger.exception("attempts could not be stored", extra={"attempts": len(ended)})
            return outcomes.write(ended, with_attempts=False)
