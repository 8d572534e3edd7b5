"""Pages of the console that are not one of Django's lists or forms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from instances.console.scope import scope_of
from instances.console.tabs import tabs_of
from instances.models import Instance


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    pattern: str
    """Below `/console/`, as `path` has it."""
    view: Callable[..., HttpResponse]
    name: str
    """Behind `admin:`."""


routes: list[Route] = []


def add_route(pattern: str, view: Callable[..., HttpResponse], *, name: str) -> None:
    """A page that belongs to no list; each app adds its own in the modules that its `admin.py` imports.

    Only people who are signed in get there, and every POST needs the CSRF token; what a role may do there is for
    the view to say.
    """
    routes.append(Route(pattern=pattern, view=view, name=name))


def page(request: HttpRequest, template: str, *, title: str, status: int = 200, **context: Any) -> TemplateResponse:
    """A page with the console's frame around it; `template` extends `console/page.html`."""
    shown = {**admin.site.each_context(request), "title": title, **context}
    return TemplateResponse(request, template, shown, status=status)


def instance_page(
    request: HttpRequest, instance: Instance, template: str, *, tab: str, **context: Any
) -> TemplateResponse:
    """A tab of an instance's page; `template` extends `console/instance_page.html`."""
    shown = {"instance": instance, "instance_tabs": tabs_of(request, instance, active=tab), **context}
    return page(request, template, title=instance.name, **shown)


def instance_or_404(request: HttpRequest, instance_id: int) -> Instance:
    """Of the visitor's organization. Raises Http404 for a stranger's, as for one that does not exist."""
    found = scope_of(request).of(Instance.objects.filter(pk=instance_id)).first()
    if found is None:
        raise Http404("There is no such instance")
    return found
