"""Who did what, kept for good: the rows can be added to and read, a trigger refuses everything else."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser

from instances.models import AuditEntry, Instance, User

CONSOLE, API, COMMAND = "console", "api", "command"


def note(
    *,
    who: User | AnonymousUser | None,
    action: str,
    through: str,
    organization_id: int | None,
    instance: Instance | None = None,
    subject: str = "",
    detail: str = "",
) -> None:
    """Write one entry, in the caller's transaction if there is one.

    `action` is what was done, as a person would say it ("switched events on"); `subject` is what it was done to where
    that is not the instance itself ("delivery 17"); `detail` says what changed, never with a secret in it.
    """
    AuditEntry.objects.create(
        organization_id=organization_id,
        user_id=who.pk if isinstance(who, User) else None,
        who=who.email if isinstance(who, User) else "",
        through=through,
        action=action,
        instance_id=None if instance is None else instance.pk,
        instance_name="" if instance is None else instance.name,
        subject=subject,
        detail=detail,
    )
