"""What happened, who is to be told, and how that went."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex, GinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from instances.models import Instance, Organization


class Event(models.Model):
    """The stored event record: up to 10 changes when polled, 20 from a webhook; sent as one notification.

    The body is built once and sent unchanged at every attempt, so ids and signatures are stable. Rows are written
    by `record` with COPY. Its status on the wire (NEW .. NOTIFIED) follows from its deliveries and is not stored.
    """

    POLL, WEBHOOK, POSTED = "poll", "webhook", "posted"

    instance = models.ForeignKey(Instance, on_delete=models.CASCADE, related_name="events", null=True)
    """Whose switch and signing keys count; null for what somebody posted under a topic."""
    # Without a constraint, like that of deliveries: a trigger for each row would be felt where changes are recorded.
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="+", null=True, db_index=False, db_constraint=False
    )
    """Of what was posted; the changes of an instance belong to the instance's."""
    source = models.CharField(max_length=7, choices=[(POLL, POLL), (WEBHOOK, WEBHOOK), (POSTED, POSTED)])
    topic = models.CharField(max_length=255, blank=True, db_default="")
    """That somebody posted it under. Empty for the changes of an instance, which go under the instance's topic, and
    for what was sent to one URL."""
    change_count = models.PositiveSmallIntegerField()
    body = models.BinaryField()
    """The notification as UTF-8 JSON, exactly as it is sent."""
    created_at = models.DateTimeField(db_default=Now())
    acknowledged_at = models.DateTimeField(null=True)
    """When somebody said through the API that it was seen."""

    class Meta:
        # The last two cost `record` next to nothing: one holds no row of it, the other a line for each megabyte.
        indexes = [
            models.Index(fields=["instance", "-id"], name="events_of_instance"),  # the event read API
            models.Index(
                fields=["organization", "topic", "-id"],
                condition=Q(organization__isnull=False),
                name="events_posted",
            ),
            BrinIndex(fields=["created_at"], name="events_by_time", autosummarize=True),  # analytics
        ]

    def __str__(self) -> str:
        return f"{self.pk} of instance {self.instance_id}" if self.instance_id else f"{self.pk} about {self.topic}"


class SeenChange(models.Model):
    """The ledger that makes a change count once. Trimmed behind the overlap of its poll cursor."""

    POLL, WEBHOOK, BOTH = Event.POLL, Event.WEBHOOK, "both"

    # Without a constraint: checking each row costs a poll as much as writing it, and a row left behind does no harm.
    instance = models.ForeignKey(Instance, on_delete=models.CASCADE, related_name="+", db_constraint=False)
    object_type = models.CharField(max_length=64)
    object_id = models.CharField(max_length=255)
    version = models.CharField(max_length=96)
    changed_at = models.DateTimeField(null=True)
    content_hash = models.BinaryField(max_length=16)
    is_settled = models.BooleanField(default=True)
    found_by = models.CharField(max_length=7, db_default=POLL, choices=[(POLL, POLL), (WEBHOOK, WEBHOOK), (BOTH, BOTH)])
    """While it is `webhook`, `content_hash` is over what the callback said: no poll has met the change yet."""
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

    def __str__(self) -> str:
        return f"{self.pk} to {urlsplit(self.url).hostname or 'nowhere'}"


