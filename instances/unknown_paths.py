"""Names that the platform keeps for itself: no resource of an instance is found under them."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.views import APIView

from instances.authentication import NeedsUserAndOrganization, Principal
from instances.errors import NotFound
from instances.hub_api import HubView

RESERVED = ("authentication", "elements", "formulas", "instances", "jobs", "notifications", "usage", "users")
ACCOUNTS, CALLBACKS = "accounts", "events"


class UnknownPathView(APIView):
    """What no view of the platform took. Credentials are asked for before that is said; a token is not."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        raise _unknown(kwargs["path"])


class UnknownCallbackPathView(UnknownPathView):
    """Providers, who call there, have no credentials of ours."""

    authentication_classes = ()
    permission_classes = ()


class AccountsView(HubView):
    """Accounts are the platform's, and for the token of an element that has a resource of this name, its records."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        if _has_accounts(request.auth):
            super().initial(request, *args, **kwargs)
            return
        self.permission_classes = (NeedsUserAndOrganization,)
        APIView.initial(self, request, *args, **kwargs)
        raise _unknown(kwargs["path"])


def _has_accounts(principal: object) -> bool:
    instance = principal.instance if isinstance(principal, Principal) else None
    return instance is not None and any(resource.key == ACCOUNTS for resource in instance.element.resources)


def _unknown(path: str) -> NotFound:
    return NotFound(f"There is no /{path[:100]}")
