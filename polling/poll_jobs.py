"""Polling as jobs: every polled instance is one, with a state per resource."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db.models import F, QuerySet

from instances.models import Instance, Organization
from polling.cursors import DISABLED
from polling.models import PollCursor

DELETED = "Its poll job was deleted. Polling goes on once the configuration is changed or events are switched on again."
_BY_REQUEST = (DISABLED, DELETED)


def cursors_of(organization: Organization) -> QuerySet[PollCursor]:
    """Of the poll jobs that there are: deleted ones stand still until they are wanted again."""
    return PollCursor.objects.filter(instance__organization=organization).exclude(stopped_reason=DELETED)


def polled_instances(organization: Organization) -> list[int]:
    return list(cursors_of(organization).order_by("instance_id").values_list("instance_id", flat=True).distinct())


def stopped_instances(organization: Organization) -> QuerySet[Instance]:
    """Those of which something is no longer polled although nobody asked for that."""
    stopped = PollCursor.objects.filter(is_active=False).exclude(stopped_reason__in=_BY_REQUEST)
    return Instance.objects.filter(organization=organization, pk__in=stopped.values("instance_id"))


def by_instance(instance_ids: Iterable[int]) -> Mapping[int, list[PollCursor]]:
    """The cursors of each, with their instances, by resource."""
    found: dict[int, list[PollCursor]] = {}
    rows = PollCursor.objects.filter(instance__in=list(instance_ids)).select_related("instance")
    for cursor in rows.order_by("instance_id", "resource"):
        found.setdefault(cursor.instance_id, []).append(cursor)
    return found


def stop(*, organization: Organization, instance_id: int) -> bool:
    """Stop polling this instance, keeping how far it was read. False: there is no such poll job.

    A poll in flight loses its claim, and with it what it has not recorded yet.
    """
    cursors = cursors_of(organization).filter(instance=instance_id)
    return cursors.update(is_active=False, stopped_reason=DELETED, epoch=F("epoch") + 1, leased_until=None) > 0