class Delivery(models.Model):
    """Our duty to bring one event to one callback URL. What to do next is decided in `retries` and `deliver`."""

    PENDING, DELIVERED, QUEUED, ABANDONED = "pending", "delivered", "queued", "abandoned"
    STATES = (PENDING, DELIVERED, QUEUED, ABANDONED)
    LIVE, AGAIN = 0, 1

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
    lane = models.PositiveSmallIntegerField(default=LIVE, db_default=LIVE)
    """What a replay asked for goes by a lane of its own, so that it does not hold up what happens now."""
    replay = models.ForeignKey(
        "Replay", on_delete=models.SET_NULL, null=True, related_name="+", db_index=False, db_constraint=False
    )
    """The replay that last began it again."""
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [models.UniqueConstraint(fields=["event", "subscription"], name="one_delivery_per_subscription")]
        indexes = [
            # By subscription first: claims take a little of each, however much one of them has waiting.
            models.Index(
                fields=["lane", "subscription", "next_attempt_at", "id"],
                condition=Q(state="pending"),
                name="deliveries_due_by_lane",
            ),
            models.Index(fields=["subscription", "state", "id"], name="deliveries_by_subscription"),
            models.Index(fields=["replay", "state"], condition=Q(replay__isnull=False), name="deliveries_of_replay"),
        ]

    def __str__(self) -> str:
        return f"{self.pk} of event {self.event_id}, {self.state}"


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

    class Meta:
        # A line for each megabyte: writing attempts does not feel it.
        indexes = [BrinIndex(fields=["started_at"], name="attempts_by_time", autosummarize=True)]


class Circuit(models.Model):
    """How a subscription's receiver has been doing since something failed. A receiver that never failed has no row.

    Apart from the subscription, whose row everybody who records events holds a share of.
    """

    CLOSED, OPEN, RECOVERING = "closed", "open", "recovering"
    STATES = (CLOSED, OPEN, RECOVERING)

    subscription = models.OneToOneField(
        Subscription, on_delete=models.CASCADE, primary_key=True, related_name="circuit"
    )
    state = models.CharField(max_length=10, choices=[(state, state) for state in STATES], default=CLOSED)
    window_started_at = models.DateTimeField(null=True)
    """Since when attempts are counted; null while none is counted."""
    window_failures = models.PositiveIntegerField(default=0)
    window_successes = models.PositiveIntegerField(default=0)
    failing_since = models.DateTimeField(null=True)
    """The first failure since the last success; null when the last attempt that counted was a success."""
    failures = models.PositiveIntegerField(default=0)
    """Since then."""
    warned_percent = models.PositiveSmallIntegerField(default=0)
    """How far on the way to deactivation the last warning was given."""
    opened_at = models.DateTimeField(null=True)
    next_probe_at = models.DateTimeField(null=True)
    """When one real event may be tried while it is open; null: never by itself."""
    trips = models.PositiveIntegerField(default=0)
    """Probes that failed since it opened: the wait for the next one doubles."""
    recovering_since = models.DateTimeField(null=True)
    recovering_claims = models.PositiveIntegerField(default=0)
    """What has been sent since then: it starts slowly."""
    paused_until = models.DateTimeField(null=True)
    """The receiver asked for patience (`Retry-After`)."""
    changed_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [
            models.Index(fields=["next_probe_at"], condition=Q(state="open"), name="circuits_to_probe"),
            models.Index(fields=["subscription"], condition=Q(state="recovering"), name="circuits_recovering"),
        ]

    def __str__(self) -> str:
        return f"of subscription {self.subscription_id}, {self.state}"


