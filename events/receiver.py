"""A callback receiver for this machine: takes notifications, verifies both signatures, and misbehaves on request.

No Django in here: the command `listen`, the demo, the tests and the benchmarks use it alike.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from connectors.sandbox.server import Answer, LocalServer, Request
from events.misbehaviour import Impossible, Misbehaviour, asked_for
from events.received import Notification, as_json

LONGEST_MEMORY = 100_000

TAKEN = Answer(status=200, body=b"{}", headers=(("Content-Type", "application/json"),))


@dataclass(slots=True)
class _Mood:
    """A misbehaviour under way."""

    misbehaviour: Misbehaviour
    left: int | None
    seen: int = 0


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

    def behave(self, **misbehaviour: Any) -> None:
        """Treat the next notifications as these fields of Misbehaviour say. Raises Impossible."""
        self.treat(asked_for(misbehaviour))

    def treat(self, misbehaviour: Misbehaviour) -> None:
        """Several calls queue up: the next begins when the one before has happened as often as it said."""
        with self._arrived:
            self._moods.append(_Mood(misbehaviour, left=misbehaviour.times))

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
            misbehaviour = self._next_misbehaviour()
        notification = Notification(
            received_at=datetime.now(UTC),
            path=request.path,
            headers=request.headers,
            raw_body=request.body,
            status=200 if misbehaviour is None else misbehaviour.answers,
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
        return TAKEN if misbehaviour is None else misbehaviour.answer()

    def _next_misbehaviour(self) -> Misbehaviour | None:
        if not self._moods:
            return None
        mood = self._moods[0]
        mood.seen += 1
        if mood.seen % mood.misbehaviour.fail_every:
            return None
        if mood.left is not None:
            mood.left -= 1
            if mood.left <= 0:
                self._moods.pop(0)
        return mood.misbehaviour

    def _control(self, request: Request) -> Answer:
        """What other processes on this machine may ask: no credentials, loopback only."""
        match request.method, request.path:
            case "GET", "/_receiver/notifications":
                return _json(200, [as_json(one) for one in self.notifications])
            case "DELETE", "/_receiver/notifications":
                self.clear()
                return Answer(status=204)
            case "POST", "/_receiver/behave":
                return self._steer(request.body)
            case "DELETE", "/_receiver/behave":
                self.behave_well()
                return Answer(status=204)
        return _json(404, {"error": "There is /_receiver/notifications and /_receiver/behave"})

    def _steer(self, body: bytes) -> Answer:
        try:
            wanted = json.loads(body)
            if not isinstance(wanted, dict):
                raise Impossible("body", "send an object")
            self.treat(asked_for(wanted))
        except (ValueError, RecursionError) as mistake:
            return _json(400, {"error": str(mistake)})
        return Answer(status=204)


def _json(status: int, value: object) -> Answer:
    return Answer(status=status, body=json.dumps(value).encode(), headers=(("Content-Type", "application/json"),))
