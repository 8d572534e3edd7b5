"""Make the provider agree with what an inbox wants: register, adopt, arm again, take back.

Running it twice, late, or after a crash at any point is harmless: what is ours is found again by the token in its URL.
One at a time acts for an inbox, and goes on until what is wanted has stopped changing.
"""

from __future__ import annotations

import logging
import random
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from connectors.callbacks import InvalidCallbackTypes
from connectors.errors import ConnectorError, CredentialsRefused
from events import agreement, inbox_claims, inboxes, suspicion
from events.inbox_claims import Claim, LostLease
from events.models import Inbox, Registration
from events.registering import Clock, Outcome, OutOfTime, Work, without_secrets
from instances import provisioning
from instances.encryption import KeyMissing
from instances.models import Instance

logger = logging.getLogger(__name__)

WINDOW_REASON = "callbacks began, or began again"


def reconcile(*, inbox_id: int, budget_seconds: float) -> bool:
    """Make the provider agree with one inbox, if it is due and nobody else is at it.

    Returns whether it agrees now. False also where another one is acting: that one sees what has changed meanwhile.
    After the budget no new call to the provider begins, and none takes longer than what is left of it.
    """
    claim = inbox_claims.claim(inbox_id)
    return claim is not None and reconcile_claimed(claim, budget_seconds=budget_seconds)


def reconcile_claimed(claim: Claim, *, budget_seconds: float) -> bool:
    """The same under a claim that was taken already; gives it back."""
    clock = Clock.of(budget_seconds)
    try:
        while True:
            agreed = _round(claim, clock)
            if agreed is not None:
                return agreed
    except LostLease:
        # Something of ours may have happened at the provider after somebody else looked: have it looked at again.
        Inbox.objects.filter(pk=claim.inbox_id).update(wanted_version=F("wanted_version") + 1, next_check_at=Now())
        logger.info("reconciling broken off, the lease is lost", extra={"inbox": claim.inbox_id})
        return False


def _round(claim: Claim, clock: Clock) -> bool | None:
    """Once through. None: what is wanted has changed meanwhile."""
    inbox = Inbox.objects.select_related("instance").filter(pk=claim.inbox_id).first()
    if inbox is None:
        raise LostLease(claim)
    if inbox.instance is None and not inbox.parting_encrypted:
        logger.warning("inbox forgotten, its instance is gone without a trace", extra={"inbox": inbox.pk})
        inbox.delete()
        return False
    try:
        work = Work.begin(claim, clock, inbox)
        if inbox.is_open and not work.is_reachable():
            problem = _unreachable(inbox)
            return _finish(claim, inbox, outcome=Outcome(problem=problem, told=problem))
        outcome = work.agree()
    except OutOfTime as error:
        return _hand_over(claim, inbox, error)
    except (ConnectorError, KeyMissing, InvalidCallbackTypes) as error:
        return _failed(claim, inbox, error)
    return _finish(claim, inbox, outcome=outcome)


def _unreachable(inbox: Inbox) -> str:
    assert inbox.instance is not None
    minutes = f"{inbox.instance.poll_interval_minutes.normalize():f}"
    return (
        f"PUBLIC_URL is {settings.PUBLIC_URL}, which the provider cannot reach: set it to the address that providers "
        "reach, then start again; callbacks are registered within "
        f"{settings.CALLBACK_CHECK_SECONDS / 60:g} minutes of that, or at once with manage.py registrations "
        f"--reconcile. Until then changes are found by polling every {minutes} minutes"
    )


def _hand_over(claim: Claim, inbox: Inbox, error: OutOfTime) -> bool:
    """Leave the rest to somebody with more time. Due at once."""
    cause = without_secrets(inbox, error.__cause__) if isinstance(error.__cause__, Exception) else "it takes long"
    with transaction.atomic():
        inbox_claims.hold(claim)
        Inbox.objects.filter(pk=claim.inbox_id).update(
            leased_until=None, next_check_at=Now(), last_error=f"A worker goes on with it: {cause}"
        )
    return False