class CircuitTransition(models.Model):
    """Something that happened to a circuit or its subscription, kept once."""

    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="transitions", db_index=False)
    kind = models.CharField(max_length=16)
    """One of `transitions.KINDS`."""
    reason = models.TextField(blank=True)
    happened_at = models.DateTimeField(db_default=Now())
    alerted_at = models.DateTimeField(null=True)
    """When those who have to know were told of it."""

    class Meta:
        indexes = [
            models.Index(fields=["subscription", "-id"], name="transitions_of_subscription"),
            models.Index(
                fields=["id"],
                condition=Q(alerted_at__isnull=True, kind__in=["warned", "deactivated", "reactivated"]),
                name="transitions_to_tell",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of subscription {self.subscription_id}"


class OrderingKey(models.Model):
    """An undelivered delivery of a subscription that is told of each object in order, and one object in it.

    The row with the lowest delivery of a key is the one that may be sent; the others wait for it to go.
    """

    subscription = models.ForeignKey(
        Subscription, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    key = models.CharField(max_length=350)
    """Instance, object type and object id."""
    # Without a constraint: it would be looked up for each delivery of anybody that is deleted.
    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="+", db_constraint=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["subscription", "key", "delivery"], name="one_ordering_key_each")
        ]

    def __str__(self) -> str:
        return f"delivery {self.delivery_id}"


class Replay(models.Model):
    """A job that begins deliveries again: those that match, each once, in the order of their ids, at a rate."""

    RUNNING, PAUSED, CANCELLED, FINISHED = "running", "paused", "cancelled", "finished"
    STATES = (RUNNING, PAUSED, CANCELLED, FINISHED)

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="replays")
    created_by = models.ForeignKey("instances.User", on_delete=models.SET_NULL, null=True, related_name="+")
    wanted = models.JSONField()
    """What it replays, as `replay_requests` makes it."""
    rate = models.PositiveIntegerField()
    """Deliveries per second."""
    state = models.CharField(max_length=9, choices=[(state, state) for state in STATES], default=RUNNING)
    total = models.PositiveIntegerField()
    total_bytes = models.PositiveBigIntegerField()
    last_id = models.BigIntegerField()
    """The highest delivery when it was made: what comes later is not part of it."""
    position = models.BigIntegerField(default=0)
    """The last delivery that was looked at."""
    begun = models.PositiveIntegerField(default=0)
    """Deliveries that it has begun again."""
    passed_over = models.PositiveIntegerField(default=0)
    """Deliveries that match and were left alone, since their subscriptions are deactivated."""
    next_step_at = models.DateTimeField(db_default=Now())
    """When its rate lets the next delivery begin."""
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["organization", "-id"], name="replays_of_organization"),
            models.Index(fields=["next_step_at"], condition=Q(state="running"), name="replays_due"),
        ]

    def __str__(self) -> str:
        return f"{self.pk}, {self.state}"


class Decision(models.Model):
    """Why something that was seen at the provider became no event; kept for some days, for whoever asks.

    What did become one is in `SeenChange`, and how polls went is with the polls.
    """

    instance = models.ForeignKey(
        Instance, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    object_type = models.CharField(max_length=64)
    object_id = models.CharField(max_length=255)
    source = models.CharField(max_length=7, choices=[(Event.POLL, Event.POLL), (Event.WEBHOOK, Event.WEBHOOK)])
    decision = models.CharField(max_length=32)
    reason = models.TextField(blank=True)
    callback_id = models.BigIntegerField(null=True)
    decided_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [
            models.Index(fields=["instance", "object_type", "object_id"], name="decisions_about_object"),
            BrinIndex(fields=["decided_at"], name="decisions_by_time", autosummarize=True),
        ]

    def __str__(self) -> str:
        return f"{self.decision}: {self.object_type} {self.object_id}"


class Inbox(models.Model):
    """Where an instance's callbacks arrive: the address that is registered at the provider, and how it goes there.

    An inbox outlives its instance, or the provider account it was registered with, until the registrations are taken
    back: then `instance` is null and `parting_encrypted` holds what is needed for that, and nothing else does.
    """

    instance = models.OneToOneField(Instance, on_delete=models.SET_NULL, null=True, related_name="inbox")
    element_key = models.CharField(max_length=64)
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    token_encrypted = models.TextField(editable=False)
    is_open = models.BooleanField(default=False)
    """Whether callbacks become events. Closed, they are answered like any other and dropped."""
    accepts_unsigned = models.BooleanField(default=False)
    parting_encrypted = models.TextField(blank=True, editable=False)
    """What to take the registrations back with (`encrypt_json`), once the instance is gone or elsewhere."""
    parted_at = models.DateTimeField(null=True)

    # The provider is made to agree with `wanted_version`; see `reconcile`.
    wanted_version = models.IntegerField(default=0)
    reconciled_version = models.IntegerField(default=0)
    next_check_at = models.DateTimeField(db_default=Now())
    leased_until = models.DateTimeField(null=True)
    epoch = models.IntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)
    """Consecutive ones."""
    last_error = models.TextField(blank=True)
    last_checked_at = models.DateTimeField(null=True)

    refused_count = models.BigIntegerField(default=0)
    last_refused_at = models.DateTimeField(null=True)
    last_refused_reason = models.TextField(blank=True)
    suspect_at = models.DateTimeField(null=True)
    """Callbacks may have been lost up to this moment, and no poll has covered it yet."""
    suspect_reason = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "inboxes"
        indexes = [models.Index(fields=["next_check_at", "id"], name="inboxes_due")]

    def __str__(self) -> str:
        whose = f"of instance {self.instance_id}" if self.instance_id is not None else "of an instance that is gone"
        return f"{self.pk} {whose}"


