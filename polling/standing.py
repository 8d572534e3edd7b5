"""How changes of one object type of an instance are noticed at this moment, and what is in the way of that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from connectors.callbacks import InvalidCallbackTypes
from connectors.element import WEBHOOK
from connectors.poller import ResourcePoller
from instances.configuration import pollers_of
from instances.encryption import KeyMissing
from instances.errors import InvalidRequest
from instances.models import Instance
from polling.models import PollCursor


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    object_type: str
    kept_since: datetime
    """What is older may have been forgotten."""
    is_events_enabled: bool
    is_disabled: bool
    interval_minutes: float
    polled: tuple[str, ...]
    """Every object type that is polled."""
    asked_for: str
    """What polls of this object type ask for, as `event.poller.configuration` has it."""
    cursor: PollCursor | None
    """Of this object type; None while it is not polled."""
    is_told: bool
    """Whether callbacks of the provider tell of this object type."""
    callback_types: str
    """As `event.callback.types` has it; empty for the element's default."""
    registration_problem: str


def of(instance: Instance, *, object_type: str, now: datetime) -> Standing:
    pollers = _pollers(instance)
    return Standing(
        object_type=object_type,
        kept_since=now - timedelta(days=settings.TRACE_DAYS),
        is_events_enabled=instance.is_events_enabled,
        is_disabled=instance.is_disabled,
        interval_minutes=float(instance.poll_interval_minutes),
        polled=tuple(sorted(pollers)),
        asked_for=pollers[object_type].url if object_type in pollers else "",
        cursor=PollCursor.objects.filter(instance=instance, resource=object_type).first(),
        is_told=object_type in told_types(instance),
        callback_types=instance.callback_types,
        registration_problem=instance.registration_problem,
    )


def object_types(instance: Instance) -> list[str]:
    """What changes of an instance can be about: what is polled, what callbacks tell of, the element's resources."""
    declared = {resource.name for resource in instance.element.resources if not resource.parent}
    return sorted(declared.union(_pollers(instance), told_types(instance)))


def watched_types(instance: Instance) -> list[str]:
    """Those of them whose changes are noticed as it is configured now."""
    return sorted(told_types(instance).union(_pollers(instance)))


def _pollers(instance: Instance) -> Mapping[str, ResourcePoller]:
    try:
        return pollers_of(instance)
    except (InvalidRequest, KeyMissing):  # its configuration cannot be read; its cursors say that they fail
        return {}


def told_types(instance: Instance) -> frozenset[str]:
    callbacks = instance.element.callbacks
    if callbacks is None or instance.event_method != WEBHOOK:
        return frozenset()
    try:
        return callbacks.wanted_object_types(callbacks.wanted(instance.callback_types))
    except InvalidCallbackTypes:
        return frozenset()
