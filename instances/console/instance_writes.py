"""What people do to an instance in the console: through `provisioning`, and noted in the audit log."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta

from django.http import HttpRequest

from connectors.configuration_entries import EVENTS_ENABLED, SIGNATURE_KEY, SIGNATURE_OVERLAP
from connectors.errors import ConnectorError
from instances import audit, provisioning
from instances.encryption import KeyMissing, decrypt
from instances.errors import PlatformError
from instances.models import Instance

KEY_MISSING = (
    "The secrets of this instance cannot be read: the key that they were encrypted with is missing from FERNET_KEYS."
)
REFUSALS = (PlatformError, ConnectorError, KeyMissing)
"""How a change fails that nobody here is to blame for; `refusal_of` says it in words."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a change was not made."""

    message: str
    provider_message: str = ""
    """In the provider's own words."""


def refusal_of(error: Exception) -> Refusal:
    if isinstance(error, KeyMissing):
        return Refusal(f"{KEY_MISSING} Put that key back, last in the list, or re-authenticate the instance.")
    return Refusal(str(error), str(getattr(error, "provider_message", "")))


# Each raises one of REFUSALS, and then nothing has changed. What is so already is neither done nor noted.


def switch_events(request: HttpRequest, instance: Instance, *, is_on: bool) -> Instance:
    if is_on == instance.is_events_enabled:
        return instance
    changed = provisioning.update(instance_id=instance.pk, configuration={EVENTS_ENABLED: is_on})
    _note(request, changed, f"switched events {'on' if is_on else 'off'}")
    return changed


def disable(request: HttpRequest, instance: Instance) -> Instance:
    if instance.is_disabled:
        return instance
    changed = provisioning.disable(instance_id=instance.pk)
    _note(request, changed, "disabled the instance")
    return changed


def enable(request: HttpRequest, instance: Instance) -> Instance:
    if not instance.is_disabled:
        return instance
    changed = provisioning.enable(instance_id=instance.pk)
    _note(request, changed, "enabled the instance")
    return changed


def delete(request: HttpRequest, instance: Instance) -> None:
    provisioning.delete(instance_id=instance.pk)
    _note(request, instance, "deleted the instance", detail=f"of {instance.element_key}")


def rotate_signature_key(request: HttpRequest, instance: Instance, *, overlap: timedelta) -> str:
    """A key of our making becomes the current one; the ones before it sign beside it for a while. Returns the key."""
    key = new_signature_key()
    hours = int(overlap.total_seconds()) // 3600
    changed = provisioning.update(instance_id=instance.pk, configuration={SIGNATURE_KEY: key, SIGNATURE_OVERLAP: hours})
    had_one = bool(instance.signing_keys_encrypted)
    detail = f"keys before it sign for {hours} more hours" if had_one else "the first one"
    _note(request, changed, "rotated the signature key", detail=detail)
    return key


def token_for(request: HttpRequest, instance: Instance) -> str:
    """The token in clear; that somebody looked is noted first. Raises KeyMissing."""
    token = decrypt(instance.token_encrypted)
    _note(request, instance, "looked at the token")
    return token


def new_signature_key() -> str:
    """32 random bytes as 43 characters."""
    return secrets.token_urlsafe(32)


def _note(request: HttpRequest, instance: Instance, action: str, *, detail: str = "") -> None:
    audit.note(
        who=request.user,
        through=audit.CONSOLE,
        action=action,
        organization_id=instance.organization_id,
        instance=instance,
        detail=detail,
    )
