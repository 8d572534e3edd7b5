"""The console as a whole: where it begins, and what all of its pages show."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.db import DataError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from unfold.sites import UnfoldAdminSite

from instances import audit, heartbeats
from instances.console import home, page
from instances.console.silence import silences
from instances.models import User


class ConsoleSite(UnfoldAdminSite):
    """Django's admin with unfold's looks, an own home page, and a warning where nobody does the work."""

    index_title = "Home"
    index_template = "console/home.html"
    enable_nav_sidebar = True

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context: dict[str, Any] = super().each_context(request)
        context["release"] = settings.UNFOLD.get("RELEASE", "")
        if self.has_permission(request):
            context["silences"] = silences(heartbeats.pulses(), now=timezone.now())
        return context

    def extra_urls(self) -> list[URLPattern]:
        """What unfold asks for beside the pages of the lists."""
        return [path(route.pattern, self.admin_view(route.view), name=route.name) for route in page.routes]

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Callable[..., Any]:
        """As Django has it; but htmx would put the page to sign in at into the middle of this one.

        And where a filter in the URL holds what the database takes for no text or number, there is nothing.
        """
        inner = super().admin_view(view, cacheable)

        @wraps(inner)
        def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            try:
                response: HttpResponse = inner(request, *args, **kwargs)
            except DataError:
                if request.method != "GET":
                    raise
                raise Http404("There is no such page") from None
            if not self.has_permission(request) and request.headers.get("HX-Request") and response.status_code == 302:
                return HttpResponse(status=204, headers={"HX-Refresh": "true"})
            return response

        return answer

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        response: HttpResponse = super().password_change(request, extra_context)
        user = request.user
        if request.method == "POST" and response.status_code == 302 and isinstance(user, User):
            action = "changed their password"
            audit.note(who=user, action=action, through=audit.CONSOLE, organization_id=user.organization_id)
        return response

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        return super().index(request, {**home.context_of(request), **(extra_context or {})})

    def app_index(
        self, request: HttpRequest, app_label: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Django's page of an app has nothing that the menu has not."""
        return redirect("admin:index")
