"""When callbacks may have been lost: noted on the inbox, and polls are asked for that find what they should have told."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models.functions import Now

from events.models import Inbox
from events.signals import polls_wanted


def open_window(*, instance_ids: Sequence[int], reason: str) -> None:
    """Callbacks of these instances may have been lost until now. Inside a transaction."""
    Inbox.objects.filter(instance__in=instance_ids).update(suspect_at=Now(), suspect_reason=reason)
    polls_wanted.send(sender=Inbox, instance_ids=list(instance_ids))
