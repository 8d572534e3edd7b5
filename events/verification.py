"""Whether a callback is from the provider: its signature, and the keys that signatures are made with.

Keys are fetched from the provider and kept by this process. A key that no longer fits is fetched again, at most every
REFETCH seconds, so that a replaced key costs no callback and forged ones cost the provider little. What was received
before the replacement was fetched may be signed with the old one.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

from connectors import egress
from connectors.callbacks import CallbackRefused, Callbacks, InboundCallback
from connectors.connection import Connection
from connectors.errors import ConnectorError, OwnFault, RecordNotFound, TryLater, UnusableAnswer

KEY_LIFE = 3600.0
"""Seconds that a key is believed."""
REFETCH = 30.0
"""Seconds between two fetches of one URL because a signature does not hold."""
FETCH_SECONDS = 5.0
LONGEST_KEY = 16 * 1024
TROUBLE_REST = 2.0
"""Seconds for which nobody asks again after a failure that does not say how long."""
FETCHES, FETCHES_SPAN = 20, 60.0
"""So many keys that never proved to be any are asked of one account in so many seconds."""
KEYS_PER_ACCOUNT = 64

UNSIGNED = "it came without a signature"
FORGED = "the signature does not hold"


class KeyUnavailable(Exception):
    """The key cannot be had now. The message is the reason that people read."""

    def __init__(
        self, message: str, *, wait: timedelta | None = None, is_unknown: bool = False, counts: bool = True
    ) -> None:
        super().__init__(message)
        self.wait = wait
        """Not before."""
        self.is_unknown = is_unknown
        """The provider has no such key."""
        self.counts = counts
        """Whether it was an attempt; False while the turn has not come, and where we could not even ask."""


@dataclass(frozen=True, slots=True)
class Key:
    text: str = field(repr=False)
    asked_at: float
    """By the clock of `Keys`, before the request went out: the provider's answer is not older."""
    replaced: str = field(default="", repr=False)
    """What was at this URL before, as far as this process knows."""
    replaced_until: float = float("-inf")
    """When it was known to be replaced: callbacks received before may be signed with it."""


@dataclass(slots=True)
class _Trouble:
    until: float = float("-inf")
    reason: str = ""
    is_unknown: bool = False
    is_own: bool = False
    """We could not even ask."""


@dataclass(slots=True)
class _Slot:
    """One URL of one account. Its lock is held while the key is fetched, so that one thread asks for all."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    key: Key | None = None
    replaced_at: float = float("-inf")
    is_proven: bool = False
    """A signature held with a key from there: it is the provider's, and no invention of a forger."""
    trouble: _Trouble = field(default_factory=_Trouble)


@dataclass(slots=True)
class _Account:
    slots: OrderedDict[str, _Slot] = field(default_factory=OrderedDict)
    asked: deque[float] = field(default_factory=deque)
    trouble: _Trouble = field(default_factory=_Trouble)


