"""What a record says, as bytes: to compare with another reading of it, and to send."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import msgspec
import orjson

from connectors import nulls

HASH_SIZE = 16


def content_hash(raw: msgspec.Raw) -> bytes:
    """Equal for equal bytes."""
    return hashlib.blake2b(memoryview(raw), digest_size=HASH_SIZE).digest()


def canonical_hash(raw: msgspec.Raw) -> bytes:
    """Equal for records that say the same, whatever the order of their keys and the space between. Costs a decode."""
    try:
        canonical = _written(_read(raw), sorts_keys=True)
    except (ValueError, RecursionError):
        return content_hash(raw)
    return hashlib.blake2b(canonical, digest_size=HASH_SIZE).digest()


def without_nulls(raw: msgspec.Raw) -> bytes:
    """The record without members that are null, or as it came where it cannot be rebuilt."""
    text, is_done = nulls.cut_nulls(bytes(raw))
    if is_done:
        return text
    try:
        return _written(nulls.without_nulls(_read(msgspec.Raw(text))))
    except (ValueError, RecursionError):
        return bytes(raw)  # nested too deeply: better with its nulls than not at all


def _read(raw: msgspec.Raw) -> Any:
    try:
        return orjson.loads(memoryview(raw))
    except orjson.JSONDecodeError:
        return json.loads(bytes(raw))  # half a surrogate pair: legal JSON that only the slow reader takes


def _written(value: Any, *, sorts_keys: bool = False) -> bytes:
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS if sorts_keys else None)
    except TypeError:  # likewise; also what is nested more deeply than orjson goes
        return json.dumps(value, sort_keys=sorts_keys).encode()
