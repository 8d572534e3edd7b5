"""The keys that callbacks are signed with: how they sign, where they are fetched, and how they change."""

from __future__ import annotations

import base64
import hashlib
import hmac
import random
import threading
import uuid
from urllib.parse import quote

KEY_PATH = "/v2025_1//system/callbackkey/index.rails"
"""With its double slash; under the other spelling there is nothing."""


class KeyRing:
    """Every key that there was, by its id. The last one signs."""

    def __init__(self, *, company: str, seed: int) -> None:
        self._company = company
        self._random = random.Random(f"keys {seed}")
        self._lock = threading.Lock()
        self._keys: dict[str, str] = {}
        self.key_id = ""
        self.rotate()

    @property
    def key(self) -> str:
        return self._keys[self.key_id]

    def rotate(self) -> None:
        """From now on a new key with a new id signs; the old id still answers the old key."""
        with self._lock:
            key_id = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
            self._keys[key_id] = self._new_key()
            self.key_id = key_id

    def replace(self) -> None:
        """From now on another key signs under the same id; the old key is gone."""
        with self._lock:
            self._keys[self.key_id] = self._new_key()

    def _new_key(self) -> str:
        return base64.b64encode(self._random.randbytes(24)).decode()

    def place(self) -> str:
        """Path and query of the key that signs now."""
        return f"{KEY_PATH}?companyName={quote(self._company, safe='')}&id={self.key_id}"

    def find(self, *, company: str, key_id: str) -> str | None:
        return self._keys.get(key_id) if company.lower() == self._company.lower() else None

    def sign(self, body: bytes) -> str:
        return signature(body, key=self.key)


def signature(body: bytes, *, key: str) -> str:
    """The value of `x-content-signature`: the HMAC's key is the digest of the text, as raw bytes."""
    digest = hmac.new(hashlib.sha256(key.encode()).digest(), body, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()
