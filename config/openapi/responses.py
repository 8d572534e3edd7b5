"""What any call of a kind can be answered with, beside what its own description says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from instances.describing import Credentials

ERROR_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "description": "Every answer that is no success",
    "properties": {
        "requestId": {"type": "string", "description": "Of this request; the log has it too"},
        "message": {"type": "string", "description": "What is wrong, and what to do about it"},
        "providerMessage": {"type": "string", "description": "The provider's own words, where it refused"},
    },
    "required": ["requestId", "message"],
}

_ERRORS: Mapping[int, tuple[str, str, str]] = {
    400: (
        "BadRequest",
        "Something in the request is wrong, or the provider refuses it",
        "name is missing",
    ),
    401: (
        "NotAuthenticated",
        "A credential is missing, malformed, not known, or does not belong to the others",
        "The Authorization header is missing; it reads: User <secret>, Organization <secret>",
    ),
    403: (
        "NotPermitted",
        "Your role may not do this, the instance is disabled, or the provider permits it not",
        "The instance is disabled; PUT /instances/{id}/enabled enables it",
    ),
    404: ("NotFound", "There is no such thing, or it is not yours", "There is no instance 7"),
    405: ("VerbNotSupported", "It is there, but not with this verb", "POST is not supported here; GET is"),
    406: (
        "NotAcceptable",
        "`Accept` names only what this path does not answer with",
        "Accept leaves out what this path answers with, mostly JSON",
    ),
    409: ("Conflict", "It would contradict something that exists", "This subscription belongs to instance 7"),
    413: ("TooLarge", "The body is longer than the limit", "The body is too large"),
    415: (
        "UnsupportedMediaType",
        "The body is not `application/json`",
        "Send the body with Content-Type: application/json",
    ),
    429: (
        "RateLimited",
        "The provider, or this platform, has had too many calls; `Retry-After` says when to try again",
        "The provider asks us to wait",
    ),
    502: (
        "ProviderUnavailable",
        "The provider could not be reached, or its answer could not be used; try again later. Of a call that writes, "
        "look first whether it was done",
        "The provider did not answer in time",
    ),
}

REQUEST_ID_HEADER = {
    "description": "Names this request; support and the log find it by that",
    "schema": {"type": "string"},
}


def errors_of(
    *, verb: str, credentials: Credentials, has_path_parameters: bool, has_query: bool, has_body: bool
) -> frozenset[int]:
    """The statuses beside 200 that a call of this kind can be answered with."""
    statuses = {406}
    if credentials != "none":
        statuses.add(401)
    if has_path_parameters:
        statuses.add(404)
    if has_query:
        statuses.add(400)
    if has_body:
        statuses |= {400, 413, 415}
    if verb != "get" and credentials in ("user", "both", "token"):
        statuses.add(403)
    if credentials == "token":
        statuses |= {400, 403, 404, 429, 502}
    return frozenset(statuses)


def references(statuses: frozenset[int]) -> dict[str, Any]:
    """The members of `responses` for these errors."""
    return {str(status): {"$ref": f"#/components/responses/{_ERRORS[status][0]}"} for status in sorted(statuses)}


def components() -> dict[str, Any]:
    """The errors, by the names that `references` uses."""
    return {name: _error(description, message) for name, description, message in _ERRORS.values()}


def _error(description: str, message: str) -> dict[str, Any]:
    return {
        "description": description,
        "headers": {"Elements-Request-Id": {"$ref": "#/components/headers/Elements-Request-Id"}},
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/Error"},
                "example": {"requestId": "5f0c3a9d1b7e42c86a90d4f2", "message": message},
            }
        },
    }
