"""Where an instance's callbacks arrive: made, opened, closed and parted in the commit that changes the instance.

Nothing here asks a provider. What is written is what is wanted; `registrations` makes the provider agree.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from django.conf import settings
from django.db.models import F
from django.db.models.functions import Now

from connectors import registry
from connectors.callbacks import WantedCallback
from connectors.connection import Connection
from connectors.element import WEBHOOK
from events.models import Callback, Inbox
from instances.configuration import connection_of, connection_with
from instances.encryption import decrypt, encrypt, fingerprint, new_path_secret
from instances.models import Instance

logger = logging.getLogger(__name__)

PARTED_AT_MOST = timedelta(hours=24)
"""How long we keep what it takes to take registrations back. A callback that nobody answers is disabled by ConnectWise
after three bad days, whoever forgot it."""
IDLE = timedelta(days=1)
"""How often a closed inbox without registrations is looked after."""


def address_of(inbox: Inbox) -> str:
    """Where providers post to, without a query. It is a secret: whoever knows it may try to post, too."""
    return f"{settings.PUBLIC_URL}/elements/api-v2/events/{inbox.element_key}/{token_of(inbox)}"


def token_of(inbox: Inbox) -> str:
    """Part of every URL that we register, and of nobody else's. Raises KeyMissing."""
    return decrypt(inbox.token_encrypted)


def connection_to(inbox: Inbox) -> Connection:
    """To the provider account that it is registered with, also once the instance is gone. Raises KeyMissing."""
    if inbox.instance is not None:
        return connection_of(inbox.instance)
    return connection_with(registry.element(inbox.element_key), inbox.parting_encrypted)


def wanted_of(inbox: Inbox) -> tuple[WantedCallback, ...]:
    """What the provider is to tell us about: nothing while the inbox is closed. Raises InvalidCallbackTypes."""
    callbacks = registry.element(inbox.element_key).callbacks
    if not inbox.is_open or inbox.instance is None or callbacks is None:
        return ()
    return callbacks.wanted(inbox.instance.callback_types)


def follow(*, instance: Instance, previous_configuration: str, starts_over: bool) -> list[int]:
    """Write down what an instance that was just saved wants, in its transaction.

    Returns the inboxes at whose provider there may be something to do. Switching events off forgets the callbacks
    that wait; a disabled instance keeps them.
    """
    inbox = Inbox.objects.select_for_update().filter(instance=instance).first()
    changed: list[int] = []
    if inbox is not None and starts_over:
        part(inbox, configuration_encrypted=previous_configuration)
        changed.append(inbox.pk)
        inbox = None
    wants_callbacks = instance.element.callbacks is not None and instance.event_method == WEBHOOK
    if starts_over or not (wants_callbacks and instance.is_events_enabled):
        # What is parked is another account's, too.
        forgotten = [Callback.WAITING, Callback.PARKED] if starts_over else [Callback.WAITING]
        Callback.objects.filter(instance=instance, state__in=forgotten).delete()
    is_open = wants_callbacks and instance.is_listening
    if inbox is None:
        if wants_callbacks:
            made = _make(instance, is_open=is_open)
            changed[:0] = [made.pk] if is_open else []
    elif _is_idle(inbox) and not is_open:
        Inbox.objects.filter(pk=inbox.pk).update(accepts_unsigned=instance.accepts_unsigned_callbacks)
    else:
        Inbox.objects.filter(pk=inbox.pk).update(
            is_open=is_open,
            accepts_unsigned=instance.accepts_unsigned_callbacks,
            wanted_version=F("wanted_version") + 1,
            next_check_at=Now(),
            failures=0,
        )
        changed.insert(0, inbox.pk)
    return changed


def part(inbox: Inbox, *, configuration_encrypted: str) -> None:
    """Cut an inbox off from its instance, keeping what it takes to take the registrations back, and nothing more."""
    Inbox.objects.filter(pk=inbox.pk).update(
        instance=None,
        is_open=False,
        parting_encrypted=configuration_encrypted,
        parted_at=Now(),
        wanted_version=F("wanted_version") + 1,
        next_check_at=Now(),
        failures=0,
    )


def forget_parted() -> int:
    """Give up on registrations that could not be taken back in PARTED_AT_MOST. Returns how many inboxes that were."""
    late = Inbox.objects.filter(parted_at__lte=Now() - PARTED_AT_MOST)
    ids = list(late.values_list("pk", flat=True))
    if ids:
        late.filter(pk__in=ids).delete()
        logger.warning("registrations given up, the provider did not take them back", extra={"inboxes": ids})
    return len(ids)


def _is_idle(inbox: Inbox) -> bool:
    """Closed, and nothing of it is at the provider."""
    is_agreed = inbox.wanted_version == inbox.reconciled_version
    return not inbox.is_open and is_agreed and not inbox.registrations.exists()


def _make(instance: Instance, *, is_open: bool) -> Inbox:
    token = new_path_secret()
    made = Inbox.objects.create(
        instance=instance,
        element_key=instance.element_key,
        token_hash=fingerprint(token),
        token_encrypted=encrypt(token),
        is_open=is_open,
        accepts_unsigned=instance.accepts_unsigned_callbacks,
        wanted_version=1 if is_open else 0,
        next_check_at=Now() if is_open else Now() + IDLE,
    )
    logger.info("inbox made", extra={"instance": instance.pk, "inbox": made.pk})
    return made
