"""Callbacks: every save and every deletion is posted to whoever registered for it, unless a fault is switched on."""

from __future__ import annotations

import contextlib
import random
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from types import NoneType
from typing import Any

from connectors.sandbox import payload
from connectors.sandbox.clock import SandboxClock
from connectors.sandbox.collection import API_MEMBER, Action, Collection
from connectors.sandbox.posting import post
from connectors.sandbox.registering import called_url, concerns
from connectors.sandbox.schema import Record
from connectors.sandbox.sending import Sender
from connectors.sandbox.signing import KeyRing

TIMEOUT = 5.0
"""Seconds for a whole request, connecting and the answer's body included."""
RETRIED = frozenset({404, 409, 419, 429})
"""Nothing else is tried again: no 5xx, no time-out, no refused connection."""
RETRY_DELAYS = (2.0, 4.0)
DAYS_UNTIL_DISABLED = 3
LONGEST_LOG = 20_000
SWITCHES: Mapping[str, tuple[type, ...]] = {
    "drop": (int, float),
    "double": (int, float),
    "jitter": (int, float),
    "retry_scale": (int, float),
    "timeout": (int, float),
    "without_signature": (bool,),
    "without_entity": (bool,),
    "old_shape": (bool,),
    "entity_is_slim": (bool,),
    "key_url": (str, NoneType),
    "seed": (int,),
}
"""Attributes of Callbacks, and what each may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentCallback:
    """One try of one callback, or one that was dropped on purpose."""

    message_id: str
    registration_id: int
    type: str
    action: str
    record_id: int
    url: str
    """As called, with the record and the action."""
    try_number: int
    """1 to 3; 0 where it was dropped."""
    is_second_copy: bool
    was_dropped: bool
    at: datetime
    """When the try ended, by the sandbox's clock."""
    status: int | None = None
    error: str = ""
    """Why there is no status."""
    body: bytes = field(default=b"", repr=False)
    signature: str = field(default="", repr=False)

    @property
    def succeeded(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


@dataclass(slots=True, kw_only=True)
class _Message:
    """What happened, as it was at that moment. It is put into words when it is sent first."""

    message_id: str
    registration: Record
    type: str
    action: Action
    record: Record
    url: str
    words: tuple[bytes, str] | None = None
    """Body and signature: the same in every try."""


class Callbacks:
    """Sends them, and holds the switches for everything that goes wrong. Set its attributes at any time."""

    def __init__(self, *, url: str, company: str, seed: int, clock: SandboxClock, registrations: Collection) -> None:
        self.drop = 0.0
        """The share, 0 to 1, of callbacks that are never sent."""
        self.double = 0.0
        """The share that is sent twice, with one MessageId."""
        self.jitter = 0.0
        """Each one waits a random time up to this many seconds, so that their order changes."""
        self.retry_scale = 1.0
        """Factor of the two and four seconds before a callback is tried again."""
        self.timeout = TIMEOUT
        self.without_signature = False
        self.without_entity = False
        """No `Entity` in the body, as in old versions."""
        self.old_shape = False
        """The body of 2019: without the ids that came later, `Id` for `ID`, `metadata` for `Metadata`."""
        self.entity_is_slim = True
        """Entities come without communicationItems and customFields."""
        self.key_url: str | None = None
        """Instead of the true one, to forge it."""
        self.sent: list[SentCallback] = []
        """Every try that has ended and everything dropped, oldest first; `clear()` it at will."""
        self.keys = KeyRing(company=company, seed=seed)
        self.sender = Sender()
        self._url, self._company, self._clock, self._registrations = url, company, clock, registrations
        self._active: tuple[int, list[Record]] = (-1, [])
        self._days: dict[int, dict[date, bool]] = {}
        self._days_lock = threading.Lock()
        tenant = random.Random(f"tenant {seed}")
        self._product_instance_id, self._partner_id = (str(_guid(tenant)) for _ in range(2))
        self.seed = seed

    # What tests and people do

    @property
    def seed(self) -> int:
        """Of everything random; setting it begins anew."""
        return self._seed

    @seed.setter
    def seed(self, seed: int) -> None:
        self._seed = seed
        self._random = random.Random(f"callbacks {seed}")

    def state(self) -> dict[str, Any]:
        """The switches with their values, `is_paused`, `key_id` and `waiting`."""
        values = {name: getattr(self, name) for name in SWITCHES}
        return {
            **values,
            "is_paused": self.sender.is_paused,
            "key_id": self.keys.key_id,
            "waiting": self.waiting,
        }

    def switch(self, **values: Any) -> None:
        """Set several at once. Raises ValueError, and sets none, for names and values that cannot be."""
        for name, value in values.items():
            if name not in SWITCHES:
                raise ValueError(f"{name} is no switch: take one of {', '.join(SWITCHES)}")
            if type(value) not in SWITCHES[name]:
                raise ValueError(f"{name} cannot be {value!r}")
        for name, value in values.items():
            setattr(self, name, value)

    def pause(self) -> None:
        """Let them pile up. They are put into words when they are sent, after `resume`."""
        self.sender.pause()

    def resume(self) -> None:
        self.sender.resume()

    def rotate_key(self) -> None:
        """Sign with a new key under a new id; the old id still answers the old key."""
        self.keys.rotate()

    def replace_key(self) -> None:
        """Sign with another key under the same id: whoever remembers the old one must ask again."""
        self.keys.replace()

    def wait_until_idle(self, timeout: float) -> bool:
        """True when nothing waits and nothing is tried again. Raises TimeoutError after `timeout` seconds.

        It raises, instead of answering False, for those who do not look at the answer.
        """
        self.sender.wait_until_idle(timeout)
        return True

    @property
    def waiting(self) -> int:
        """How many are on their way, those that will be tried again included."""
        return self.sender.waiting

    # What the sandbox does

    def announce(self, type_: str, action: Action, record: Record, by: str) -> None:
        """Tell everybody concerned. Called under the lock of the collections, so that the order is theirs."""
        for registration in self._active_registrations():
            if not concerns(registration, type_=type_, record=record):
                continue
            if registration.get("isSelfSuppressedFlag") and by == API_MEMBER:
                continue
            self._begin(
                _Message(
                    message_id=str(_guid(self._random)),
                    registration=registration,
                    type=type_,
                    action=action,
                    record=record,
                    url=called_url(registration["url"], record_id=record["id"], action=action),
                )
            )

    def _active_registrations(self) -> list[Record]:
        version = self._registrations.version
        if self._active[0] != version:
            active = [row.record for row in self._registrations.rows() if not row.record.get("inactiveFlag")]
            self._active = (version, active)
        return self._active[1]

    def _begin(self, message: _Message) -> None:
        # As many numbers are drawn whatever the faults are: the same callbacks meet the same chances.
        drop, double, first, second = (self._random.random() for _ in range(4))
        if drop < self.drop:
            self._log(message, try_number=0, was_dropped=True)
            return
        self.sender.submit(partial(self._try, message, 1), delay=first * self.jitter)
        if double < self.double:
            self.sender.submit(partial(self._try, message, 1, is_second_copy=True), delay=second * self.jitter)

    def _try(self, message: _Message, number: int, *, is_second_copy: bool = False) -> None:
        if message.words is None:
            message.words = self._words(message)
        body, signature = message.words
        headers = {"Content-Type": "application/json; charset=utf-8"}
        if signature:
            headers["x-content-signature"] = signature
        status, error = None, ""
        try:
            status = post(message.url, body=body, headers=headers, timeout=self.timeout, holding=self.sender.holding)
        except (OSError, ValueError) as failure:  # ValueError: a host's name that cannot be one
            error = f"{type(failure).__name__}: {failure}"
        self._log(message, try_number=number, is_second_copy=is_second_copy, status=status, error=error)
        if status in RETRIED and number <= len(RETRY_DELAYS):
            again = partial(self._try, message, number + 1, is_second_copy=is_second_copy)
            self.sender.submit(again, delay=RETRY_DELAYS[number - 1] * self.retry_scale)
        else:
            self._note_outcome(message.registration["id"], is_success=status is not None and 200 <= status < 300)

    def _log(self, message: _Message, **outcome: Any) -> None:
        body, signature = message.words or (b"", "")
        values = {"is_second_copy": False, "was_dropped": False, **outcome}
        if len(self.sent) >= LONGEST_LOG:
            del self.sent[: LONGEST_LOG // 2]
        self.sent.append(
            SentCallback(
                message_id=message.message_id,
                registration_id=message.registration["id"],
                type=message.type,
                action=message.action,
                record_id=message.record["id"],
                url=message.url,
                at=self._clock.now(),
                body=body,
                signature=signature,
                **values,
            )
        )

    def _words(self, message: _Message) -> tuple[bytes, str]:
        """The body and its signature; empty where it goes without."""
        words = {
            "MessageId": message.message_id,
            "FromUrl": self._url.partition("://")[2],
            "CompanyId": self._company,
            "MemberId": API_MEMBER,  # always who registered, never who saved
            "Action": message.action,
            "Type": message.type,
            "ID": message.record["id"],
            "ProductInstanceId": self._product_instance_id,
            "PartnerId": self._partner_id,
            "Metadata": {"key_url": self.key_url or self._url + self.keys.place()},
            "CallbackObjectRecId": message.registration["id"],
        }
        is_gone = message.action == "deleted"
        entity = None if is_gone else payload.entity(message.record, is_slim=self.entity_is_slim)
        body = payload.body(words, entity=entity, has_entity=not self.without_entity, is_old=self.old_shape)
        return body, "" if self.without_signature else self.keys.sign(body)

    def _note_outcome(self, registration_id: int, *, is_success: bool) -> None:
        """Disable a registration that brought nothing but failures on three days in a row."""
        today = self._clock.now().date()
        with self._days_lock:
            days = self._days.setdefault(registration_id, {})
            days[today] = is_success or days.get(today, False)
            if not is_hopeless(days, today=today):
                return
            del self._days[registration_id]  # whoever enables it again gets three new days
        with contextlib.suppress(KeyError):  # somebody has deleted it
            self._registrations.edit(registration_id, inactiveFlag=True)


def is_hopeless(days: Mapping[date, bool], *, today: date) -> bool:
    """`days` says of each day on which a callback ended whether one arrived."""
    return all(days.get(today - timedelta(days=back)) is False for back in range(DAYS_UNTIL_DISABLED))


def _guid(source: random.Random) -> uuid.UUID:
    return uuid.UUID(int=source.getrandbits(128), version=4)
