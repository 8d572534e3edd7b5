"""A callback receiver for this machine: takes notifications, verifies both signatures, and misbehaves on request.

No Django in here: the command `listen`, the demo, the tests and the benchmarks use it alike.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from types import TracebackType
from typing import Any, Literal, Self

from connectors.sandbox.server import Answer, LocalServer, Request

LONGEST_MEMORY = 100_000
TIMESTAMP_TOLERANCE = 300.0
"""Seconds that a Standard Webhooks timestamp may lie off."""

TAKEN = Answer(status=200, body=b"{}", headers=(("Content-Type", "application/json"),))

Signature = Literal["elements", "standard"]
Verdict = Literal["valid", "wrong", "missing", "expired", "unchecked"]
"""`unchecked`: the receiver has no key. `expired`: signed rightly, at a time too far from now."""


@dataclass(frozen=True, kw_only=True)
class Notification:
    """One request as it arrived, and how it was answered."""

    received_at: datetime
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    raw_body: bytes = field(repr=False)
    """The bytes that were signed."""
    status: int
    """What it was answered; 0 when the connection was dropped."""
    key: bytes = field(default=b"", repr=False)

    @cached_property
    def verdicts(self) -> Mapping[Signature, Verdict]:
        """`elements`: of `Elements-Webhook-Signature`; `standard`: of the three Standard Webhooks headers.

        Worked out when somebody asks: senders are measured against this receiver.
        """
        now = self.received_at.timestamp()
        return {
            "elements": verify_elements(self.headers, self.raw_body, self.key),
            "standard": verify_standard(self.headers, self.raw_body, self.key, now=now),
        }

    @property
    def is_accepted(self) -> bool:
        return 200 <= self.status < 300

    @property
    def body(self) -> Any:
        """Decoded; as text when it is no JSON."""
        try:
            return json.loads(self.raw_body)
        except ValueError:
            return self.raw_body.decode("utf-8", "replace")

    def entries(self) -> list[dict[str, Any]]:
        """The changes it tells of: `message.events`. Empty for another kind of body."""
        try:
            found = self.body["message"]["events"]
        except (LookupError, TypeError):
            return []
        return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


@dataclass(slots=True, kw_only=True)
class _Mood:
    status: int
    times: int | None
    delay: float
    headers: Mapping[str, str]
    body: bytes
    drop: bool


class Receiver:
    """Answers every POST 200 with `{}`, unless told otherwise, and remembers it.

    with Receiver.start(key="abcd1234efgh5678") as receiver:
        receiver.behave(status=503, times=2)
        ...
        receiver.wait_for(3, seconds=10)
    """

    def __init__(
        self, *, port: int = 0, key: str = "", on_notification: Callable[[Notification], None] | None = None
    ) -> None:
        """Port 0 takes a free one. `on_notification` is called before the answer is given, from many threads."""
        self._key = key.encode()
        self._on_notification = on_notification
        self._arrived = threading.Condition()
        self._notifications: list[Notification] = []
        self._moods: list[_Mood] = []
        self.requests_begun = 0
        """How many notifications have arrived, those included that are not answered yet, and those forgotten."""
        self._server = LocalServer(self._answer, port=port)
        self.url = self._server.url

    @classmethod
    def start(cls, port: int = 0, key: str = "", on_notification: Callable[[Notification], None] | None = None) -> Self:
        receiver = cls(port=port, key=key, on_notification=on_notification)
        receiver._server.start()
        return receiver

    def stop(self) -> None:
        self._server.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def notifications(self) -> list[Notification]:
        """Everything that arrived, refused or not, oldest first: a copy."""
        with self._arrived:
            return list(self._notifications)

    @property
    def accepted(self) -> list[Notification]:
        """Those that were answered 2xx."""
        return [notification for notification in self.notifications if notification.is_accepted]

    def clear(self) -> None:
        """Forget what arrived."""
        with self._arrived:
            self._notifications.clear()

    def wait_for(self, count: int, seconds: float = 10.0, *, accepted: bool = False) -> list[Notification]:
        """Return what arrived once there are `count` of them (with `accepted`, answered 2xx). Raises TimeoutError."""
        wanted = self._accepted_now if accepted else self._all_now
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(wanted()) >= count, seconds):
                raise TimeoutError(f"{len(wanted())} of {count} notifications arrived within {seconds} s")
            return wanted()

    def behave(
        self,
        *,
        status: int = 200,
        times: int | None = 1,
        delay: float = 0.0,
        headers: Mapping[str, str] | None = None,
        body: str = "{}",
        drop: bool = False,
    ) -> None:
        """Answer the next `times` notifications like this; None: until `behave_well`. `delay` is in seconds.

        Several calls queue up. `drop` closes the connection without an answer.
        """
        mood = _Mood(status=status, times=times, delay=delay, headers=headers or {}, body=body.encode(), drop=drop)
        with self._arrived:
            self._moods.append(mood)

    def behave_well(self) -> None:
        with self._arrived:
            self._moods.clear()

    def _all_now(self) -> list[Notification]:
        return list(self._notifications)

    def _accepted_now(self) -> list[Notification]:
        return [notification for notification in self._notifications if notification.is_accepted]

    def _answer(self, request: Request) -> Answer:
        if request.path.startswith("/_receiver/"):
            return self._control(request)
        if request.method != "POST":
            return Answer(status=405, body=b"Notifications are sent by POST.\n")
        with self._arrived:
            mood = self._next_mood()
        status = 200 if mood is None else 0 if mood.drop else mood.status
        notification = Notification(
            received_at=datetime.now(UTC),
            path=request.path,
            headers=request.headers,
            raw_body=request.body,
            status=status,
            key=self._key,
        )
        if self._on_notification is not None:
            self._on_notification(notification)
        with self._arrived:
            if len(self._notifications) >= LONGEST_MEMORY:
                del self._notifications[: LONGEST_MEMORY // 2]
            self._notifications.append(notification)
            self.requests_begun += 1
            self._arrived.notify_all()
        if mood is None:
            return TAKEN
        return Answer(
            status=mood.status,
            body=mood.body,
            headers=tuple(({"Content-Type": "application/json"} | dict(mood.headers)).items()),
            delay=mood.delay,
            is_dropped=mood.drop,
        )

    def _next_mood(self) -> _Mood | None:
        if not self._moods:
            return None
        mood = self._moods[0]
        if mood.times is not None:
            mood.times -= 1
            if mood.times <= 0:
                self._moods.pop(0)
        return mood

    def _control(self, request: Request) -> Answer:
        """What other processes on this machine may ask: no credentials, loopback only."""
        match request.method, request.path:
            case "GET", "/_receiver/notifications":
                return _json(200, [as_json(one) for one in self.notifications])
            case "DELETE", "/_receiver/notifications":
                self.clear()
                return Answer(status=204)
            case "POST", "/_receiver/behave":
                try:
                    self.behave(**json.loads(request.body))
                except (ValueError, TypeError) as mistake:
                    return _json(400, {"error": str(mistake)})
                return Answer(status=204)
            case "DELETE", "/_receiver/behave":
                self.behave_well()
                return Answer(status=204)
        return _json(404, {"error": "There is /_receiver/notifications and /_receiver/behave"})


def verify_elements(headers: Mapping[str, str], body: bytes, key: bytes) -> Verdict:
    """`Elements-Webhook-Signature`: `sha256=` and base64 of the HMAC-SHA256 over the body as received."""
    signature = headers.get("elements-webhook-signature")
    if not key:
        return "unchecked"
    if signature is None:
        return "missing"
    expected = "sha256=" + _hmac(key, body)
    return "valid" if hmac.compare_digest(expected.encode(), signature.encode()) else "wrong"


def verify_standard(headers: Mapping[str, str], body: bytes, key: bytes, *, now: float) -> Verdict:
    """Standard Webhooks: one of the `v1,<base64>` signatures holds over `id.timestamp.body`. `now` in Unix seconds."""
    if not key:
        return "unchecked"
    message_id, timestamp = headers.get("webhook-id"), headers.get("webhook-timestamp")
    signatures = headers.get("webhook-signature")
    if message_id is None or timestamp is None or signatures is None:
        return "missing"
    expected = "v1," + _hmac(key, f"{message_id}.{timestamp}.".encode() + body)
    candidates = [hmac.compare_digest(expected.encode(), candidate.encode()) for candidate in signatures.split()]
    if not any(candidates) or not (timestamp.isascii() and timestamp.isdigit()):
        return "wrong"
    return "valid" if abs(now - int(timestamp)) <= TIMESTAMP_TOLERANCE else "expired"


def lines_of(notification: Notification) -> list[str]:
    """A notification for people: one line per change, or one for a body that tells of none."""
    at = notification.received_at.strftime("%H:%M:%S")
    found = notification.verdicts
    verdicts = f"Elements signature {found['elements']}, Standard Webhooks {found['standard']}"
    answered = f"answered {notification.status}" if notification.status else "dropped"
    entries = notification.entries()
    if not entries:
        return [f"{at}  {len(notification.raw_body)} bytes without events  [{verdicts}; {answered}]"]
    event_id = notification.body["message"].get("eventId", "?")
    return [
        _printable(
            f"{at}  event {event_id}  {entry.get('eventType')} {entry.get('objectType')} {entry.get('objectId')}"
            f"  {entry.get('date')}  [{verdicts}; {answered}]"
        )
        for entry in entries
    ]


def as_json(notification: Notification) -> dict[str, Any]:
    """For `GET /_receiver/notifications`."""
    return {
        "received_at": notification.received_at.isoformat(),
        "path": notification.path,
        "headers": dict(notification.headers),
        "body": notification.body,
        "raw_body": notification.raw_body.decode("utf-8", "replace"),
        "verdicts": dict(notification.verdicts),
        "status": notification.status,
    }


def _hmac(key: bytes, message: bytes) -> str:
    return base64.b64encode(hmac.digest(key, message, hashlib.sha256)).decode()


def _printable(text: str) -> str:
    """A body is a stranger's text: it must not steer the terminal."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _json(status: int, value: object) -> Answer:
    return Answer(status=status, body=json.dumps(value).encode(), headers=(("Content-Type", "application/json"),))
