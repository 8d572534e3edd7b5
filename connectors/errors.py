"""What can go wrong with a provider, named by the next step. `connectors/egress` decides which one it is."""

from __future__ import annotations

from datetime import timedelta


class ConnectorError(Exception):
    """A provider could not do what we asked.

    `provider_message` is what the provider said, shortened and without secrets; it may be shown to the owner.
    `codes` are the provider's own words for what was wrong, in its spelling, where it gives any (`ObjectExists`);
    `fields` are its names for the fields that it complains about (`status/id`).
    """

    codes: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()

    def __init__(self, message: str, *, provider_message: str = "", status: int | None = None) -> None:
        super().__init__(message)
        self.provider_message = provider_message
        self.status = status


class CredentialsRefused(ConnectorError):
    """401: stop, and tell the owner. The same credentials will not do later either."""


class PermissionRefused(ConnectorError):
    """403: this resource is closed to these credentials; others may be open."""


class RecordNotFound(ConnectorError):
    """404: the record, or the resource, is not there."""


class RequestRefused(ConnectorError):
    """Another 4xx: asking again unchanged will not help."""


class AlreadyRegistered(RequestRefused):
    """An equal callback is registered already: find it instead of making it."""


class TryLater(ConnectorError):
    """Ask again, not before `retry_after` if the provider gave one (429, 5xx, time-outs, refused connections)."""

    def __init__(
        self,
        message: str,
        *,
        provider_message: str = "",
        status: int | None = None,
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(message, provider_message=provider_message, status=status)
        self.retry_after = retry_after


class RateLimited(TryLater):
    """429: the whole provider account waits, not only this request."""


class OwnFault(TryLater):
    """We could not even ask: no name server, no route, no sockets or no memory on our side."""


class UnusableAnswer(TryLater):
    """The status said success, the body did not hold: HTML, cut short, not JSON, too long."""


class DestinationRefused(ConnectorError):
    """The egress door will not connect there: a private address, a scheme or a port we do not speak to."""


class InvalidQuery(ConnectorError):
    """A `where` clause, a field or a macro that cannot be understood. The message carries the position."""


class UnknownResource(InvalidQuery):
    """The element has nothing at this path."""


class InvalidRecord(ConnectorError):
    """What was sent to be written cannot be a record. The message names the field."""


class OperationNotSupported(ConnectorError):
    """The resource is there, and this cannot be done with it."""
