"""The document and the page to browse it. Open to anybody: they say what the catalogue and the paths say."""

from __future__ import annotations

from importlib import import_module

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

# The page loads from this server only. Swagger UI sets styles on elements and draws images from data.
_POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    response = render(request, "api-docs.html")
    response["Content-Security-Policy"] = _POLICY
    return response


@require_safe
def openapi_json(request: HttpRequest) -> HttpResponse:
    # What makes it takes a while to import, and nothing else of a web server needs it.
    document = import_module("config.openapi.document").document()
    return HttpResponse(document.served(), content_type="application/json")
