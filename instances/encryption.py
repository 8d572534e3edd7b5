"""The keyring: what is encrypted at rest, and how secrets are looked up without being readable."""

from __future__ import annotations

import hashlib
import json
import secrets
from base64 import b64encode
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class KeyMissing(Exception):
    """A stored value was encrypted with a key that is no longer in FERNET_KEYS: put that key back, last in the list."""


@lru_cache(maxsize=4)
def _keyring(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def encrypt(text: str) -> str:
    """With the newest key."""
    return _keyring(tuple(settings.FERNET_KEYS)).encrypt(text.encode()).decode()


def decrypt(token: str) -> str:
    """With whichever key of the ring made it. Raises KeyMissing."""
    try:
        return _keyring(tuple(settings.FERNET_KEYS)).decrypt(token).decode()
    except InvalidToken:
        raise KeyMissing("a stored secret was encrypted with a key that FERNET_KEYS does not hold") from None


def encrypt_json(value: Any) -> str:
    return encrypt(json.dumps(value))


def decrypt_json(token: str) -> Any:
    """Raises KeyMissing. An empty column is None."""
    return json.loads(decrypt(token)) if token else None


def fingerprint(secret: str) -> str:
    """What a presented secret is looked up by. The secrets are random, so a plain SHA-256 holds."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def new_secret() -> str:
    """32 random bytes in base64: 44 characters, the form of user secrets and instance tokens."""
    return b64encode(secrets.token_bytes(32)).decode()


def new_path_secret() -> str:
    """32 random bytes as 43 characters that can stand in the path of a URL as they are."""
    return secrets.token_urlsafe(32)


def new_organization_secret() -> str:
    """32 lower-case hexadecimal digits, the form that clients know."""
    return secrets.token_hex(16)
