"""Waking the drain: a commit that makes deliveries due sends one message, a burst of commits still only one.

A key in Redis says that a message is under way; the drain takes the key away before it claims, so whatever is
committed later rings again. All of this may fail: beat wakes the drain every few seconds anyway.
"""

from __future__ import annotations

import logging
import time
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

_TROUBLE = (redis.RedisError, KombuError, OSError)
_silent_until = 0.0


def ring() -> None:
    """Send a message for the drain, unless one is under way. Never raises for trouble with Redis or the broker."""
    global _silent_until
    if time.monotonic() < _silent_until:
        return
    try:
        if _server().set(_key(), b"1", nx=True, ex=KEY_SECONDS):
            try:
                current_app.send_task("events.tasks.deliver", queue="delivery", ignore_result=True, retry=False)
            except _TROUBLE:
                # Nothing is under way: the next commit shall try again.
                _server().delete(_key())
                raise
    except _TROUBLE as error:
        _silent_until = time.monotonic() + SILENCE_SECONDS
        logger.warning("doorbell out of order, beat delivers", extra={"error": type(error).__name__})


def answer() -> None:
    """Take the key away: commits from now on ring again. Call it before claiming."""
    try:
        _server().delete(_key())
    except _TROUBLE as error:
        logger.warning("doorbell not answered", extra={"error": type(error).__name__})


def _key() -> str:
    """Several stacks may share one Redis; the prefix that tells their queues apart tells their bells apart."""
    return str(settings.CELERY_BROKER_TRANSPORT_OPTIONS.get("global_keyprefix", "")) + "switchyard:doorbell"


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
