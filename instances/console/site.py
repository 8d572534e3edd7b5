"""The console as a whole: where it begins, and what all of its pages show."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from unfold.sites import UnfoldAdminSite

from instances import heartbeats
from instances.console import home, page


class ConsoleSite(UnfoldAdminSite):
    """Django's admin with unfold's looks, an own home page, and a warning where nobody does the work."""

    index_title = "Home"
    index_template = "console/home.html"
    enable_nav_sidebar = True

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context: dict[str, Any] = super().each_context(request)
        if self.has_permission(request):
            now = timezone.now()
            context["silent_queues"] = [pulse for pulse in heartbeats.pulses() if pulse.is_silent(now)]
        return context

    def extra_urls(self) -> list[URLPattern]:
        """What unfold asks for beside the pages of the lists."""
        return [path(route.pattern, self.admin_view(route.view), name=route.name) for route in page.routes]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        return super().index(request, {**home.context_of(request), **(extra_context or {})})
