"""Instances by state, for the home page."""

from __future__ import annotations

from django.db.models import Count, Q
from django.urls import reverse

from instances.console import home
from instances.console.home import BAD, GOOD, INSTANCES, PLAIN, WARNING, Figure
from instances.console.instance_states import ATTENTION, DISABLED, INCOMPLETE, READY, InstanceState
from instances.console.scope import Scope
from instances.models import Instance

_TONES = {READY.name: GOOD, ATTENTION.name: BAD, INCOMPLETE.name: WARNING, DISABLED.name: PLAIN}


@home.figures
def instances_by_state(scope: Scope) -> list[Figure]:
    counted = {state.name: Count("pk", filter=state.rows) for state in (READY, ATTENTION, INCOMPLETE, DISABLED)}
    found = scope.of(Instance.objects.all()).aggregate(
        total=Count("pk"), listening=Count("pk", filter=Q(is_events_enabled=True)), **counted
    )
    url = reverse("admin:instances_instance_changelist")
    listening = Figure(
        label="Events on",
        value=f"{found['listening']:,}",
        url=f"{url}?events=on",
        order=11,
        note=f"of {found['total']:,}",
        group=INSTANCES,
    )
    return [
        _of_state(READY, found, url=url, order=10),
        listening,
        _of_state(ATTENTION, found, url=url, order=12),
        _of_state(INCOMPLETE, found, url=url, order=13),
        _of_state(DISABLED, found, url=url, order=14),
    ]


def _of_state(state: InstanceState, found: dict[str, int], *, url: str, order: int) -> Figure:
    count = found[state.name]
    return Figure(
        label=state.label[:1].upper() + state.label[1:],
        value=f"{count:,}",
        url=f"{url}?state={state.name}",
        order=order,
        tone=_TONES[state.name] if count else PLAIN,
        note=f"of {found['total']:,}",
        group=INSTANCES,
    )
