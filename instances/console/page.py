"""Pages of the console that are not one of Django's lists or forms."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import Http404, HttpRequest
from django.template.response import TemplateResponse

from instances.console.scope import scope_of
from instances.console.tabs import tabs_of
from instances.models import Instance


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
