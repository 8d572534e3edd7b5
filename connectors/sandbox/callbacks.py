"""Callbacks: every save and every deletion is posted to whoever registered for it, unless a fault is switched on."""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, Literal

from connectors.sandbox.clock import SandboxClock
from connectors.sandbox.collection import API_MEMBER, Collection
from connectors.sandbox.posting import post
from connectors.sandbox.refusals import encode
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
LEFT_OUT = ("communicationItems", "customFields")
"""Of a slim entity."""

Action = Literal["added", "updated", "deleted"]


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

    def wait_until_idle(self, timeout: float) -> None:
        """Return when nothing waits and nothing is tried again. Raises TimeoutError after `timeout` seconds."""
        self.sender.wait_until_idle(timeout)

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
            status = post(message.url, body=body, headers=headers, timeout=TIMEOUT, holding=self.sender.holding)
        except OSError as failure:
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
        """The body, its keys in the order of recorded ones, and its signature; empty where it goes without."""
        key_url = self.key_url or self._url + self.keys.place()
        words: Record = {
            "MessageId": message.message_id,
            "FromUrl": self._url.partition("://")[2],
            "CompanyId": self._company,
            "MemberId": API_MEMBER,
            "Action": message.action,
            "Type": message.type,
            "ID": message.record["id"],
            "ProductInstanceId": self._product_instance_id,
            "PartnerId": self._partner_id,
            "Entity": self._entity(message),
            "Metadata": {"key_url": key_url},
            "CallbackObjectRecId": message.registration["id"],
        }
        if self.without_entity:
            del words["Entity"]
        if self.old_shape:
            words = {_OLD_NAMES.get(name, name): value for name, value in words.items() if name not in _NEW_NAMES}
        body = encode(words)
        return body, "" if self.without_signature else self.keys.sign(body)

    def _entity(self, message: _Message) -> str | None:
        if message.action == "deleted":
            return None
        shown = {
            name: value for name, value in message.record.items() if not self.entity_is_slim or name not in LEFT_OUT
        }
        return encode(_without_nulls(shown)).decode()

    def _note_outcome(self, registration_id: int, *, is_success: bool) -> None:
        """Disable a registration that brought nothing but failures on three days in a row."""
        today = self._clock.now().date()
        with self._registrations.locked():
            days = self._days.setdefault(registration_id, {})
            days[today] = is_success or days.get(today, False)
            if not is_hopeless(days, today=today):
                return
            del self._days[registration_id]  # whoever enables it again gets three new days
            row = self._registrations.row(registration_id)
            if row is not None and not row.record.get("inactiveFlag"):
                self._registrations.edit(registration_id, inactiveFlag=True)


def is_hopeless(days: Mapping[date, bool], *, today: date) -> bool:
    """`days` says of each day on which a callback ended whether one arrived."""
    return all(days.get(today - timedelta(days=back)) is False for back in range(DAYS_UNTIL_DISABLED))


_NEW_NAMES = frozenset({"MessageId", "CallbackObjectRecId", "ProductInstanceId", "PartnerId"})
_OLD_NAMES = {"ID": "Id", "Metadata": "metadata"}


def _without_nulls(value: Any) -> Any:
    """As GET shows it: nulls are left out, but the `value` of a custom field stays."""
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    if isinstance(value, dict):
        return {
            name: inner if name == "customFields" else _without_nulls(inner)
            for name, inner in value.items()
            if inner is not None
        }
    return value


def _guid(source: random.Random) -> uuid.UUID:
    return uuid.UUID(int=source.getrandbits(128), version=4)
