"""Inboxes follow their instances, in the same commit and without asking anybody."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction
from django.db.models.functions import Now

from events import inboxes
from events.models import Callback, Inbox
from instances.encryption import decrypt_json, fingerprint
from instances.models import Instance
from tests.factories import InboxFactory, InstanceFactory, token_of

pytestmark = pytest.mark.django_db
ON = {"event.notification.enabled": True}


def follow(instance: Instance, *, starts_over: bool = False, previous_configuration: str = "") -> list[int]:
    with transaction.atomic():
        return inboxes.follow(instance=instance, previous_configuration=previous_configuration, starts_over=starts_over)


def desk(**sent) -> Instance:
    return InstanceFactory.create(element_key="connectwisehd", sent=ON | sent)


def opened(**fields) -> tuple[Inbox, Instance]:
    """An open inbox, and whose it is."""
    inbox = InboxFactory.create(**fields)
    assert inbox.instance is not None
    return inbox, inbox.instance


def waiting(instance: Instance) -> Callback:
    return Callback.objects.create(instance=instance, method="POST", body=b"{}")


def test_an_instance_gets_an_inbox_with_an_address_of_its_own(settings):
    settings.PUBLIC_URL = "https://hooks.example.com"
    first, second = desk(), desk()

    changed = follow(first) + follow(second)

    one, other = Inbox.objects.order_by("pk")
    assert changed == [one.pk, other.pk]
    assert inboxes.address_of(one) == f"https://hooks.example.com/elements/api-v2/events/connectwisehd/{token_of(one)}"
    assert len(token_of(one)) == 43
    assert token_of(one) != token_of(other)
    assert one.token_hash == fingerprint(token_of(one))
    assert (one.instance, one.is_open, one.wanted_version, one.reconciled_version) == (first, True, 1, 0)


def test_while_events_are_off_the_inbox_is_closed_and_nobody_is_asked():
    instance = desk(**{"event.notification.enabled": False})

    assert follow(instance) == []

    inbox = Inbox.objects.get()
    assert (inbox.is_open, inbox.wanted_version) == (False, 0)


def test_an_instance_that_polls_has_no_inbox():
    assert follow(InstanceFactory.create(sent=ON)) == []
    assert follow(desk(**{"event.vendor.type": "polling"})) == []

    assert not Inbox.objects.exists()


@pytest.mark.parametrize("change", [{"is_events_enabled": False}, {"is_disabled": True}, {"event_method": "polling"}])
def test_what_is_not_listened_to_is_closed_at_the_same_address(change):
    inbox, instance = opened()
    for column, value in change.items():
        setattr(instance, column, value)

    assert follow(instance) == [inbox.pk]

    after = Inbox.objects.get()
    assert (after.is_open, after.token_hash, after.wanted_version) == (False, inbox.token_hash, 1)


@pytest.mark.parametrize(
    "change, are_kept",
    [
        ({"is_events_enabled": False}, False),
        ({"event_method": "polling"}, False),
        ({"is_disabled": True}, True),
        ({}, True),
    ],
)
def test_callbacks_that_wait_are_forgotten_when_events_go_off_but_not_for_a_pause(change, are_kept):
    _, instance = opened()
    other = waiting(opened()[1])
    waiting(instance)
    parked = Callback.objects.create(instance=instance, method="POST", body=b"{}", state=Callback.PARKED)
    for column, value in change.items():
        setattr(instance, column, value)

    follow(instance)

    assert Callback.objects.filter(instance=instance, state=Callback.WAITING).exists() is are_kept
    assert set(Callback.objects.filter(pk__in=[other.pk, parked.pk])) == {other, parked}


def test_whether_unsigned_callbacks_are_taken_is_copied():
    _, instance = opened()
    instance.accepts_unsigned_callbacks = True

    follow(instance)

    assert Inbox.objects.get().accepts_unsigned is True


def test_saving_an_instance_whose_events_are_off_asks_nobody_again():
    _, instance = opened(is_open=False)
    instance.is_events_enabled = False

    assert follow(instance) == []
    assert Inbox.objects.get().wanted_version == 0


def test_a_changed_instance_is_due_at_once_whatever_failed_before():
    _, instance = opened(failures=7, next_check_at=Now() + timedelta(hours=1))

    follow(instance)

    assert Inbox.objects.filter(next_check_at__lte=Now(), failures=0).exists()


def test_another_provider_account_gets_another_inbox_and_the_old_one_keeps_the_old_credentials():
    old, instance = opened()
    before = instance.configuration_encrypted
    waiting(instance)
    Callback.objects.create(instance=instance, method="POST", body=b"{}", state=Callback.PARKED)

    changed = follow(instance, starts_over=True, previous_configuration=before)

    new = Inbox.objects.get(instance=instance)
    old.refresh_from_db()
    assert changed == [new.pk, old.pk]
    assert new.token_hash != old.token_hash
    assert (old.instance, old.is_open, old.parting_encrypted) == (None, False, before)
    assert old.parted_at is not None
    assert inboxes.connection_to(old).configuration["helpdesk.connectwise.company"] == "acme"
    assert not Callback.objects.exists()


def test_what_could_not_be_taken_back_in_a_day_is_forgotten_with_its_secrets(caplog):
    (late, first), (recent, second), (ours, _) = opened(), opened(), opened()
    for inbox, instance, hours in ((late, first, 24), (recent, second, 23)):
        inboxes.part(inbox, configuration_encrypted=instance.configuration_encrypted)
        Inbox.objects.filter(pk=inbox.pk).update(parted_at=Now() - timedelta(hours=hours))

    assert inboxes.forget_parted() == 1

    assert set(Inbox.objects.all()) == {recent, ours}
    assert "did not take them back" in caplog.text
    assert decrypt_json(Inbox.objects.get(pk=recent.pk).parting_encrypted)
