"""The home page: what each app has to say about health, at a glance.

An app adds figures and charts in the modules that its `admin.py` imports:

    @home.figures
    def instances_by_state(scope: Scope) -> list[Figure]: ...
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from instances.console.scope import Scope, scope_of

GOOD, PLAIN, WARNING, BAD = "good", "plain", "warning", "bad"
"""How a figure is coloured; the words say the same, for those who see no colours."""


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
    url: str = ""


FiguresOf = Callable[[Scope], Sequence[Figure]]
ChartsOf = Callable[[Scope], Sequence[Chart]]
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
    shown = [figure for asked in _figures for figure in asked(scope)]
    drawn = [chart for asked in _charts for chart in asked(scope)]
    return {
        "figures": sorted(shown, key=lambda figure: figure.order),
        "charts": sorted(drawn, key=lambda chart: chart.order),
    }
