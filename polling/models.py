"""Up to where each resource of each polled instance is read; jobs that run by the clock; bulk downloads."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from instances.models import Instance, User


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
        verbose_name = "poller"
        constraints = [models.UniqueConstraint(fields=["instance", "resource"], name="one_cursor_per_resource")]
        indexes = [models.Index(fields=["next_poll_at", "id"], condition=Q(is_active=True), name="poll_cursors_due")]

    def __str__(self) -> str:
        return f"{self.resource} of {self.instance_id}"


class PollRun(models.Model):
    """One poll that met something or failed, for whoever asks what happened to a change. Kept for some days."""

    instance = models.ForeignKey(
        Instance, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    resource = models.CharField(max_length=64)
    began_at = models.DateTimeField(db_default=Now())
    """By the database's clock."""
    since = models.DateTimeField(null=True)
    until = models.DateTimeField(null=True)
    """The window of the provider's stamps that it asked for, and the watermark that it left."""
    record_count = models.PositiveIntegerField(default=0)
    change_count = models.PositiveIntegerField(default=0)
    """Of them, those that became part of an event."""
    error = models.TextField(blank=True)
    """Why it failed; empty when it did not."""
    budget = models.CharField(max_length=16, blank=True)
    """Whom a failure is charged to."""

    class Meta:
        indexes = [
            models.Index(fields=["instance", "resource", "-id"], name="poll_runs_of_instance"),
            models.Index(fields=["began_at"], name="poll_runs_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.resource} of {self.instance_id} at {self.began_at}"


class Job(models.Model):
    """A call of the hub API that is made at the times of a cron expression.

    A run is used up before it is made: a process that dies with it leaves it out, and nothing is written twice.
    """

    SUCCEEDED, FAILED = "succeeded", "failed"

    instance = models.ForeignKey(Instance, on_delete=models.CASCADE, related_name="jobs")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="jobs")
    """Whose job it is: it runs as long as they may make the call."""
    name = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    method = models.CharField(max_length=6)
    uri = models.TextField()
    """A path of the hub API: `/hubs/crm/contacts`, `incidents/5/comments`."""
    query = models.JSONField(default=dict)
    body = models.JSONField(null=True)
    cron = models.CharField(max_length=200)

    next_run_at = models.DateTimeField()
    leased_until = models.DateTimeField(null=True)
    epoch = models.IntegerField(default=0)
    is_active = models.BooleanField(default=True)
    stopped_reason = models.TextField(blank=True)
    failures = models.PositiveIntegerField(default=0)
    """Consecutive ones."""
    last_run_at = models.DateTimeField(null=True)
    last_status = models.CharField(max_length=9, blank=True)
    last_error = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["next_run_at", "id"], condition=Q(is_active=True), name="jobs_due")]

    def __str__(self) -> str:
        return f"{self.name} ({self.pk})"


class BulkQuery(models.Model):
    """One bulk download: what was asked for, how far it is read, and how it ended."""

    CREATED, RUNNING, COMPLETED, CANCELLED, FAILED = "created", "running", "completed", "cancelled", "failed"
    UNFINISHED = (CREATED, RUNNING)

    instance = models.ForeignKey(Instance, on_delete=models.CASCADE, related_name="bulk_queries")
    collection = models.TextField()
    selected = ArrayField(models.TextField(), default=list)
    """The fields asked for; empty for all of them."""
    where = models.TextField(blank=True)
    callback_url = models.TextField(blank=True)

    state = models.CharField(max_length=9, default=CREATED)
    page_token = models.TextField(blank=True)
    """Of the page behind the last one that is kept."""
    page_count = models.PositiveIntegerField(default=0)
    record_count = models.PositiveBigIntegerField(default=0)
    byte_count = models.PositiveBigIntegerField(default=0)
    total_count = models.PositiveBigIntegerField(null=True)
    """How many records there were when it began; null as long as nobody knows."""
    columns = ArrayField(models.TextField(), null=True, default=list)
    """Of the result as a table; null where the records have too many."""
    message = models.TextField(blank=True)
    """What is in the way, or why it failed."""

    next_step_at = models.DateTimeField(db_default=Now())
    leased_until = models.DateTimeField(null=True)
    epoch = models.IntegerField(default=0)
    """Grows with every claim and with the end: a page is kept only under the epoch of its claim."""
    failures = models.PositiveIntegerField(default=0)
    """Consecutive ones."""
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "bulk download"
        indexes = [
            models.Index(
                fields=["next_step_at", "id"], condition=Q(state__in=["created", "running"]), name="bulk_queries_due"
            ),
            models.Index(fields=["created_at"], name="bulk_queries_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.collection} of {self.instance_id} ({self.pk})"


class BulkPage(models.Model):
    """Records of a bulk query as the hub returned them, one page of the provider's."""

    query = models.ForeignKey(BulkQuery, on_delete=models.CASCADE, related_name="pages")
    number = models.PositiveIntegerField()
    """From 1, without gaps."""
    body = models.BinaryField()
    """The records with commas between them: the JSON array without its brackets."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["query", "number"], name="one_bulk_page_per_number")]

    def __str__(self) -> str:
        return f"page {self.number} of {self.query_id}"
