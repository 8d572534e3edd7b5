"""Notes every call of the API that somebody we know made, when it is answered. `instances.usage` keeps it."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from config.api import is_api, request_id
from instances.authentication import Principal
from instances.usage import RECORDER, Call


class UsageMiddleware:
    """Behind the one that gives requests their ids."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not RECORDER.is_running or not is_api(request):
            return self.get_response(request)
        called_at, began = timezone.now(), perf_counter()
        response = self.get_response(request)
        principal = getattr(request, "auth", None)
        # 401: whoever it was, they proved nothing.
        if isinstance(principal, Principal) and principal.user is not None and response.status_code != 401:
            organization_id = principal.user.organization_id
            if organization_id is not None:
                instance = principal.instance
                RECORDER.take(
                    Call(
                        request_id=request_id(request),
                        organization_id=organization_id,
                        user_id=principal.user.pk,
                        instance_id=None if instance is None else instance.pk,
                        element_key="" if instance is None else instance.element_key,
                        method=request.method or "",
                        path=request.path_info,
                        status=response.status_code,
                        duration_ms=round((perf_counter() - began) * 1000),
                        called_at=called_at,
                    )
                )
        return response
