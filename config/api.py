"""How the API answers: request ids, headers, JSON in and out, and a status for every error of the domain."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from typing import IO, Any

import orjson
from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.middleware.clickjacking import XFrameOptionsMiddleware
from rest_framework import exceptions as drf
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.response import Response

from config import strict_json
from connectors import errors as connector_errors
from connectors.registry import UnknownElement
from instances import errors
from instances.encryption import KeyMissing

logger = logging.getLogger(__name__)

API_PREFIX = "/elements/api-v2"
DATABASE_AWAY_SECONDS = 5
"""When to ask again while the database restarts."""
EXPOSED_HEADERS = (
    "Elements-Returned-Count, Elements-Total-Count, Elements-Request-Id, Elements-Next-Page-Token, "
    "Elements-Trace-Id, Elements-Error, Content-Disposition"
)

# The first row that fits decides. A provider's refusal is the caller's 400: a 401 would read as a bad secret of ours.
STATUS_OF: tuple[tuple[type[Exception], int], ...] = (
    (errors.InvalidRequest, 400),
    (errors.NotAuthenticated, 401),
    (errors.NotPermitted, 403),
    (errors.NotFound, 404),
    (errors.VerbNotSupported, 405),
    (errors.Conflict, 409),
    (errors.TooManyAttempts, 429),
    (UnknownElement, 404),
    (connector_errors.UnknownResource, 404),
    (connector_errors.OperationNotSupported, 405),
    (connector_errors.InvalidRecord, 400),
    (connector_errors.InvalidQuery, 400),
    (connector_errors.RecordNotFound, 404),
    (connector_errors.PermissionRefused, 403),
    (connector_errors.CredentialsRefused, 400),
    (connector_errors.RequestRefused, 400),
    (connector_errors.DestinationRefused, 400),
    (connector_errors.RateLimited, 429),
    (connector_errors.TryLater, 502),
)


def is_api(request: HttpRequest) -> bool:
    return request.path.startswith(API_PREFIX)


class RequestIdMiddleware:
    """Gives every API request an id, tells it to the caller, and answers for errors that no view caught."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request.request_id = secrets.token_hex(12)  # type: ignore[attr-defined]
        if not is_api(request):
            return self.get_response(request)
        # Clients leave double slashes when they join a base URL and a path.
        while "//" in request.path_info:
            request.path_info = request.path_info.replace("//", "/")
        if request.path_info.count("/") > API_PREFIX.count("/") + 1:
            request.path_info = request.path_info.removesuffix("/")
        response = self.get_response(request)
        response["Elements-Request-Id"] = request_id(request)
        if "Origin" in request.headers:
            response["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
        return response


class FrameOptionsMiddleware(XFrameOptionsMiddleware):
    """Pages may not be framed; API answers carry no such header, as clients expect."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        return response if is_api(request) else super().process_response(request, response)


class JSONRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return b"" if data is None else orjson.dumps(data, default=str)


class JSONParser(BaseParser):
    """Bodies in, read strictly."""

    media_type = "application/json"

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Any = None) -> Any:
        body = stream.read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
        if len(body) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise RequestDataTooBig
        if not body.strip():
            return {}
        try:
            return strict_json.parse(body)
        except strict_json.InvalidJson as error:
            raise drf.ParseError(str(error)) from error


def request_id(request: HttpRequest) -> str:
    return str(getattr(request, "request_id", ""))


def error_body(request: HttpRequest, message: str, provider_message: str = "") -> dict[str, str]:
    body = {"requestId": request_id(request), "message": message}
    if provider_message:
        body["providerMessage"] = provider_message
    return body


def exception_handler(error: Exception, context: dict[str, Any]) -> Response:
    """Every error of a view becomes `{requestId, message, providerMessage?}` with its status."""
    request: HttpRequest = context["request"]
    for kind, status in STATUS_OF:
        if isinstance(error, kind):
            message = str(error.args[0]) if error.args else str(error)
            response = Response(error_body(request, message, getattr(error, "provider_message", "")), status=status)
            retry_after = getattr(error, "retry_after", None)
            if retry_after is not None:
                response["Retry-After"] = str(max(1, int(retry_after.total_seconds())))
            # A provider that is down is expected: Django would log its 502 as an error of ours.
            response._has_been_logged = True  # type: ignore[attr-defined]
            return response
    if isinstance(error, Http404):
        return Response(error_body(request, "There is nothing here"), status=404)
    if isinstance(error, RequestDataTooBig):
        return Response(error_body(request, "The body is too large"), status=413)
    if isinstance(error, PermissionDenied):
        return Response(error_body(request, "You may not do this"), status=403)
    if isinstance(error, drf.UnsupportedMediaType):
        return Response(error_body(request, "Send the body with Content-Type: application/json"), status=415)
    if isinstance(error, drf.NotAcceptable):
        return Response(error_body(request, "Accept leaves out what this path answers with, mostly JSON"), status=406)
    if isinstance(error, drf.APIException):
        return Response(error_body(request, str(error.detail)), status=error.status_code)
    if isinstance(error, OperationalError | InterfaceError):
        logger.error("request broken off, the database is away", extra={"error": type(error).__name__})
        message = "The database is away at the moment; look first whether a call that writes was done, and ask again"
        response = Response(error_body(request, message), status=503)
        response["Retry-After"] = str(DATABASE_AWAY_SECONDS)
        response._has_been_logged = True  # type: ignore[attr-defined]
        return response
    if isinstance(error, KeyMissing):
        logger.error("secret not readable", extra={"request": request_id(request), "path": request.path})
        message = f"Nothing is lost, but {error}: whoever runs this platform has to put that key back"
        response = Response(error_body(request, message), status=503)
        response._has_been_logged = True  # type: ignore[attr-defined]
        return response
    logger.exception("request failed", extra={"request": request_id(request), "path": request.path})
    return Response(error_body(request, "Something of ours failed; the request id finds it in the log"), status=500)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    if is_api(request):
        return JsonResponse(error_body(request, "There is nothing here"), status=404)
    return HttpResponse("There is nothing here.", status=404, content_type="text/plain")


def server_error(request: HttpRequest) -> HttpResponse:
    if is_api(request):
        body = error_body(request, "Something of ours failed; the request id finds it in the log")
        return JsonResponse(body, status=500)
    return HttpResponse("Something of ours failed.", status=500, content_type="text/plain")
