"""What `fetch` sent, for people who want to see it: whoever watches gets every request of this thread, secrets out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

MASKED = "********"
# Any other header may hold a secret.
_SHOWN = frozenset({"accept", "accept-encoding", "content-length", "content-type", "pagination-type", "user-agent"})


@dataclass(slots=True, kw_only=True)
class SentRequest:
    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    """Values that may be secrets are masked."""
    body: bytes = field(repr=False)
    status: int | None = None
    """None: nothing was answered."""
    duration_ms: int | None = None
    """Until the answer began."""
    started_at: float = field(repr=False)


_watched: ContextVar[list[SentRequest] | None] = ContextVar("egress_watched", default=None)


@contextmanager
def watched() -> Iterator[list[SentRequest]]:
    """Every request that `fetch` sends inside, in this thread, in order."""
    requests: list[SentRequest] = []
    token = _watched.set(requests)
    try:
        yield requests
    finally:
        _watched.reset(token)


def note_request(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> None:
    """A request is about to go out."""
    requests = _watched.get()
    if requests is None:
        return
    shown = {name: value if name.lower() in _SHOWN else MASKED for name, value in headers.items()}
    requests.append(SentRequest(method=method, url=url, headers=shown, body=body or b"", started_at=time.monotonic()))


def note_answer(status: int) -> None:
    """The last request is being answered."""
    if requests := _watched.get():
        last = requests[-1]
        last.status, last.duration_ms = status, round((time.monotonic() - last.started_at) * 1000)
