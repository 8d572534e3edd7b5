"""People at the console."""

from __future__ import annotations

from django.test import Client

from instances.models import AuditEntry, User


def console(user: User, *, role: str = "") -> Client:
    """Signed in; with `role`, after they were given that one."""
    if role:
        User.objects.filter(pk=user.pk).update(role=role)
    client = Client()
    client.force_login(User.objects.get(pk=user.pk))
    return client


def noted() -> list[str]:
    """What the audit log says was done, and to what, oldest first."""
    rows = AuditEntry.objects.order_by("pk").values_list("action", "subject")
    return [f"{action}: {subject}" if subject else action for action, subject in rows]
