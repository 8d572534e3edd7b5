"""What the endpoints have in common: JSON answers, and what is asked of a request first."""

from __future__ import annotations

from connectors.sandbox import refusals
from connectors.sandbox.listing import Listing
from connectors.sandbox.refusals import JSON, encode
from connectors.sandbox.server import Answer, Request


def json_answer(status: int, value: object, *headers: tuple[str, str]) -> Answer:
    return Answer(status=status, body=encode(value), headers=(("Content-Type", JSON), *headers))


def page(found: Listing) -> Answer:
    link = () if found.link is None else (("Link", found.link),)
    return Answer(status=200, body=found.body, headers=(("Content-Type", JSON), *link))


def called(request: Request) -> str:
    """The URL as it was called, without its query: links repeat it."""
    return f"http://{request.headers.get('host', '127.0.0.1')}{request.path}"


def is_forward_only(request: Request) -> bool:
    return request.headers.get("pagination-type", "").lower() == "forward-only"


def only(request: Request, *methods: str) -> None:
    """Raises Refusal (405)."""
    if request.method not in methods:
        raise refusals.verb_not_supported(request.method)


def check_content_type(request: Request) -> None:
    """Raises Refusal (415)."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise refusals.wrong_content_type()


def is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 10
