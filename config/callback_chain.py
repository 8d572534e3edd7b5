"""The short way of provider callbacks: no sessions, no CSRF, no sign-in, nothing between the server and the view.

Everything else takes Django's usual way. The same view is among the API's paths too, for whoever calls Django itself.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, HttpResponse

from events.receive import receive

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PREFIX = "/elements/api-v2/events/"


def with_short_chain(application: WSGIApplication) -> WSGIApplication:
    """`application`, but for the paths of callbacks."""

    def dispatch(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        chosen = callbacks if environ.get("PATH_INFO", "").startswith(PREFIX) else application
        return chosen(environ, start_response)

    return dispatch


def callbacks(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """A WSGI application of one view. As everywhere in the API, an answer names its request.

    Django's `request_started` and `request_finished` are not sent. What hangs on them is to ask an idle database
    connection for its health; the view does not ask, and replaces a connection that turns out to be broken.
    """
    request = WSGIRequest(environ)
    request.request_id = secrets.token_hex(12)  # type: ignore[attr-defined]
    response = cast(HttpResponse, _answer(request))
    response["Elements-Request-Id"] = request.request_id  # type: ignore[attr-defined]
    start_response(f"{response.status_code} {response.reason_phrase}", list(response.items()))
    return [response.content]


@convert_exception_to_response
def _answer(request: HttpRequest) -> HttpResponse:
    return receive(request, request.path_info.removeprefix(PREFIX))