def _failed(claim: Claim, inbox: Inbox, error: Exception) -> bool | None:
    told = without_secrets(inbox, error)
    if isinstance(error, CredentialsRefused) and inbox.instance is not None:
        provisioning.mark_needs_attention(inbox.instance.pk, told, seen=inbox.instance)
    elif inbox.reconciled_version == inbox.wanted_version:
        # As far as we know everything is as it is wanted: we could not look, which is no problem of the owner's.
        return _finish(claim, inbox, outcome=Outcome(problem=None, error=error, told=told))
    what = "registered" if inbox.is_open else "taken back"
    problem = f"Callbacks could not all be {what} yet, and it is tried again: {told}"
    return _finish(claim, inbox, outcome=Outcome(problem=problem, error=error, told=told))


def _finish(claim: Claim, inbox: Inbox, *, outcome: Outcome) -> bool | None:
    """Write down what came of it and let go of the inbox. None: what is wanted has changed, and it is still ours."""
    error = outcome.error
    with transaction.atomic():
        if inbox.instance_id is not None:
            # Not its key: callbacks that come in meanwhile do not wait for it.
            Instance.objects.select_for_update(no_key=True).filter(pk=inbox.instance_id).first()
        is_current = inbox_claims.hold(claim) == inbox.wanted_version
        begun = _begun(inbox)
        if begun and inbox.is_open and inbox.instance_id is not None:
            suspicion.open_window(instance_ids=[inbox.instance_id], reason=WINDOW_REASON)
        rows = Inbox.objects.filter(pk=inbox.pk)
        if begun or error is None:
            rows.update(last_checked_at=Now())
        if not is_current:
            return None
        if error is None and inbox.parted_at is not None and not inbox.registrations.exists():
            rows.delete()
            logger.info("parted inbox forgotten, nothing of it is left", extra={"inbox": inbox.pk})
            return True
        if inbox.instance_id is not None and outcome.problem is not None:
            provisioning.note_registrations(inbox.instance_id, provider_ids=_active_ids(inbox), problem=outcome.problem)
        _let_go(inbox, outcome)
    if error is not None:
        ids = {"inbox": inbox.pk, "instance": inbox.instance_id}
        logger.info("provider does not agree yet", extra={**ids, "error": type(error).__name__})
    return error is None


def _let_go(inbox: Inbox, outcome: Outcome) -> None:
    check_interval = timedelta(seconds=settings.CALLBACK_CHECK_SECONDS)
    rows = Inbox.objects.filter(pk=inbox.pk)
    if outcome.error is None:
        was_settled = inbox.reconciled_version == inbox.wanted_version
        is_idle = was_settled and not inbox.is_open and not inbox.registrations.exists()
        length = inboxes.IDLE if is_idle else check_interval
        rows.update(
            reconciled_version=inbox.wanted_version,
            next_check_at=Now() + length * random.uniform(0.9, 1.1),
            leased_until=None,
            failures=0,
            last_error=outcome.told,
        )
        return
    pause = agreement.pause_after(outcome.error, failures=inbox.failures, check_interval=check_interval)
    rows.update(
        next_check_at=Now() + pause.length,
        leased_until=None,
        failures=F("failures") + (1 if pause.is_failure else 0),
        last_error=outcome.told,
    )


def _active_ids(inbox: Inbox) -> list[str]:
    """In the order in which they were first asked for, which stays the same."""
    rows = inbox.registrations.filter(state=Registration.ACTIVE).order_by("pk")
    return list(rows.values_list("provider_id", flat=True))


def _begun(inbox: Inbox) -> bool:
    """Whether anything was registered or armed again since the provider was looked at the last time."""
    is_newer = Q() if inbox.last_checked_at is None else Q(registered_at__gt=inbox.last_checked_at)
    return inbox.registrations.filter(is_newer, state=Registration.ACTIVE, registered_at__isnull=False).exists()