class Keys:
    """The signing keys that this process knows, by provider account and URL. For any number of threads."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._accounts: dict[str, _Account] = {}

    def get(self, url: str, *, account: str, read: Callable[[bytes], str]) -> Key:
        """The key at `url`, fetched if need be; `read` takes it out of the answer. Raises KeyUnavailable."""
        slot = self._slot(url, account=account)
        with slot.lock:
            if slot.key is not None and self._clock() - slot.key.asked_at < KEY_LIFE:
                return slot.key
            return self._fetch(slot, url, account=account, read=read)

    def newer(self, url: str, *, account: str, than: Key, read: Callable[[bytes], str]) -> Key:
        """A key that was fetched after this one. Raises KeyUnavailable, also while it is too early to ask."""
        slot = self._slot(url, account=account)
        with slot.lock:
            if slot.key is not None and slot.key.asked_at > than.asked_at:
                return slot.key
            left = slot.replaced_at + REFETCH - self._clock()
            if left > 0:
                raise KeyUnavailable(
                    "the signature does not hold; whether the key was replaced is asked later",
                    wait=timedelta(seconds=left),
                    counts=False,
                )
            key = self._fetch(slot, url, account=account, read=read)
            slot.replaced_at = key.asked_at
            return key

    def prove(self, url: str, *, account: str) -> None:
        """A signature held with the key from there."""
        self._slot(url, account=account).is_proven = True

    def forget(self) -> None:
        with self._lock:
            self._accounts.clear()

    def _slot(self, url: str, *, account: str) -> _Slot:
        with self._lock:
            slots = self._accounts.setdefault(account, _Account()).slots
            slot = slots.get(url)
            if slot is None:
                if len(slots) >= KEYS_PER_ACCOUNT:
                    # Forgers can invent URLs without end: theirs make room for each other.
                    del slots[next((other for other, kept in slots.items() if not kept.is_proven), next(iter(slots)))]
                slot = slots[url] = _Slot()
            slots.move_to_end(url)
            return slot

    def _fetch(self, slot: _Slot, url: str, *, account: str, read: Callable[[bytes], str]) -> Key:
        """Under the slot's lock."""
        asked_at = self._clock()
        self._take_turn(slot, account=account, now=asked_at)
        try:
            answer = egress.fetch("GET", url, headers={}, timeout=FETCH_SECONDS, max_bytes=LONGEST_KEY)
            egress.raise_for_status(answer)
            slot.key = self._succeeding(slot.key, read(answer.body), asked_at=asked_at)
        except ConnectorError as error:
            trouble = self._note_trouble(slot, error, account=account)
            raise _unavailable(trouble, wait=trouble.until - self._clock()) from error
        return slot.key

    def _succeeding(self, before: Key | None, text: str, *, asked_at: float) -> Key:
        if before is None:
            return Key(text, asked_at)
        if text == before.text:
            return replace(before, asked_at=asked_at)
        return Key(text, asked_at, replaced=before.text, replaced_until=self._clock())

    def _take_turn(self, slot: _Slot, *, account: str, now: float) -> None:
        with self._lock:
            kept = self._accounts.setdefault(account, _Account())
            for trouble in (slot.trouble, kept.trouble):
                if trouble.until > now:
                    raise _unavailable(trouble, wait=trouble.until - now)
            if slot.is_proven:
                return
            while kept.asked and kept.asked[0] <= now - FETCHES_SPAN:
                kept.asked.popleft()
            if len(kept.asked) >= FETCHES:
                raise KeyUnavailable(
                    "too many different keys were to be fetched within a minute",
                    wait=timedelta(seconds=kept.asked[0] + FETCHES_SPAN - now),
                    # A stranger who invents keys must not use up the attempts of genuine callbacks.
                    counts=False,
                )
            kept.asked.append(now)

    def _note_trouble(self, slot: _Slot, error: ConnectorError, *, account: str) -> _Trouble:
        asked_for = error.retry_after if isinstance(error, TryLater) else None
        trouble = _Trouble(
            until=self._clock() + max(TROUBLE_REST, asked_for.total_seconds() if asked_for else 0.0),
            reason=f"the key of the signature cannot be fetched: {error}",
            is_unknown=isinstance(error, RecordNotFound),
            is_own=isinstance(error, OwnFault),
        )
        with self._lock:
            # A server that does not answer does not answer other URLs either; a strange answer is one URL's.
            if isinstance(error, TryLater) and not isinstance(error, UnusableAnswer):
                self._accounts.setdefault(account, _Account()).trouble = trouble
            slot.trouble = trouble
        return trouble


KEYS = Keys()
"""Those of this process."""


def verify(
    callback: InboundCallback,
    *,
    callbacks: Callbacks,
    connection: Connection,
    account: str,
    accepts_unsigned: bool,
    received_at: float,
    keys: Keys = KEYS,
) -> bool:
    """Returns whether it is signed; False only where that need not be. `account` is `connection.account()`.

    `received_at` is by the clock of `keys`. No transaction may be open: the key may have to be fetched. Raises
    CallbackRefused for good, and KeyUnavailable where it has to wait.
    """
    if not callback.signature:
        if accepts_unsigned:
            callbacks.refuse_another_company(callback, connection)
            return False
        raise CallbackRefused(UNSIGNED)
    url = callbacks.key_url(callback, connection)
    key = keys.get(url, account=account, read=callbacks.signing_key)
    while not callbacks.is_signed_with(callback, key.text):
        if key.replaced and received_at < key.replaced_until and callbacks.is_signed_with(callback, key.replaced):
            # It waited while another one had the new key fetched.
            return True
        if key.asked_at >= received_at:
            raise CallbackRefused(FORGED)
        # The key may have been replaced since we asked for it.
        key = keys.newer(url, account=account, than=key, read=callbacks.signing_key)
    keys.prove(url, account=account)
    return True


def _unavailable(trouble: _Trouble, *, wait: float) -> KeyUnavailable:
    return KeyUnavailable(
        trouble.reason,
        wait=timedelta(seconds=max(wait, 0.0)),
        is_unknown=trouble.is_unknown,
        counts=not trouble.is_own,
    )
