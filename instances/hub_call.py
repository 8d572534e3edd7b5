"""What every call of the hub API has in common: the token chooses the instance, and with it the element."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import HttpResponse
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from connectors import hub_paths
from instances import permissions
from instances.authentication import NeedsUserAndElement, instance_of, user_of
from instances.errors import InvalidRequest, NotPermitted, VerbNotSupported


class HubCallView(APIView):
    """A hub's name in the path does nothing. Credentials are asked for before anything is said about the path."""

    permission_classes: Sequence[type[BasePermission]] = (NeedsUserAndElement,)
    http_method_names: Sequence[str] = ("get", "head", "post", "put", "patch", "delete")
    answers_while_disabled = False
    lets_viewers = False
    """Whether people who may only look may use it: it says what there is, and nothing of what records hold."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if instance_of(request).is_disabled and not self.answers_while_disabled:
            raise NotPermitted("The instance is disabled; PUT /instances/{id}/enabled enables it")
        if not self.lets_viewers and not permissions.may_see_bodies(user_of(request)):
            raise NotPermitted("Your role shows you no records; ask an owner or an operator")

    def http_method_not_allowed(  # type: ignore[override]  # the stubs' two parents disagree
        self, request: Request, *args: Any, **kwargs: Any
    ) -> Any:
        raise not_supported(request.method, self.allowed_methods)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        instance = getattr(getattr(request, "auth", None), "instance", None)
        if instance is not None:
            response["Elements-Element-Instance-Id"] = str(instance.pk)
        return response


def not_supported(verb: str | None, supported: Sequence[str]) -> VerbNotSupported:
    """What is answered for a verb that this path has not. The caller sets the header `Allow`."""
    named = [one for one in supported if one != "HEAD"]
    return VerbNotSupported(f"{verb} is not supported here; {', '.join(named)} {'is' if len(named) == 1 else 'are'}")


def json_body(body: bytes) -> HttpResponse:
    """An answer whose body is JSON already."""
    return HttpResponse(body, content_type="application/json")


def query_of(request: Request) -> dict[str, str]:
    """The parameters of the query string. Raises InvalidRequest, InvalidQuery."""
    # Django would read a raw `+` of an offset as a blank, and hide what is no UTF-8.
    raw = str(request.META.get("QUERY_STRING", ""))
    try:
        return hub_paths.parse_query(raw.encode("latin-1").decode())
    except UnicodeError:
        raise InvalidRequest("The query is not UTF-8") from None
