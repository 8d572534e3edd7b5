"""How often somebody may fail to sign in, at the console and over the API alike. `axes` counts, in the database.

What is counted is kept as long as it counts, and no longer. An e-mail address is counted by its fingerprint: what
people type into the wrong field is sometimes their password.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from axes.handlers.database import AxesDatabaseHandler
from axes.handlers.proxy import AxesProxyHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.db.models import Sum
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from instances.encryption import fingerprint
from instances.errors import TooManyAttempts
from instances.models import User

logger = logging.getLogger(__name__)

TIMES_EVERYWHERE: Final = 10
"""One e-mail address may fail this many times as often when every address that it was tried from is counted."""


class SignInLimits(AxesDatabaseHandler):
    """Two limits in one number: what failed elsewhere weighs less."""

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        from_here, everywhere = (
            attempts.aggregate(count=Sum("failures_since_start", default=0))["count"]
            for attempts in self.get_user_attempts(request, credentials)
        )
        return int(max(from_here, everywhere // TIMES_EVERYWHERE))

    def reset_user_attempts(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """Somebody got in. What is tried from elsewhere meanwhile goes on counting."""
        count, _ = self.filter_user_attempts(request, credentials)[0].delete()
        return int(count)

    def user_login_failed(
        self, sender: object, credentials: dict[str, Any], request: HttpRequest | None = None, **signal: Any
    ) -> None:
        super().user_login_failed(sender, credentials, request, **signal)
        if request is not None:
            logger.info(
                "sign-in failed",
                extra={"address": request.axes_ip_address, "locked_out": is_locked_out(request)},  # type: ignore[attr-defined]
            )


def counted_by(request: HttpRequest, credentials: Mapping[str, Any] | None) -> str:
    """What stands for the e-mail address in what is counted."""
    return fingerprint(User.objects.normalize_email(str((credentials or {}).get("username") or "")))


def is_locked_out(request: HttpRequest) -> bool:
    """Whether this very request went too far, or came too early. Known once its credentials were tried."""
    return bool(getattr(request, "axes_locked_out", False))


def too_many() -> TooManyAttempts:
    patience = settings.AXES_COOLOFF_TIME
    minutes = round(patience.total_seconds() / 60)
    return TooManyAttempts(
        f"Too many attempts to sign in have failed. Try again in {minutes} minutes", retry_after=patience
    )


def answered(request: HttpRequest, response: HttpResponseBase, _credentials: object) -> HttpResponseBase:
    """The page says so already; this makes it a refusal for programs, too."""
    response.status_code = 429
    response["Retry-After"] = str(int(too_many().retry_after.total_seconds()))
    return response


def forget_failures(*, request: HttpRequest, email: str) -> None:
    """Of somebody who got in without the sign-in page."""
    AxesProxyHandler.get_implementation().reset_user_attempts(request, {"username": email})


def let_in_again(email: str) -> None:
    """Wherever they failed: somebody vouches for them."""
    AccessAttempt.objects.filter(username=counted_by(HttpRequest(), {"username": email})).delete()
