"""An instance's cursors follow its configuration, in the commit that changes it."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from connectors import hub_paths
from events.models import Decision, SeenChange
from instances.configuration import pollers_of
from instances.models import Instance
from instances.provisioning import Baseline
from polling import schedule
from polling.doorbell import ring, ring_on_commit
from polling.models import PollCursor

logger = logging.getLogger(__name__)

DISABLED = "The instance is disabled."


def follow(*, instance: Instance, baseline: Baseline | None, starts_over: bool, **_signal: Any) -> None:
    """Receiver of `instance_configured`.

    An instance with events has one cursor per polled resource, however its changes are told: where callbacks tell
    of them, polls find what these lost. New resources, and names that stand for another
    resource than before, begin at `baseline`; with another provider account (`starts_over`) all of them do. The
    others go on where they were. Whatever held them up (failures, a stop) is forgotten and they are due at once. A
    poll in flight loses its claim: it was reading under the old configuration.

    While the instance is disabled its cursors stand still, and go on from there when it is enabled again.

    Raises ValueError when a cursor has to begin and there is no baseline.
    """
    if starts_over:
        _forget(instance)  # the same ids mean other objects now
    if not instance.is_events_enabled:
        PollCursor.objects.filter(instance=instance).delete()
        return
    resources = {name: hub_paths.parse_path(poller.url)[0] for name, poller in pollers_of(instance).items()}
    cursors = PollCursor.objects.filter(instance=instance)
    (cursors if starts_over else cursors.exclude(resource__in=resources)).delete()
    for cursor in cursors.all():
        if cursor.reads != resources[cursor.resource]:  # the same name, and ids of other objects
            _forget(instance, object_type=cursor.resource)
            cursor.delete()
    if not instance.is_disabled:
        _begin(instance, resources, baseline)
    cursors.update(
        is_active=not instance.is_disabled,
        stopped_reason=DISABLED if instance.is_disabled else "",
        epoch=F("epoch") + 1,
        leased_until=None,
        next_poll_at=Now(),
        failures=0,
        last_error="",
    )
    ring_on_commit()


def drop(*, instance: Instance, **_signal: Any) -> None:
    """Receiver of `instance_deleting`: nothing that is still being read will be recorded."""
    PollCursor.objects.filter(instance=instance).delete()


def hasten(*, instance_ids: Collection[int], **_signal: Any) -> None:
    """Receiver of `polls_wanted`: once that is committed, the polls of these instances are due.

    Not in the sender's transaction: it may hold rows that whoever configures the instance takes after the cursors.
    """

    def make_due() -> None:
        if schedule.hasten(instance_ids=instance_ids):
            ring()

    transaction.on_commit(make_due, robust=True)


def _forget(instance: Instance, **which: str) -> None:
    SeenChange.objects.filter(instance=instance, **which).delete()
    Decision.objects.filter(instance=instance, **which).delete()


def _begin(instance: Instance, resources: Mapping[str, str], baseline: Baseline | None) -> None:
    standing = dict(PollCursor.objects.filter(instance=instance).values_list("resource", "stopped_reason"))
    for resource in sorted(resources):
        # Enabling an instance brings a baseline for everything; what stood still meanwhile needs none.
        is_beginning = baseline is not None and resource in baseline.highest_ids and standing.get(resource) != DISABLED
        if resource in standing and not is_beginning:
            continue
        if baseline is None:
            raise ValueError(f"no baseline to begin {resource} of instance {instance.pk} at")
        PollCursor.objects.update_or_create(
            instance=instance,
            resource=resource,
            defaults={
                "watermark": baseline.clock,
                "baseline_at": baseline.clock,
                "is_baseline_read": False,
                "reads": resources[resource],
                "remembered_since": None,
                "known_id": baseline.highest_ids.get(resource),
            },
        )
        logger.info(
            "polling begins",
            extra={"instance": instance.pk, "resource": resource, "baseline": baseline.clock.isoformat()},
        )
