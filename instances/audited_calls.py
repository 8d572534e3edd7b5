"""What calls of the API changed, for the audit log.

Programs read and write records, post notifications and acknowledge them as their work: `GET /usage` tells of these
calls. What people set up, switch and ask for is noted here.
"""

from __future__ import annotations

from collections.abc import Iterable

from rest_framework.request import Request

from connectors.configuration_entries import EVENTS_ENABLED, SIGNATURE_KEY
from instances import audit
from instances.authentication import user_of
from instances.models import Instance

LONGEST_DETAIL = 1000


def note(
    request: Request, action: str, *, instance: Instance | None = None, subject: str = "", detail: str = ""
) -> None:
    """Behind any of the permissions that find a user."""
    user = user_of(request)
    audit.note(
        who=user,
        action=action,
        through=audit.API,
        organization_id=user.organization_id,
        instance=instance,
        subject=subject[:255],
        detail=detail[:LONGEST_DETAIL],
    )


def note_changes(request: Request, *, before: Instance, after: Instance, sent: Iterable[str]) -> None:
    """An instance is another than it was. What people look for has words of its own; `sent` are the keys, no values."""
    others = sorted(set(sent) - {EVENTS_ENABLED, SIGNATURE_KEY})
    if before.is_events_enabled != after.is_events_enabled:
        note(request, f"switched events {'on' if after.is_events_enabled else 'off'}", instance=after)
    if before.signing_keys_encrypted != after.signing_keys_encrypted:
        is_signed = bool(after.signing_keys_encrypted)
        note(request, f"{'changed' if is_signed else 'removed'} the signature key", instance=after)
    if others:
        note(request, "changed the instance", instance=after, detail=", ".join(others))
