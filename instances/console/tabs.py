"""The tabs of an instance's page. Each app adds its own in the modules that its `admin.py` imports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse

from instances.models import Instance


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    name: str
    label: str
    order: int
    url: Callable[[Instance], str]
    is_shown: Callable[[HttpRequest, Instance], bool] = lambda _request, _instance: True


@dataclass(frozen=True, slots=True)
class ShownTab:
    label: str
    url: str
    is_active: bool


_tabs: dict[str, Tab] = {}


def add(tab: Tab) -> None:
    _tabs[tab.name] = tab


def list_of(*, page: str, lookup: str) -> Callable[[Instance], str]:
    """For a tab that is a list of the console, narrowed to the instance: `page` is its name among the URLs."""
    return lambda instance: f"{reverse(f'admin:{page}')}?{lookup}={instance.pk}"


def tabs_of(request: HttpRequest, instance: Instance, *, active: str) -> list[ShownTab]:
    shown = [tab for tab in _tabs.values() if tab.is_shown(request, instance)]
    return [
        ShownTab(tab.label, tab.url(instance), is_active=tab.name == active)
        for tab in sorted(shown, key=lambda tab: tab.order)
    ]
