"""What an instance's page says of its pollers and jobs, and what stopping or deleting the instance means for them."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.html import format_html

from connectors.element import WEBHOOK
from instances.console import moments, overview, tabs
from instances.console.home import WARNING
from instances.console.overview import Fact, Stop, Trouble
from instances.models import Instance
from polling.models import BulkQuery, Job, PollCursor

_pollers = tabs.list_of(page="polling_pollcursor_changelist", lookup="instance")
MOST_NAMED = 3


@overview.troubles
def pollers_in_trouble(instance: Instance) -> Iterator[Trouble]:
    if instance.is_disabled:
        return
    cursors = list(PollCursor.objects.filter(instance=instance).order_by("resource"))
    # Without credentials all of them stand still, and that is said already.
    stopped = [one for one in cursors if not one.is_active and instance.is_valid]
    failing = [one for one in cursors if one.is_active and one.failures]
    if stopped:
        yield Trouble(
            title=f"Not polled any more: {_named(stopped)}.",
            said=stopped[0].stopped_reason,
            advice="Do away with the reason, then start it again.",
            url=_pollers(instance),
            action="See the pollers",
            order=2,
        )
    if failing:
        yield Trouble(
            title=f"Polls fail: {_named(failing)}. They are repeated, and nothing is lost meanwhile.",
            said=failing[0].last_error,
            url=_pollers(instance),
            action="See the pollers",
            tone=WARNING,
            order=6,
        )


@overview.facts
def polling_facts(instance: Instance) -> Iterator[Fact]:
    polled = sorted(
        (one for one in PollCursor.objects.filter(instance=instance) if one.is_active), key=lambda one: one.next_poll_at
    )
    if not polled:
        return
    last = max((one.last_polled_at for one in polled if one.last_polled_at), default=None)
    yield Fact(
        label="Polled",
        value=format_html("{}, next {}", moments.ago(last, never="not yet"), moments.ago(polled[0].next_poll_at)),
        order=65,
    )


@overview.consequences
def of_polling(instance: Instance, stop: Stop) -> Iterator[str]:
    if stop == "switch off":
        yield "Changes from now on are not reported, not even later."
    elif stop == "disable":
        if instance.is_events_enabled:
            said = "Nothing is noticed meanwhile. When it is enabled again, polls go on from where they stand"
            yield f"{said} and tell what changed{', except for deletions' if _is_told(instance) else ''}."
        if jobs := Job.objects.filter(instance=instance, is_active=True).count():
            yield f"{'Its job waits' if jobs == 1 else f'Its {jobs} jobs wait'} until it is enabled."
    else:
        counts = {
            "job": Job.objects.filter(instance=instance).count(),
            "bulk download": BulkQuery.objects.filter(instance=instance).count(),
        }
        for what, count in counts.items():
            if count:
                yield f"{count} {what}{' is' if count == 1 else 's are'} deleted."


def _is_told(instance: Instance) -> bool:
    return instance.event_method == WEBHOOK


def _named(cursors: list[PollCursor]) -> str:
    names = ", ".join(one.resource for one in cursors[:MOST_NAMED])
    return names if len(cursors) <= MOST_NAMED else f"{names} and {len(cursors) - MOST_NAMED} more"
