"""Two signatures on every notification of an instance with a key: the one old clients know, and Standard Webhooks.

The old one is `sha256=` and base64 of HMAC-SHA256 over the body. The other covers the id and the moment of the attempt
too, so a copy that is sent again later is told from the original; its secret is `whsec_` + base64 of the key's bytes.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Sequence

from django.conf import settings

USER_AGENT = f"Switchyard/{getattr(settings, 'VERSION', '0.1.0')}"


def legacy_signature(*, key: str, body: bytes) -> str:
    """The value of `Elements-Webhook-Signature`."""
    return "sha256=" + _mac(key, body)


def standard_signature(*, key: str, message_id: str, timestamp: int, body: bytes) -> str:
    """One item of `webhook-signature`. `timestamp` is in seconds since 1970; the id has no dot in it."""
    return "v1," + _mac(key, b"%b.%d.%b" % (message_id.encode(), timestamp, body))


def headers(
    *,
    delivery_id: int,
    event_id: int,
    body: bytes,
    keys: Sequence[str],
    is_legacy_signed_by_old: bool = False,
    timestamp: int,
) -> tuple[tuple[str, str], ...]:
    """All headers of one attempt. `keys` newest first; without one, nothing is signed.

    While a key is being replaced, receivers may hold any of them: the standard lists a signature for each, the old
    header has room for one. By default it is the newest, otherwise the one that has been there the longest.
    """
    always = (
        ("Content-Type", "application/json"),
        ("User-Agent", USER_AGENT),
        ("Elements-Webhook-Id", str(delivery_id)),
    )
    if not keys:
        return always
    message_id = f"evt_{event_id}"
    signatures = [standard_signature(key=key, message_id=message_id, timestamp=timestamp, body=body) for key in keys]
    return (
        *always,
        ("Elements-Webhook-Signature", legacy_signature(key=keys[-1 if is_legacy_signed_by_old else 0], body=body)),
        ("webhook-id", message_id),
        ("webhook-timestamp", str(timestamp)),
        ("webhook-signature", " ".join(signatures)),
    )


def _mac(key: str, message: bytes) -> str:
    return b64encode(hmac.digest(key.encode(), message, "sha256")).decode()
