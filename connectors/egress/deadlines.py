"""One time limit for several requests: whoever waits for an answer of ours does not wait for every provider in turn."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from connectors.errors import TryLater

_ends_at: ContextVar[float | None] = ContextVar("egress_deadline", default=None)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Every `fetch` inside, in this thread, ends `seconds` from now at the latest. The strictest of several counts."""
    ends_at, outer = time.monotonic() + seconds, _ends_at.get()
    token = _ends_at.set(ends_at if outer is None else min(ends_at, outer))
    try:
        yield
    finally:
        _ends_at.reset(token)


def shortened(timeout: float) -> float:
    """What is left of `timeout` seconds under the deadline in force. Raises TryLater when that is nothing."""
    ends_at = _ends_at.get()
    if ends_at is None:
        return timeout
    left = round(ends_at - time.monotonic(), 2)
    if left <= 0:
        raise TryLater("The time that was given for this ran out before the request could be sent")
    return min(timeout, left)
