"""In which state an instance is, in one word, and what that means for it: the list's badge and its filter agree."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q
from django.utils.safestring import SafeString

from instances.console import badges
from instances.console.home import BAD, GOOD, PLAIN, WARNING
from instances.models import Instance


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceState:
    name: str
    """In the query of the list: `?state=attention`."""
    label: str
    tone: str
    rows: Q
    """The instances in this state. Each is in exactly one."""


_VALID, _ENABLED, _REGISTERED = Q(is_valid=True), Q(is_disabled=False), Q(registration_problem="")

ATTENTION = InstanceState(name="attention", label="needs attention", tone=BAD, rows=Q(is_valid=False))
DISABLED = InstanceState(name="disabled", label="disabled", tone=PLAIN, rows=_VALID & Q(is_disabled=True))
INCOMPLETE = InstanceState(
    name="incomplete",
    label="registrations incomplete",
    tone=WARNING,
    rows=_VALID & _ENABLED & ~_REGISTERED,
)
READY = InstanceState(name="ready", label="ready", tone=GOOD, rows=_VALID & _ENABLED & _REGISTERED)
STATES = (READY, ATTENTION, INCOMPLETE, DISABLED)


def state_of(instance: Instance) -> InstanceState:
    """By what its row says, the worst first."""
    if not instance.is_valid:
        return ATTENTION
    if instance.is_disabled:
        return DISABLED
    return INCOMPLETE if instance.registration_problem else READY


def state_badge(instance: Instance) -> SafeString:
    state = state_of(instance)
    return badges.badge(state.label, state.tone)
