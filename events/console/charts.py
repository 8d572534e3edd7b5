"""Events and attempts over time, for the home page."""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone

from events import tallies
from events.console.figures import percent
from instances.console import home
from instances.console.home import BAD, GOOD, PLAIN, Chart, Period, Series
from instances.console.scope import Scope


@home.charts
def activity(scope: Scope, period: Period) -> list[Chart]:
    now = timezone.now()
    found = tallies.of(scope.organization_id, since=now - period.length + period.step, until=now, step=period.step)
    labels = [label_of(one.starts_at, step=period.step) for one in found]
    events = [one.events for one in found]
    delivered, failed = [one.delivered for one in found], [one.failed for one in found]
    made = sum(delivered) + sum(failed)
    attempts = f"{made:,} attempts, {percent(sum(failed), made)} of them failed" if made else "No attempts"
    return [
        Chart(
            name="chart-events",
            title="Events",
            labels=labels,
            series=[Series(label="Events", values=events, tone=PLAIN)],
            order=10,
            summary=f"{sum(events):,} events in {period.label}" if any(events) else f"No events in {period.label}",
            urls=[_list("events_event", one.starts_at, period.step) for one in found],
        ),
        Chart(
            name="chart-attempts",
            title="Delivery attempts",
            labels=labels,
            series=[
                Series(label="Delivered", values=delivered, tone=GOOD),
                Series(label="Failed", values=failed, tone=BAD),
            ],
            order=20,
            summary=f"{attempts} in {period.label}",
            urls=[_list("events_delivery", one.starts_at, period.step) for one in found],
        ),
    ]


def label_of(moment: datetime, *, step: timedelta) -> str:
    """In UTC, as all times of the console."""
    if step >= timedelta(days=1):
        return moment.strftime("%Y-%m-%d")
    return moment.strftime("%m-%d %H:%M") if step > timedelta(hours=1) else moment.strftime("%H:%M")


def _list(page: str, begins_at: datetime, step: timedelta) -> str:
    times = {"from": f"{begins_at:%Y-%m-%dT%H:%M}", "to": f"{begins_at + step:%Y-%m-%dT%H:%M}"}
    return f"{reverse(f'admin:{page}_changelist')}?{urlencode(times)}"
