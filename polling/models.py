"""Up to where each resource of each polled instance is known to be read."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from instances.models import Instance


class PollCursor(models.Model):
    """The row that keeps watermark and lease for one resource of one instance.

    Deleted when events are switched off, which is also what keeps a poll in flight from recording anything more.
    """

    instance = models.ForeignKey(Instance, on_delete=models.CASCADE, related_name="poll_cursors")
    resource = models.CharField(max_length=64)

    watermark = models.DateTimeField()
    """The provider's stamps up to here are read. By the provider's clock, never ours."""
    baseline_at = models.DateTimeField()
    """The provider's clock when events began: what was stamped before is no event."""
    is_baseline_read = models.BooleanField(default=False)
    """Whether the first poll has noted what lay in the overlap before the baseline."""
    reads = models.CharField(max_length=64)
    """The hub's resource behind the poller's name."""
    remembered_since = models.DateTimeField(null=True)
    """The ledger knows every change stamped from here on, and polls go no further back. None before the first poll."""
    known_id = models.BigIntegerField(null=True)
    """Ids up to here existed before, or were reported long ago; null where ids are no numbers."""

    next_poll_at = models.DateTimeField(db_default=Now())
    leased_until = models.DateTimeField(null=True)
    epoch = models.IntegerField(default=0)
    """Grows with every claim and with every stop: a poll commits only under the epoch of its claim."""
    is_active = models.BooleanField(default=True)
    stopped_reason = models.TextField(blank=True)

    failures = models.PositiveIntegerField(default=0)
    """Consecutive ones."""
    last_error = models.TextField(blank=True)
    last_polled_at = models.DateTimeField(null=True)
    """Our clock; to show, not to decide by."""
    covered_at = models.DateTimeField(null=True)
    """When the last poll that succeeded began, by the database's clock: what was saved before, it could meet."""
    last_change_count = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["instance", "resource"], name="one_cursor_per_resource")]
        indexes = [models.Index(fields=["next_poll_at", "id"], condition=Q(is_active=True), name="poll_cursors_due")]

    def __str__(self) -> str:
        return f"{self.resource} of {self.instance_id}"
