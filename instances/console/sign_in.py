"""The form of the sign-in page."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from unfold.forms import AuthenticationForm

from instances.sign_in_limits import is_locked_out, too_many


class SignInForm(AuthenticationForm):
    """Says the same of an unknown address, a wrong password and somebody who may not be here."""

    error_messages = {
        "invalid_login": "The e-mail address or the password is wrong.",
        "inactive": "The e-mail address or the password is wrong.",
    }

    def get_invalid_login_error(self) -> ValidationError:
        if is_locked_out(self.request):
            return ValidationError(f"{too_many()}.", code="locked_out")
        return super().get_invalid_login_error()
