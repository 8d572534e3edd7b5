"""The ways into one ConnectWise account, and which of them worked.

A user name and a password may be an integrator login or an API key pair, and only trying tells. On the cloud, people
know a host of which programs need the sibling. What worked is remembered by this process, without the secrets.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass

MOST_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way in."""

    origin: str
    """`https://api-na.myconnectwise.net`"""
    is_integrator: bool
    """An integrator login; else an API key pair."""

    def headers(self) -> dict[str, str]:
        return {"x-cw-usertype": "integrator"} if self.is_integrator else {}


class WaysThatWorked:
    """By account, for the accounts used last. Usable from any thread."""

    def __init__(self, *, most: int = MOST_REMEMBERED) -> None:
        self._most = most
        self._lock = threading.Lock()
        # A secret of this process: what is kept cannot be compared with guesses elsewhere.
        self._salt = secrets.token_bytes(32)
        self._ways: OrderedDict[bytes, Way] = OrderedDict()

    def key(self, *account: str) -> bytes:
        """What to remember an account under: nothing of it can be read from this."""
        text = "".join(f"{len(part)}:{part}" for part in account)
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=self._salt, digest_size=32).digest()

    def get(self, key: bytes) -> Way | None:
        with self._lock:
            way = self._ways.get(key)
            if way is not None:
                self._ways.move_to_end(key)
            return way

    def remember(self, key: bytes, way: Way) -> None:
        with self._lock:
            self._ways[key] = way
            self._ways.move_to_end(key)
            while len(self._ways) > self._most:
                self._ways.popitem(last=False)

    def forget(self, key: bytes) -> None:
        with self._lock:
            self._ways.pop(key, None)


worked = WaysThatWorked()
