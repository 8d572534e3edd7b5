"""Scripted misbehaviour: what the sandbox answers instead of the truth, for how many requests."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from connectors.sandbox import refusals
from connectors.sandbox.refusals import HTML, JSON, Refusal
from connectors.sandbox.server import PHRASES, Answer


@dataclass(slots=True, kw_only=True)
class Behaviour:
    """One script. It applies to requests whose path begins with `path`, `times` times, or until it is cleared.

    Without a `status` and a `body` the true answer is given, with the other words applied to it. A `status` alone
    brings the body that ConnectWise sends with it.
    """

    path: str = ""
    """Behind `apis/3.0` (`/company/contacts`) or whole (`/login`). Empty: every request."""
    method: str | None = None
    times: int | None = 1
    """None: until cleared."""
    status: int | None = None
    body: bytes | str | dict[str, object] | list[object] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Laid over those of the answer."""
    content_type: str | None = None
    delay: float = 0.0
    """Seconds before the first byte."""
    cut_after: int | None = None
    """Bytes of the body that are really sent, of the length that was promised."""
    seconds_per_byte: float = 0.0
    drop: bool = False
    """Close the connection without an answer."""
    uses: int = 0
    """How many requests it has answered."""

    def applies(self, *, method: str, paths: tuple[str, ...]) -> bool:
        if self.times is not None and self.uses >= self.times:
            return False
        return self.method in (None, method) and any(path.startswith(self.path) for path in paths)

    def replaces_answer(self) -> bool:
        return self.status is not None or self.body is not None or self.drop

    def spoiled(self, answer: Answer) -> Answer:
        """The answer with this script's words applied to it."""
        headers = {name.lower(): (name, value) for name, value in answer.headers}
        if self.content_type is not None:
            headers["content-type"] = ("Content-Type", self.content_type)
        headers |= {name.lower(): (name, value) for name, value in self.headers.items()}
        return replace(
            answer,
            headers=tuple(headers.values()),
            delay=self.delay,
            cut_after=self.cut_after,
            seconds_per_byte=self.seconds_per_byte,
            is_dropped=self.drop,
        )

    def scripted(self) -> Answer:
        """The answer that takes the place of the true one."""
        status = self.status or 200
        if self.body is None:
            return _usual(status).answer
        if isinstance(self.body, bytes):
            return Answer(status=status, body=self.body, headers=(("Content-Type", JSON),))
        if isinstance(self.body, str):
            content_type = HTML if self.body.lstrip().startswith("<") else JSON
            return Answer(status=status, body=self.body.encode(), headers=(("Content-Type", content_type),))
        return Answer(status=status, body=refusals.encode(self.body), headers=(("Content-Type", JSON),))


def _usual(status: int) -> Refusal:
    """What ConnectWise sends with this status when nothing else is said."""
    known = {
        401: refusals.wrong_keys,
        403: refusals.no_permission,
        404: refusals.no_page,
        414: refusals.url_too_long,
        415: refusals.wrong_content_type,
        500: refusals.timed_out,
    }
    if status == 429:
        return refusals.throttled(30)
    if status in known:
        return known[status]()
    phrase = PHRASES.get(status, "Unknown")
    if status in (502, 503, 504):
        return refusals.gateway(status, phrase)
    if status < 400:
        return Refusal(status, [])
    return Refusal(status, {"code": "ConnectWiseApi", "message": phrase})


class Behaviours:
    """The scripts in force; the one that was added first, and applies, is used."""

    def __init__(self) -> None:
        self._scripts: list[Behaviour] = []
        self._lock = threading.Lock()

    def add(self, script: Behaviour) -> None:
        with self._lock:
            self._scripts.append(script)

    def clear(self) -> None:
        with self._lock:
            self._scripts.clear()

    def take(self, *, method: str, paths: tuple[str, ...]) -> Behaviour | None:
        """The script for this request; counts as one use."""
        with self._lock:
            for script in self._scripts:
                if script.applies(method=method, paths=paths):
                    script.uses += 1
                    return script
            return None
