"""What a receiver of notifications checks: both signatures, as a client would, with nothing of the sender's code."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Literal

TIMESTAMP_TOLERANCE = 300.0
"""Seconds that a Standard Webhooks timestamp may lie off."""

Signature = Literal["elements", "standard"]
Verdict = Literal["valid", "wrong", "missing", "expired", "unchecked"]
"""`unchecked`: the receiver has no key. `expired`: signed rightly, at a time too far from now."""


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


def _hmac(key: bytes, message: bytes) -> str:
    return base64.b64encode(hmac.digest(key, message, hashlib.sha256)).decode()
