"""Who may use which provider account."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Now

from connectors import registry
from connectors.element import Element


class Organization(models.Model):
    """The tenant. Everything belongs to one."""

    RETRY, QUEUE = "retry", "queue"

    name = models.CharField(max_length=200, unique=True)
    secret_hash = models.CharField(max_length=64, unique=True, editable=False)
    secret_encrypted = models.TextField(editable=False)
    failure_policy = models.CharField(max_length=5, choices=[(RETRY, RETRY), (QUEUE, QUEUE)], default=RETRY)
    retry_schedule = models.CharField(max_length=500, default="elements-9", db_default="elements-9")
    """The name of a preset, or seconds after the first failure, comma-separated."""
    retention_days = models.PositiveSmallIntegerField(null=True)
    """How long events are kept; null where the platform's default holds."""
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class UserManager(BaseUserManager["User"]):
    @classmethod
    def normalize_email(cls, email: str | None) -> str:
        """People do not type the capitals of their address the same way twice."""
        return (email or "").strip().lower()

    def get_by_natural_key(self, username: str | None) -> User:
        return super().get_by_natural_key(self.normalize_email(username))

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save()
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractUser):
    """A person or a program of an organization; signs in to the console and calls the API."""

    OWNER, OPERATOR, VIEWER = "owner", "operator", "viewer"

    username = None  # type: ignore[assignment]  # people sign in with their e-mail address
    email = models.EmailField(unique=True)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, null=True, related_name="users")
    role = models.CharField(
        max_length=8, choices=[(OWNER, OWNER), (OPERATOR, OPERATOR), (VIEWER, VIEWER)], default=OWNER
    )
    secret_hash = models.CharField(max_length=64, unique=True, null=True, editable=False)
    secret_encrypted = models.TextField(blank=True, editable=False)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects = UserManager()  # type: ignore[misc,assignment]

    class Meta:
        verbose_name, verbose_name_plural = "person", "people"

    def __str__(self) -> str:
        return self.email


class Instance(models.Model):
    """One organization's authenticated use of one element.

    Rows are written by `provisioning` only. What identifies the provider account and every entry that is not an
    event setting sits encrypted in `configuration_encrypted`; event settings are plain columns, since sweeps and
    lists read them.
    """

    OWN, FULL = "own", "full"
    NO_ORDER, BY_OBJECT = "none", "object"
    NEW, OLD = "new", "old"

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="instances")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="instances")
    element_key = models.CharField(max_length=64)
    name = models.CharField(max_length=255)
    tags = ArrayField(models.CharField(max_length=255), default=list, blank=True)
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    token_encrypted = models.TextField(editable=False)
    configuration_encrypted = models.TextField(editable=False)
    provider_account = models.CharField(max_length=64, editable=False)
    """`Connection.account()`: instances of one provider account share its rate limit."""
    filters_nulls = models.BooleanField(default=True)

    is_events_enabled = models.BooleanField(default=False)
    event_method = models.CharField(max_length=8)
    callback_url = models.TextField(blank=True)
    signing_keys_encrypted = models.TextField(blank=True, editable=False)
    """The signature keys as a JSON list, newest first; empty when notifications are not signed."""
    signing_overlap_hours = models.PositiveSmallIntegerField(default=24, db_default=24)
    """How long a key that has been replaced still signs beside its successor."""
    legacy_signature_key = models.CharField(max_length=3, choices=[(NEW, NEW), (OLD, OLD)], default=NEW, db_default=NEW)
    """Which of the two keys signs the old header during that time; it has room for one."""
    retry_schedule = models.CharField(max_length=500, blank=True, default="", db_default="")
    """As the organization's, which holds where this is empty."""
    notification_ordering = models.CharField(
        max_length=6, choices=[(NO_ORDER, NO_ORDER), (BY_OBJECT, BY_OBJECT)], default=NO_ORDER, db_default=NO_ORDER
    )
    """`object`: what happened to one object is told in order, each change when the one before it was delivered."""
    poll_interval_minutes = models.DecimalField(max_digits=12, decimal_places=3, default=15)
    poller_configuration = models.JSONField(null=True, blank=True)
    """`event.poller.configuration` as it was sent; null where the element's default holds."""
    raw_in_notifications = models.CharField(max_length=4, choices=[(OWN, OWN), (FULL, FULL)], default=OWN)
    callback_types = models.TextField(blank=True)
    """`event.callback.types` as it was sent; empty where the element's default holds."""
    accepts_unsigned_callbacks = models.BooleanField(default=False)
    subscription_id = models.TextField(blank=True, editable=False)
    """The provider's ids of our registrations, comma-separated."""
    registration_problem = models.TextField(blank=True, editable=False)
    """Why not all callbacks are registered that should be; empty when they are."""
    object_definitions = models.JSONField(default=dict, db_default={}, blank=True, editable=False)
    """Fields of its own objects by the object's name, as `connectors.transformation_requests` makes them."""
    transformations = models.JSONField(default=dict, db_default={}, blank=True, editable=False)
    """Likewise, which resource's fields they are."""

    is_disabled = models.BooleanField(default=False)
    is_valid = models.BooleanField(default=True)
    invalid_reason = models.TextField(blank=True)
    """Why it needs attention; empty while `is_valid`."""
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [
            models.Index(fields=["organization", "id"], name="instances_of_organization"),
            models.Index(fields=["provider_account"], name="instances_of_account"),
            GinIndex(fields=["tags"], name="instances_by_tag"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.pk})"

    @property
    def element(self) -> Element:
        return registry.element(self.element_key)

    @property
    def is_listening(self) -> bool:
        """Whether changes at the provider become events."""
        return self.is_events_enabled and not self.is_disabled

    @property
    def topic(self) -> str:
        """What its events are published under."""
        return f"instance-{self.pk}-{self.element_key}-events"