class Registration(models.Model):
    """One callback of ours at the provider: what it should tell us about, and what became of asking for it."""

    MISSING, ACTIVE, REFUSED = "missing", "active", "refused"
    STATES = (MISSING, ACTIVE, REFUSED)

    inbox = models.ForeignKey(Inbox, on_delete=models.CASCADE, related_name="registrations", db_index=False)
    type = models.CharField(max_length=32)
    level = models.CharField(max_length=32)
    object_id = models.CharField(max_length=64)
    state = models.CharField(max_length=7, choices=[(state, state) for state in STATES], default=MISSING)
    provider_id = models.CharField(max_length=64, blank=True)
    last_error = models.TextField(blank=True)
    registered_at = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["inbox", "type", "level", "object_id"], name="one_registration_each")
        ]

    def __str__(self) -> str:
        of = "" if self.level == "owner" else f":{self.level}:{self.object_id}"
        return f"{self.type}{of}, {self.state}"


class Callback(models.Model):
    """What a provider posted to us, as it came, until it is standardized; parked with a reason if it cannot be.

    What is done keeps no body: the event has it. The row stays for a month, so that a repeat is known by its id.
    """

    WAITING, PARKED, REFUSED, DONE = "waiting", "parked", "refused", "done"
    STATES = (WAITING, PARKED, REFUSED, DONE)

    instance = models.ForeignKey(Instance, on_delete=models.CASCADE, related_name="callbacks", db_index=False)
    state = models.CharField(max_length=7, choices=[(state, state) for state in STATES], default=WAITING)
    reason = models.TextField(blank=True)
    """Why it is parked or refused, or what it came to: `repeat`."""
    method = models.CharField(max_length=7)
    query = models.TextField(blank=True)
    content_type = models.CharField(max_length=255, blank=True)
    signature = models.TextField(blank=True)
    body = models.BinaryField()
    message_id = models.CharField(max_length=64, blank=True)
    received_at = models.DateTimeField(db_default=Now())
    attempts_made = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(db_default=Now())
    leased_until = models.DateTimeField(null=True)
    epoch = models.IntegerField(default=0)

    class Meta:
        indexes = [
            models.Index(fields=["next_attempt_at", "id"], condition=Q(state="waiting"), name="callbacks_due"),
            models.Index(fields=["instance", "state", "-id"], name="callbacks_of_instance"),
            models.Index(fields=["instance", "message_id"], condition=~Q(message_id=""), name="callbacks_by_message"),
        ]

    def __str__(self) -> str:
        return f"{self.pk} of instance {self.instance_id}, {self.state}"


class ActivityTally(models.Model):
    """How much happened to an organization's events in five minutes; in an hour, once that is over for a while.

    Counted by `tallies` from the rows themselves, for charts that must not count them.
    """

    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    starts_at = models.DateTimeField()
    events = models.PositiveBigIntegerField(default=0)
    delivered = models.PositiveBigIntegerField(default=0)
    """Attempts that a receiver took."""
    failed = models.PositiveBigIntegerField(default=0)
    """Attempts that came to nothing, whatever became of their deliveries."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "starts_at"], name="one_tally_each")]
        indexes = [models.Index(fields=["starts_at"], name="tallies_by_time")]

    def __str__(self) -> str:
        return f"{self.starts_at} of organization {self.organization_id}"
