"""What the platform answers when a request cannot be met; `config/api.py` gives each a status."""

from __future__ import annotations

from datetime import timedelta


class PlatformError(Exception):
    """The message goes to the caller: it names the field and the way out, and holds no secret."""

    def __init__(self, message: str, *, provider_message: str = "") -> None:
        super().__init__(message)
        self.provider_message = provider_message


class InvalidRequest(PlatformError):
    """400: the request cannot be understood or is incomplete."""


class NotAuthenticated(PlatformError):
    """401: the header is missing or malformed, or a secret in it is not known."""


class NotPermitted(PlatformError):
    """403: we know who asks; they may not do this."""


class NotFound(PlatformError):
    """404: there is no such thing, or not for this caller."""


class VerbNotSupported(PlatformError):
    """405: the resource exists, the verb does not."""


class Conflict(PlatformError):
    """409: it would double something unique."""


class TooManyAttempts(PlatformError):
    """429: nobody is listened to for a while."""

    def __init__(self, message: str, *, retry_after: timedelta) -> None:
        super().__init__(message)
        self.retry_after = retry_after
