"""What happened, who is to be told, and how that went."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from instances.models import Instance, Organization


class Event(models.Model):
    """The stored event record: up to 10 changes when polled, 20 from a webhook; sent as one notification.

    The body is built once and sent unchanged at every attempt, so ids and signatures are stable. Rows are written
    by `record` with COPY. Its status on the wire (NEW .. NOTIFIED) follows from its deliveries and is not stored.
    """

    POLL, WEBHOOK = "poll", "webhook"

    instance = models.ForeignKey(Instance, on_delete=models.CASCADE, related_name="events")
    source = models.CharField(max_length=7, choices=[(POLL, POLL), (WEBHOOK, WEBHOOK)])
    change_count = models.PositiveSmallIntegerField()
    body = models.BinaryField()
    """The notification as UTF-8 JSON, exactly as it is sent."""
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["instance", "-id"], name="events_of_instance")]  # the event read API


class SeenChange(models.Model):
    """The ledger that makes a change count once. Trimmed behind the overlap of its poll cursor."""

    # Without a constraint: checking each row costs a poll as much as writing it, and a row left behind does no harm.
    instance = models.ForeignKey(Instance, on_delete=models.CASCADE, related_name="+", db_constraint=False)
    object_type = models.CharField(max_length=64)
    object_id = models.CharField(max_length=255)
    version = models.CharField(max_length=96)
    changed_at = models.DateTimeField(null=True)
    content_hash = models.BinaryField(max_length=16)
    is_settled = models.BooleanField(default=True)
    event_type = models.CharField(max_length=7, blank=True)
    """Empty for what was only noted, at the baseline."""
    event_id = models.BigIntegerField(null=True)
    seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["instance", "object_type", "object_id", "version"], name="one_change_once")
        ]
        indexes = [models.Index(fields=["instance", "object_type", "changed_at"], name="seen_changes_to_trim")]


class Subscription(models.Model):
    """Who gets the notifications of a topic: channel and URL. An instance with a callback URL owns one."""

    ACTIVE, DEACTIVATED = "active", "deactivated"
    WEBHOOK = "webhook"

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="subscriptions")
    instance = models.OneToOneField(Instance, on_delete=models.CASCADE, null=True, related_name="subscription")
    """The instance that owns it; null for one made through the API."""
    channel = models.CharField(max_length=16, default=WEBHOOK)
    topics = ArrayField(models.CharField(max_length=255))
    url = models.TextField()
    state = models.CharField(max_length=11, choices=[(ACTIVE, ACTIVE), (DEACTIVATED, DEACTIVATED)], default=ACTIVE)
    deactivated_reason = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [GinIndex(fields=["topics"], name="subscriptions_by_topic")]


class Delivery(models.Model):
    """Our duty to bring one event to one callback URL. What to do next is decided in `retries` and `deliver`."""

    PENDING, DELIVERED, QUEUED, ABANDONED = "pending", "delivered", "queued", "abandoned"
    STATES = (PENDING, DELIVERED, QUEUED, ABANDONED)

    # A row is written three times in its life, and each index makes each of them dearer: the constraint and the
    # indexes below serve look-ups by event and by subscription.
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    state = models.CharField(max_length=9, choices=[(state, state) for state in STATES], default=PENDING)
    attempts_made = models.PositiveSmallIntegerField(default=0)
    first_failed_at = models.DateTimeField(null=True)
    next_attempt_at = models.DateTimeField(db_default=Now())
    leased_until = models.DateTimeField(null=True)
    epoch = models.IntegerField(default=0)
    """Grows with every claim: an outcome counts only under the epoch that its claim was given."""
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["event", "subscription"], name="one_delivery_per_subscription")]
        indexes = [
            models.Index(fields=["next_attempt_at", "id"], condition=Q(state="pending"), name="deliveries_due"),
            models.Index(fields=["subscription", "state"], name="deliveries_of_subscription"),
        ]


class DeliveryAttempt(models.Model):
    """One HTTP try of a delivery. Written when it has ended, never edited."""

    # Without a constraint: they are inserted joined to their deliveries.
    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="attempts", db_constraint=False)
    number = models.PositiveSmallIntegerField()
    started_at = models.DateTimeField()
    duration_ms = models.PositiveIntegerField()
    status = models.PositiveSmallIntegerField(null=True)
    """The HTTP status; null when there was no answer."""
    error_class = models.CharField(max_length=32, blank=True)
    """Empty for success; else one of `retries.ErrorClass`."""
    error = models.TextField(blank=True)
    response_excerpt = models.TextField(blank=True)
    """The first bytes of the answer, as text."""
