"""Rows as provisioning leaves them, for tests that need no provider to get there.

The roles of a story: an owner, a colleague (same organization), a stranger (another one).
"""

from __future__ import annotations

from typing import Any

from factory.declarations import LazyAttribute, LazyFunction, SelfAttribute, Sequence, SubFactory
from factory.django import DjangoModelFactory, Password

from connectors import registry
from events.models import Inbox
from instances import configuration
from instances.encryption import decrypt, encrypt, fingerprint, new_organization_secret, new_path_secret, new_secret
from instances.models import Instance, Organization, User

PASSWORD = "correct horse battery"

CONNECTWISE = {
    "baseUrl": "http://127.0.0.1:9/v4_6_release/apis/3.0",
    "company": "acme",
    "public.key": "canary-public-key",
    "private.key": "canary-private-key",
}
"""A provider account of connectwisecrmrest where nobody answers."""


CONNECTWISE_HD = {
    "helpdesk.connectwise.server.url": "http://127.0.0.1:9",
    "helpdesk.connectwise.company": "acme",
    "helpdesk.connectwise.username": "canary-user-name",
    "helpdesk.connectwise.password": "canary-password",
}
"""A provider account of connectwisehd where nobody answers."""

ACCOUNTS = {"connectwisecrmrest": CONNECTWISE, "connectwisehd": CONNECTWISE_HD}


class OrganizationFactory(DjangoModelFactory[Organization]):
    class Meta:
        model = Organization

    class Params:
        secret = LazyFunction(new_organization_secret)

    name = Sequence(lambda number: f"Organization {number}")
    secret_hash = LazyAttribute(lambda made: fingerprint(made.secret))
    secret_encrypted = LazyAttribute(lambda made: encrypt(made.secret))


class UserFactory(DjangoModelFactory[User]):
    class Meta:
        model = User
        skip_postgeneration_save = True

    class Params:
        secret = LazyFunction(new_secret)

    email = Sequence(lambda number: f"user{number}@example.com")
    organization = SubFactory(OrganizationFactory)
    is_staff = True
    first_name = "Ada"
    secret_hash = LazyAttribute(lambda made: fingerprint(made.secret))
    secret_encrypted = LazyAttribute(lambda made: encrypt(made.secret))
    password = Password(PASSWORD)


def _column(name: str) -> Any:
    return LazyAttribute(lambda made: made.columns[name])


class InstanceFactory(DjangoModelFactory[Instance]):
    """`sent` holds configuration keys as a client would send them; they are laid over those of ACCOUNTS."""

    class Meta:
        model = Instance

    class Params:
        sent: dict[str, Any] = {}
        token = LazyFunction(new_secret)
        columns = LazyAttribute(
            lambda made: configuration.columns_of(
                configuration.merged(
                    configuration.blank(registry.element(made.element_key)), ACCOUNTS[made.element_key] | made.sent
                )
            )
        )

    user = SubFactory(UserFactory)
    organization = SelfAttribute("user.organization")
    element_key = "connectwisecrmrest"
    name = Sequence(lambda number: f"Instance {number}")
    tags = LazyAttribute(lambda made: [made.name])
    token_hash = LazyAttribute(lambda made: fingerprint(made.token))
    token_encrypted = LazyAttribute(lambda made: encrypt(made.token))
    configuration_encrypted = _column("configuration_encrypted")
    provider_account = _column("provider_account")
    filters_nulls = _column("filters_nulls")
    is_events_enabled = _column("is_events_enabled")
    event_method = _column("event_method")
    callback_url = _column("callback_url")
    signing_keys_encrypted = _column("signing_keys_encrypted")
    poll_interval_minutes = _column("poll_interval_minutes")
    poller_configuration = _column("poller_configuration")
    raw_in_notifications = _column("raw_in_notifications")
    callback_types = _column("callback_types")
    accepts_unsigned_callbacks = _column("accepts_unsigned_callbacks")
    retry_schedule = _column("retry_schedule")
    notification_ordering = _column("notification_ordering")
    signing_overlap_hours = _column("signing_overlap_hours")
    legacy_signature_key = _column("legacy_signature_key")


class InboxFactory(DjangoModelFactory[Inbox]):
    """An open inbox of a connectwisehd instance."""

    class Meta:
        model = Inbox

    class Params:
        token = LazyFunction(new_path_secret)

    instance = SubFactory(InstanceFactory, element_key="connectwisehd", sent={"event.notification.enabled": True})
    element_key = LazyAttribute(lambda made: made.instance.element_key)
    token_hash = LazyAttribute(lambda made: fingerprint(made.token))
    token_encrypted = LazyAttribute(lambda made: encrypt(made.token))
    is_open = True


def token_of(instance: Instance | Inbox) -> str:
    return decrypt(instance.token_encrypted)
