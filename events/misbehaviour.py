"""How a receiver for developers can go wrong: what may be asked of it, and what that does to its answers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from itertools import chain
from typing import Any

from connectors.sandbox.server import Answer

LONGEST_SECONDS = 86_400.0
# As many bytes as a body drips in, at the least, so that each of them is late.
DRIPS = 20


class Impossible(ValueError):
    """A receiver cannot behave like this."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Misbehaviour:
    """What is done to notifications, and to how many of them. Raises Impossible."""

    status: int | None = None
    """None: the one that goes with the rest."""
    delay: float = 0.0
    """Seconds before the answer."""
    hang: bool = False
    """Keep the connection and never answer."""
    drop: bool = False
    """Close the connection without an answer."""
    gone: bool = False
    redirect: str = ""
    retry_after: int | None = None
    """Seconds to ask for, with 429 or 503."""
    slow_body: float = 0.0
    """Seconds in which the body drips in."""
    fail_every: int = 1
    """Of so many notifications the last; the others are taken."""
    times: int | None = 1
    """As many are treated like this; None: until told otherwise."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = "{}"

    def __post_init__(self) -> None:
        for name, reason in chain(_unusable(self), _contradictions(self)):
            raise Impossible(name, reason)

    @property
    def answers(self) -> int:
        """The status; 0 where there is no answer."""
        if self.hang or self.drop:
            return 0
        if self.status is not None:
            return self.status
        if self.gone:
            return 410
        if self.redirect:
            return 302
        if self.retry_after is not None:
            return 503
        is_otherwise_wrong = self.delay or self.slow_body or self.headers or self.body != "{}"
        return 200 if is_otherwise_wrong else 500

    def answer(self) -> Answer:
        headers = {"Content-Type": "application/json"} | dict(self.headers)
        if self.redirect:
            headers["Location"] = self.redirect
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        body = self.body.encode()
        if self.slow_body:
            body = body.ljust(DRIPS)
        return Answer(
            status=self.answers or 200,
            body=body,
            headers=tuple(headers.items()),
            delay=LONGEST_SECONDS if self.hang else self.delay,
            seconds_per_byte=self.slow_body / len(body) if self.slow_body else 0.0,
            is_dropped=self.drop or self.hang,
        )


def asked_for(options: Mapping[str, Any]) -> Misbehaviour:
    """From what another process sent. Raises Impossible."""
    known = [one.name for one in fields(Misbehaviour)]
    for name in options:
        if name not in known:
            raise Impossible(name[:100], f"there are {', '.join(known)}")
    return Misbehaviour(**options)


def _unusable(wanted: Misbehaviour) -> Iterator[tuple[str, str]]:
    """Values that mean nothing."""
    if wanted.status is not None and not _is_whole(wanted.status, 200, 599):
        yield "status", "send a status from 200 to 599"
    for name, seconds in (("delay", wanted.delay), ("slow_body", wanted.slow_body)):
        is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
        if not is_number or not 0 <= seconds <= LONGEST_SECONDS:
            yield name, f"send seconds from 0 to {LONGEST_SECONDS:.0f}"
    if wanted.retry_after is not None and not _is_whole(wanted.retry_after, 0, int(LONGEST_SECONDS)):
        yield "retry_after", f"send whole seconds from 0 to {LONGEST_SECONDS:.0f}"
    if not _is_whole(wanted.fail_every, 1):
        yield "fail_every", "send a number from 1 on; 2 fails every second notification"
    if wanted.times is not None and not _is_whole(wanted.times, 1):
        yield "times", "send how many notifications it is for, from 1 on"
    for name in ("hang", "drop", "gone"):
        if not isinstance(getattr(wanted, name), bool):
            yield name, "send true or false"
    if wanted.redirect and not _is_header(wanted.redirect, starts=("http://", "https://")):
        yield "redirect", "send a URL that begins with http:// or https:// and holds no space"
    # Other processes send what they like.
    body: object = wanted.body
    headers: object = wanted.headers
    if not isinstance(body, str):
        yield "body", "send a text"
    if not isinstance(headers, Mapping) or not all(map(_is_header, chain(headers, headers.values()))):
        yield "headers", "send texts by name, without line breaks"


def _contradictions(wanted: Misbehaviour) -> Iterator[tuple[str, str]]:
    chosen = [name for name in ("hang", "drop", "gone", "redirect", "slow_body") if getattr(wanted, name)]
    if wanted.retry_after is not None:
        chosen.append("retry_after")
    if len(chosen) > 1:
        yield chosen[1], f"cannot be together with {chosen[0]}; choose one"
    status = wanted.status
    if wanted.hang and wanted.delay:
        yield "delay", "says nothing where no answer is given"
    if status is None:
        return
    if wanted.hang or wanted.drop:
        yield "status", "says nothing where no answer is given"
    if wanted.gone and status != 410:
        yield "status", "gone means 410; leave it out"
    if wanted.redirect and not 300 <= status <= 399:
        yield "status", "a redirect takes one from 300 to 399"
    if wanted.retry_after is not None and status not in (429, 503):
        yield "status", "Retry-After goes with 429 or 503"


def _is_whole(value: object, least: int, most: float = math.inf) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _is_header(text: object, *, starts: tuple[str, ...] = ("",)) -> bool:
    """Whether it can stand in a header as it is."""
    is_printable = isinstance(text, str) and text.isprintable() and text.isascii()
    return is_printable and str(text).startswith(starts) and (starts == ("",) or " " not in str(text))
