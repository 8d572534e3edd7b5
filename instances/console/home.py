"""The home page: what each app has to say about health, at a glance.

An app adds figures and charts in the modules that its `admin.py` imports:

    @home.figures
    def instances_by_state(scope: Scope) -> list[Figure]: ...
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from instances import heartbeats
from instances.console.scope import Scope, scope_of
from instances.models import Instance
from instances.permissions import may_operate

GOOD, PLAIN, WARNING, BAD = "good", "plain", "warning", "bad"
"""How a figure is coloured; the words say the same, for those who see no colours."""

INSTANCES, NOTIFICATIONS, PROVIDERS = "Instances", "Notifications", "Providers"
"""What figures are about. In this order, if theirs is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number with the list behind it."""

    label: str
    value: str
    url: str
    order: int
    tone: str = PLAIN
    note: str = ""
    """A few words below the number: since when, out of how many."""
    group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """What the charts show: so much time, in bars of one step."""

    name: str
    label: str
    length: timedelta
    step: timedelta


PERIODS = (
    Period(name="24h", label="24 hours", length=timedelta(hours=24), step=timedelta(hours=1)),
    Period(name="7d", label="7 days", length=timedelta(days=7), step=timedelta(hours=6)),
    Period(name="30d", label="30 days", length=timedelta(days=30), step=timedelta(days=1)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    label: str
    values: Sequence[int]
    tone: str = PLAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Numbers over time; `labels` are the moments, oldest first."""

    name: str
    """Its id on the page."""
    title: str
    labels: Sequence[str]
    series: Sequence[Series]
    order: int
    summary: str
    """What it comes to, in words."""
    urls: Sequence[str] = ()
    """The list behind each of the moments."""

    @property
    def data(self) -> dict[str, Any]:
        """For the script that draws it."""
        series = [{"label": one.label, "values": list(one.values), "tone": one.tone} for one in self.series]
        return {"labels": list(self.labels), "series": series, "urls": list(self.urls)}

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The same as a table, the newest first; without moments at which nothing happened."""
        urls = self.urls or [""] * len(self.labels)
        found = [
            {"label": label, "url": url, "values": values}
            for label, url, *values in zip(self.labels, urls, *(one.values for one in self.series), strict=True)
        ]
        return [row for row in reversed(found) if any(row["values"])]


FiguresOf = Callable[[Scope], Sequence[Figure]]
ChartsOf = Callable[[Scope, Period], Sequence[Chart]]
_figures: list[FiguresOf] = []
_charts: list[ChartsOf] = []


def figures(asked: FiguresOf) -> FiguresOf:
    _figures.append(asked)
    return asked


def charts(asked: ChartsOf) -> ChartsOf:
    _charts.append(asked)
    return asked


def context_of(request: HttpRequest) -> dict[str, Any]:
    """What the page's template needs."""
    scope = scope_of(request)
    if not scope.of(Instance.objects.all()).exists():
        return {"is_new": True, "may_operate": may_operate(request.user)}
    period = next((one for one in PERIODS if one.name == request.GET.get("period")), PERIODS[0])
    shown = sorted((figure for asked in _figures for figure in asked(scope)), key=lambda figure: figure.order)
    drawn = sorted((chart for asked in _charts for chart in asked(scope, period)), key=lambda chart: chart.order)
    now = timezone.now()
    return {
        "figure_groups": [(name, list(group)) for name, group in groupby(shown, key=lambda figure: figure.group)],
        "charts": drawn,
        "chart_ids": ",".join(f"#{chart.name}-{part}" for chart in drawn for part in ("summary", "table", "data")),
        "period": period,
        "periods": PERIODS,
        "workers": [(pulse, pulse.is_silent(now)) for pulse in heartbeats.pulses()],
    }
