"""A notification as a receiver remembers it, and as it is shown to people and other processes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from events.signature_checks import Signature, Verdict, verify_elements, verify_standard

LONGEST_MESSAGE = 300
"""Characters of a posted message that are shown in its line."""


@dataclass(frozen=True, kw_only=True)
class Notification:
    """One request as it arrived, and how it was answered."""

    received_at: datetime
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    raw_body: bytes = field(repr=False)
    """The bytes that were signed."""
    status: int
    """What it was answered; 0 when it was given no answer."""
    key: bytes = field(default=b"", repr=False)

    @cached_property
    def verdicts(self) -> Mapping[Signature, Verdict]:
        """`elements`: of `Elements-Webhook-Signature`; `standard`: of the three Standard Webhooks headers.

        Worked out when somebody asks: senders are measured against this receiver.
        """
        now = self.received_at.timestamp()
        return {
            "elements": verify_elements(self.headers, self.raw_body, self.key),
            "standard": verify_standard(self.headers, self.raw_body, self.key, now=now),
        }

    @property
    def is_accepted(self) -> bool:
        return 200 <= self.status < 300

    @property
    def body(self) -> Any:
        """Decoded; as text when it is no JSON."""
        try:
            return json.loads(self.raw_body)
        except (ValueError, RecursionError):
            return self.raw_body.decode("utf-8", "replace")

    def entries(self) -> list[dict[str, Any]]:
        """The changes it tells of: `message.events`. Empty for another kind of body."""
        try:
            found = self.body["message"]["events"]
        except (LookupError, TypeError):
            return []
        return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def lines_of(notification: Notification) -> list[str]:
    """A notification for people: one line per change, or one for a body that tells of none."""
    at = notification.received_at.strftime("%H:%M:%S")
    found = notification.verdicts
    verdicts = f"Elements signature {found['elements']}, Standard Webhooks {found['standard']}"
    answered = f"answered {notification.status}" if notification.status else "not answered"
    entries = notification.entries()
    if not entries:
        told = _posted(notification.body) or f"{len(notification.raw_body)} bytes without events"
        return [_printable(f"{at}  {told}  [{verdicts}; {answered}]")]
    event_id = notification.body["message"].get("eventId", "?")
    return [
        _printable(
            f"{at}  event {event_id}  {entry.get('eventType')} {entry.get('objectType')} {entry.get('objectId')}"
            f"  {entry.get('date')}  [{verdicts}; {answered}]"
        )
        for entry in entries
    ]


def as_json(notification: Notification) -> dict[str, Any]:
    """For `GET /_receiver/notifications`."""
    return {
        "received_at": notification.received_at.isoformat(),
        "path": notification.path,
        "headers": dict(notification.headers),
        "body": notification.body,
        "raw_body": notification.raw_body.decode("utf-8", "replace"),
        "verdicts": dict(notification.verdicts),
        "status": notification.status,
    }


def _posted(body: Any) -> str:
    """What a notification says that is no event of an instance: an alert, or what somebody posted. Else empty."""
    if not isinstance(body, dict) or not body.get("topic") or "message" not in body:
        return ""
    message = json.dumps(body["message"], ensure_ascii=False)
    excerpt = message if len(message) <= LONGEST_MESSAGE else message[:LONGEST_MESSAGE] + "..."
    return f"notification {body.get('id', '?')}  {body['topic']}  {excerpt}"


def _printable(text: str) -> str:
    """A body is a stranger's text: it must not steer the terminal."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
