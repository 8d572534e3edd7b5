"""Instances of connectwisehd at a sandbox, and what the sandbox has of theirs."""

from __future__ import annotations

from typing import Any

from connectors import registry
from connectors.sandbox import Sandbox
from events.models import Inbox
from instances import provisioning
from instances.models import Instance, User
from tests.factories import token_of

CALLBACKS = "/system/callbacks"
EVENTS_ENABLED = "event.notification.enabled"
DEFAULT_TYPES = ["company", "contact", "ticket", "time"]


def account_of(sandbox: Sandbox) -> dict[str, Any]:
    return {
        "helpdesk.connectwise.server.url": sandbox.url,
        "helpdesk.connectwise.company": sandbox.company,
        "helpdesk.connectwise.username": sandbox.public_key,
        "helpdesk.connectwise.password": sandbox.private_key,
    }


def make_desk(user: User, sandbox: Sandbox, **settings: Any) -> Instance:
    """As `POST /instances` makes it, with events on; `settings` by the last words of their keys."""
    named = {f"event.{name.replace('_', '.')}": value for name, value in settings.items()}
    return provisioning.create(
        user=user,
        element=registry.element("connectwisehd"),
        name="Acme desk",
        configuration=account_of(sandbox) | {EVENTS_ENABLED: True} | named,
    )


def switch(instance: Instance, *, on: bool) -> Instance:
    return provisioning.update(instance_id=instance.pk, configuration={EVENTS_ENABLED: on})


def inbox_of(instance: Instance) -> Inbox:
    return Inbox.objects.get(instance=instance)


def entries_of(sandbox: Sandbox, instance: Instance | None = None) -> list[dict[str, Any]]:
    """Registered callbacks, all of them or those of an instance, the oldest first."""
    found = [row.record for row in sandbox.registrations.rows()]
    return [one for one in found if instance is None or token_of(inbox_of(instance)) in one["url"]]


def types_of(sandbox: Sandbox, instance: Instance | None = None) -> list[str]:
    return sorted(entry["type"] for entry in entries_of(sandbox, instance))


def asked(sandbox: Sandbox) -> list[str]:
    """What was asked of the sandbox about callbacks: `POST /system/callbacks`."""
    return [f"{one.method} {one.endpoint}" for one in sandbox.requests if one.endpoint.startswith(CALLBACKS)]