class ApiCall(models.Model):
    """One call of the API by somebody we know. Written in batches by `usage`, and forgotten after a while.

    Nothing refers to what it names: users and instances may be gone before it.
    """

    request_id = models.CharField(max_length=24)
    organization = models.ForeignKey(
        Organization, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    user_id = models.BigIntegerField()
    instance_id = models.BigIntegerField(null=True)
    """Of the token that came with the call."""
    element_key = models.CharField(max_length=64, blank=True)
    method = models.CharField(max_length=16)
    path = models.CharField(max_length=500)
    """Without its query string."""
    status = models.PositiveSmallIntegerField()
    duration_ms = models.PositiveIntegerField()
    called_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["organization", "id"], name="calls_of_organization"),
            models.Index(fields=["request_id"], name="calls_by_request"),
            models.Index(fields=["called_at"], name="calls_by_moment"),
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.path} ({self.request_id})"


class AuditEntry(models.Model):
    """Something that somebody did, or looked at. Rows are written by `audit` only, and never changed or deleted.

    Nothing refers to what it names: people, instances and organizations may be gone before it.
    """

    organization = models.ForeignKey(
        Organization, on_delete=models.DO_NOTHING, null=True, db_constraint=False, db_index=False, related_name="+"
    )
    user_id = models.BigIntegerField(null=True)
    who = models.CharField(max_length=254, blank=True)
    """The e-mail address at that time; empty for the platform itself."""
    through = models.CharField(max_length=7)
    action = models.CharField(max_length=64)
    instance_id = models.BigIntegerField(null=True)
    instance_name = models.CharField(max_length=255, blank=True)
    subject = models.CharField(max_length=255, blank=True)
    detail = models.TextField(blank=True)
    happened_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "audit log"
        indexes = [
            models.Index(fields=["organization", "-id"], name="audit_of_organization"),
            models.Index(fields=["instance_id", "-id"], name="audit_of_instance"),
        ]

    def __str__(self) -> str:
        return f"{self.who or 'the platform'} {self.action}"


class Heartbeat(models.Model):
    """When somebody last took work from a queue. Written by `heartbeats`."""

    queue = models.CharField(max_length=32, primary_key=True)
    seen_at = models.DateTimeField()
    worker = models.CharField(max_length=255, blank=True)
    """The host's name."""

    def __str__(self) -> str:
        return f"{self.queue} at {self.seen_at}"
