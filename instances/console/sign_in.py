"""The form of the sign-in page, and a note of who came in through it."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from unfold.forms import AuthenticationForm

from instances import audit
from instances.models import User
from instances.sign_in_limits import is_locked_out, too_many


class SignInForm(AuthenticationForm):
    """Says the same of an unknown address, a wrong password and somebody who may not be here."""

    error_messages = {
        "invalid_login": "The e-mail address or the password is wrong.",
        "inactive": "The e-mail address or the password is wrong.",
    }

    def clean(self) -> dict[str, Any]:
        """Whoever passes is in."""
        cleaned: dict[str, Any] = super().clean()
        user = self.get_user()
        if isinstance(user, User):
            audit.note(who=user, action="signed in", through=audit.CONSOLE, organization_id=user.organization_id)
        return cleaned

    def get_invalid_login_error(self) -> ValidationError:
        if is_locked_out(self.request):
            return ValidationError(f"{too_many()}.", code="locked_out")
        return super().get_invalid_login_error()
