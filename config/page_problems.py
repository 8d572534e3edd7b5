"""What a browser is shown where there is nothing, where somebody may not go, and where we failed."""

from __future__ import annotations

import logging

from django.core.exceptions import PermissionDenied
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from config import api
from instances.console.lists import is_staff
from instances.console.page import page

logger = logging.getLogger(__name__)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    if not _is_console(request):
        return HttpResponse("Bad request", status=400, content_type="text/plain")
    said = "The address asks for something that does not exist here. An old bookmark, perhaps: go on from the menu."
    return _problem(request, title="This address is not understood", said=said, status=400)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    if not _is_console(request):
        return api.not_found(request, exception)
    said = "It was deleted, or the address is wrong, or it belongs to another organization."
    return _problem(request, title="There is nothing here", said=said, status=404)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    said = str(exception) if isinstance(exception, PermissionDenied) and str(exception) else ""
    if not _is_console(request):
        return HttpResponse(said or "You may not do this.", status=403, content_type="text/plain")
    said = said or "Your role does not allow it. An owner of your organization can change your role."
    return _problem(request, title="You may not do this", said=said, status=403)


def server_error(request: HttpRequest) -> HttpResponse:
    if not _is_console(request):
        return api.server_error(request)
    said = "It is in the log. Try again in a moment: what was begun is either done or undone."
    return _bare(request, title="Something of ours failed", said=said, status=500)


def _is_console(request: HttpRequest) -> bool:
    return request.path.startswith("/console/")


def _problem(request: HttpRequest, *, title: str, said: str, status: int) -> HttpResponse:
    """With the menu around it, for those who have one."""
    try:
        if hasattr(request, "user") and is_staff(request):
            home_url = reverse("admin:index")
            return page(
                request, "console/problem.html", title=title, said=said, home_url=home_url, status=status
            ).render()
    except DatabaseError as error:
        logger.info("no menu around a page, the database is away", extra={"error": type(error).__name__})
    return _bare(request, title=title, said=said, status=status)


def _bare(request: HttpRequest, *, title: str, said: str, status: int) -> HttpResponse:
    return render(request, "console/failed.html", {"title": title, "said": said}, status=status)
