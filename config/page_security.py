"""What browsers are told about pages. API answers carry none of it, as clients expect."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from config.api import is_api

# Alpine, which the widgets are made with, evaluates the expressions in their attributes: hence 'unsafe-eval'. Pages
# hold no script of their own, and what providers and receivers said is escaped text under `x-ignore`.
_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)


class ContentSecurityPolicyMiddleware:
    """Pages run scripts of ours only; API answers carry no such header, as clients expect."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not is_api(request):
            # A page with a stricter one of its own keeps it.
            response.headers.setdefault("Content-Security-Policy", _POLICY)
        return response
