"""What ConnectWise's refusals mean, in words that name the configuration key to look at."""

from __future__ import annotations

from connectors.errors import ConnectorError, CredentialsRefused, PermissionRefused, RecordNotFound, RequestRefused
from connectors.vendors.connectwise_login import Login


def names_host_for_people(error: ConnectorError) -> bool:
    """Whether programs have to use the host with `api-` before its name. It says so over TLS, too."""
    return isinstance(error, RequestRefused) and "ssl is required" in error.provider_message.casefold()


def names_no_company(error: ConnectorError) -> bool:
    """Plain text, status 400, for a wrong codebase as well as for a wrong company id."""
    return isinstance(error, RequestRefused) and "cannot route" in error.provider_message.casefold()


def explained(error: ConnectorError, *, login: Login, path: str, has_client_id: bool) -> ConnectorError:
    """The same error in words for the owner; the very same where there is nothing to add."""
    better = _explained(error, login=login, path=path, has_client_id=has_client_id)
    if better is not error:
        better.provider_message, better.status = error.provider_message, error.status
        better.codes, better.fields = error.codes, error.fields
    return better


def _explained(error: ConnectorError, *, login: Login, path: str, has_client_id: bool) -> ConnectorError:
    match error:
        case CredentialsRefused():
            hint = "" if has_client_id else f"; {login.client_id_key} is not set, and the cloud asks for one"
            return CredentialsRefused(
                f"ConnectWise refused the credentials: check {login.credentials_keys}{login.credentials_hint}{hint}"
            )
        case PermissionRefused():
            return PermissionRefused(
                f"ConnectWise refused access to {path}: the security role of the API member lacks the right"
            )
        case RecordNotFound():
            return RecordNotFound(f"ConnectWise has nothing at {path}")
        case RequestRefused() if names_no_company(error):
            return RequestRefused(
                f"ConnectWise knows no such company at this address: check {login.base_url_key} "
                f"(a complete one reads {login.example_url}) and the company id"
            )
        case RequestRefused() if error.status is not None and error.status < 400:
            return RequestRefused(f"{login.base_url_key}: {error}")
        case RequestRefused() if names_host_for_people(error):
            return RequestRefused(
                f"{login.base_url_key} names a host for people: hosts for programs begin with api-, "
                f"as in {login.example_url}"
            )
    return error
