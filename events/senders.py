"""The senders of this process: each is lent to one drain at a time, and keeps its connections to receivers open."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from connectors.egress import Sender
from events.windows import Windows

ATTEMPT_SECONDS: float = settings.DELIVERY_ATTEMPT_SECONDS
"""The longest that one attempt takes, from name look-up to the last byte."""

# By process, since a fork must not share connections.
_idle: dict[tuple[int, int], list[tuple[Sender, Windows]]] = {}


@contextmanager
def borrowed() -> Iterator[tuple[Sender, Windows]]:
    """One that nobody else uses, and what is known of how receivers answer it.

    Closed instead of kept if requests are under way when it comes back: their outcomes belong to nobody.
    """
    concurrency: int = settings.DELIVERY_CONCURRENCY
    idle = _idle.setdefault((os.getpid(), concurrency), [])
    try:
        sender, windows = idle.pop()
    except IndexError:
        windows = Windows(concurrency)
        sender = Sender(
            concurrency,
            connect_timeout=settings.DELIVERY_CONNECT_SECONDS,
            first_byte_timeout=settings.DELIVERY_FIRST_BYTE_SECONDS,
            timeout=ATTEMPT_SECONDS,
        )
    try:
        yield sender, windows
    finally:
        if sender.in_flight or windows.started or windows.ahead:
            sender.close()
        else:
            idle.append((sender, windows))
