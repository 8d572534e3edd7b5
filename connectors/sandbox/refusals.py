"""What ConnectWise says when it refuses, in its own error bodies."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from connectors.sandbox.server import Answer

JSON = "application/json; charset=utf-8"
HTML = "text/html; charset=utf-8"
TEXT = "text/plain; charset=utf-8"

IIS_NOT_FOUND = (
    '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">\r\n'
    "<html><head><title>404 - File or directory not found.</title></head>\r\n"
    "<body><h1>Server Error</h1><h2>404 - File or directory not found.</h2></body></html>"
)
GATEWAY_PAGE = "<html>\r\n<head><title>{0}</title></head>\r\n<body><center><h1>{0}</h1></center></body>\r\n</html>"


def encode(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One entry of `errors`."""

    code: str
    message: str
    resource: str
    field: str


class Refusal(Exception):
    """Carries the answer that says so."""

    def __init__(self, status: int, body: object, *, headers: tuple[tuple[str, str], ...] = ()) -> None:
        """A `str` body is sent as plain text, or as HTML when it begins like that; anything else as JSON."""
        super().__init__(f"{status} {body}")
        if isinstance(body, str):
            content_type, raw = (HTML if body.startswith("<") else TEXT), body.encode()
        else:
            content_type, raw = JSON, encode(body)
        self.answer = Answer(status=status, body=raw, headers=(("Content-Type", content_type), *headers))


def cannot_route() -> Refusal:
    return Refusal(400, "Cannot route. Codebase/company is invalid")


def not_authenticated() -> Refusal:
    return Refusal(401, {"code": "ConnectWiseApi", "message": "UserNotAuthenticated"})


def wrong_keys() -> Refusal:
    return Refusal(401, {"code": "Unauthorized", "message": "Incorrect public/private key"})


def client_id_missing() -> Refusal:
    return Refusal(401, {"code": "Unauthorized", "message": "The clientId header is missing or not a GUID."})


def no_permission() -> Refusal:
    message = "You do not have security permission to perform this action."
    return Refusal(403, {"code": "Security", "message": message})


def no_endpoint() -> Refusal:
    return Refusal(404, {"code": "ConnectWiseApi", "message": "The endpoint does not exist."})


def no_page() -> Refusal:
    return Refusal(404, IIS_NOT_FOUND)


def verb_not_supported(method: str) -> Refusal:
    return Refusal(405, {"code": "ConnectWiseApi", "message": f"The endpoint does not support {method}."})


def not_found(kind: str, record_id: int | str) -> Refusal:
    return Refusal(404, {"code": "NotFound", "message": f"{kind} {record_id} not found"})


def in_use(kind: str, record_id: int) -> Refusal:
    message = f"{kind} {record_id} is in use and cannot be deleted."
    return Refusal(409, {"code": "ConnectWiseApi", "message": message})


def url_too_long() -> Refusal:
    return Refusal(414, GATEWAY_PAGE.format("414 Request-URI Too Large"))


def wrong_content_type() -> Refusal:
    return Refusal(415, {"code": "ConnectWiseApi", "message": "The request's Content-Type must be application/json."})


def bad_request(message: str) -> Refusal:
    """A query or a body that cannot be understood."""
    return Refusal(400, {"code": "ConnectWiseApi", "message": message, "errors": None})


def invalid_object(resource: str, problems: Sequence[Problem]) -> Refusal:
    """Validation: the outer `InvalidObject` with its details."""
    errors = [
        {"code": one.code, "message": one.message, "resource": one.resource, "field": one.field} for one in problems
    ]
    return Refusal(400, {"code": "InvalidObject", "message": f"{resource} object is invalid", "errors": errors})


def throttled(retry_after: int) -> Refusal:
    # The one body whose key is `error` instead of `code`.
    message = f"Too many requests. Please try again in {retry_after} seconds."
    return Refusal(429, {"error": "ConnectWiseAPI", "message": message}, headers=(("Retry-After", str(retry_after)),))


def timed_out() -> Refusal:
    # "occured" is their spelling.
    return Refusal(500, {"code": "ConnectWiseApi", "message": "A timeout has occured. Please try again."})


def gateway(status: int, phrase: str) -> Refusal:
    """502, 503, 504: from the front end, as a page."""
    return Refusal(status, GATEWAY_PAGE.format(f"{status} {phrase}"))
