"""Waking who works: a commit that makes work due sends one message, a burst of commits still only one.

A key in Redis says that a message is under way; the worker takes the key away before it claims, so whatever is
committed later rings again. All of this may fail: beat wakes the workers every few seconds anyway.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from functools import cache

import redis
from celery import current_app
from django.conf import settings
from kombu.exceptions import KombuError
from redis.backoff import NoBackoff
from redis.retry import Retry

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 0.5
"""How long a commit waits for Redis, at most."""
KEY_SECONDS = 30
"""When a message that got lost is forgotten."""
SILENCE_SECONDS = 5.0
"""After a failure, commits do not wait for Redis again for this long."""
PAUSE_SECONDS = 0.01
"""Between two rings of `ring_soon`."""

_TROUBLE = (redis.RedisError, KombuError, OSError)
_silent_until = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bell:
    """One kind of work to be woken for."""

    key: str
    task: str
    queue: str

    def ring(self) -> None:
        """Send a message, unless one is under way. Never raises for trouble with Redis or the broker."""
        global _silent_until
        if time.monotonic() < _silent_until:
            return
        try:
            if _server().set(self._key(), b"1", nx=True, ex=KEY_SECONDS):
                try:
                    current_app.send_task(self.task, queue=self.queue, ignore_result=True, retry=False)
                except _TROUBLE:
                    # Nothing is under way: the next commit shall try again.
                    _server().delete(self._key())
                    raise
        except _TROUBLE as error:
            _silent_until = time.monotonic() + SILENCE_SECONDS
            logger.warning("doorbell out of order, beat rings", extra={"error": type(error).__name__})

    def ring_soon(self) -> None:
        """Ring from a thread of this process, for who must not wait for Redis; many calls may be one ring."""
        _ringers[self].wake()

    def answer(self) -> None:
        """Take the key away: commits from now on ring again. Call it before claiming."""
        try:
            _server().delete(self._key())
        except _TROUBLE as error:
            logger.warning("doorbell not answered", extra={"error": type(error).__name__})

    def _key(self) -> str:
        """Several stacks may share one Redis; the prefix that tells their queues apart tells their bells apart."""
        return str(settings.CELERY_BROKER_TRANSPORT_OPTIONS.get("global_keyprefix", "")) + self.key


DELIVERIES = Bell(key="switchyard:doorbell", task="events.tasks.deliver", queue="delivery")
CALLBACKS = Bell(key="switchyard:doorbell:callbacks", task="events.tasks.standardize", queue="callbacks")
ALERTS = Bell(key="switchyard:doorbell:alerts", task="events.tasks.alert", queue="callbacks")


class _Ringer:
    def __init__(self, bell: Bell) -> None:
        self._bell = bell
        self._is_wanted = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        self._is_wanted.set()
        # A fork takes the thread away and leaves this object.
        if self._thread is None or not self._thread.is_alive():
            with self._lock:
                if self._thread is None or not self._thread.is_alive():
                    self._thread = threading.Thread(target=self._run, name=f"{self._bell.queue} doorbell", daemon=True)
                    self._thread.start()

    def _run(self) -> None:
        while True:
            self._is_wanted.wait()
            # First: what is wanted from here on is for the next round.
            self._is_wanted.clear()
            self._bell.ring()
            time.sleep(PAUSE_SECONDS)


_ringers = {bell: _Ringer(bell) for bell in (DELIVERIES, CALLBACKS)}


def _server() -> redis.Redis:
    return _connected(settings.REDIS_URL)


@cache
def _connected(url: str) -> redis.Redis:
    return redis.Redis.from_url(
        url,
        socket_timeout=PATIENCE_SECONDS,
        socket_connect_timeout=PATIENCE_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
