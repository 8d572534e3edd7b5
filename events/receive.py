"""The receiver: reads what a provider posts, stores it, answers. Nobody is asked anything before the answer.

What it means is worked out later (`standardize`). Providers hang up after seconds and try again for few statuses only:
whatever keeps us from storing is answered with the one that the element names, and noted as trouble.
"""

from __future__ import annotations

import logging
from functools import cache

import orjson
from django.conf import settings
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from connectors import registry
from connectors.callbacks import Callbacks, InboundCallback
from events import addressing, doorbell, intake, suspicion
from events.addressing import MOST_INSTANCES, Address, NoAddress
from events.intake import Outcome, Received

logger = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 2
LONGEST_QUERY = 4096
LONGEST_CONTENT_TYPE = 255
LONGEST_SIGNATURE = 1024

UNSIGNED = "it came without {header}; set event.callback.unsigned to true if its sender cannot sign"
SWAMPED = "more callbacks came than may wait"
NOT_STORED = "callbacks could not be stored"


class _BodyTooLong(Exception):
    """Longer than CALLBACK_BODY_LIMIT."""


class _BodyCutShort(Exception):
    """The sender hung up in the middle of it."""


@csrf_exempt
def receive(request: HttpRequest, path: str) -> HttpResponse:
    """Whatever comes to `/events/{path}`, from anybody."""
    if request.method not in ("POST", "GET"):
        return _error(request, 405, "Callbacks are sent with POST or GET", {"Allow": "GET, POST"})
    try:
        address = addressing.address(path, instances_header=request.headers.get("Element-Instances", ""))
        element = registry.element(address.element_key)
    except (NoAddress, registry.UnknownElement):
        return _nobody(request)
    callbacks = element.callbacks
    if callbacks is None:
        return _nobody(request)
    try:
        received = _received(request, callbacks, address)
    except _BodyTooLong:
        return _error(request, 413, f"The body is longer than {settings.CALLBACK_BODY_LIMIT} bytes")
    except _BodyCutShort:
        return _error(request, 400, "The body is shorter than announced")
    try:
        outcomes = _store(received, callbacks, address=address, element_key=element.key)
    except DatabaseError as error:
        logger.warning(
            "callback not stored",
            extra={"element": element.key, "error": type(error).__name__, "cause": type(error.__cause__).__name__},
        )
        suspicion.note_trouble(reason=NOT_STORED)
        return _busy(request, callbacks)
    except Exception:
        # Whatever it is, it is ours: a provider that is answered 500 does not send the callback again.
        logger.exception("callback not stored by a fault of ours", extra={"element": element.key})
        suspicion.note_trouble(reason=NOT_STORED)
        return _busy(request, callbacks)
    return _answer(request, callbacks, outcomes, is_guessable=not address.token)


def _store(received: Received, callbacks: Callbacks, *, address: Address, element_key: str) -> list[Outcome]:
    if address.token:
        return intake.for_token(received, element_key=element_key, token=address.token)
    if address.instance_ids:
        return intake.for_instances(received, element_key=element_key, instance_ids=address.instance_ids)
    inbound = InboundCallback(body=received.body, signature=received.signature, query=received.query)
    accounts = callbacks.accounts(inbound)
    return intake.for_accounts(received, element_key=element_key, accounts=accounts) if accounts else []


def _answer(request: HttpRequest, callbacks: Callbacks, outcomes: list[Outcome], *, is_guessable: bool) -> HttpResponse:
    if not outcomes:
        return _nobody(request)
    results = {outcome.result for outcome in outcomes}
    if intake.STORED in results:
        doorbell.CALLBACKS.ring_soon()
    if len(outcomes) == MOST_INSTANCES:
        logger.warning("callback reaches no further instances", extra={"instances": MOST_INSTANCES})
    if intake.FULL in results:
        full = [outcome.instance_id for outcome in outcomes if outcome.result == intake.FULL and outcome.instance_id]
        logger.warning("callback not stored, too many wait", extra={"instances": full})
        if not is_guessable:  # a stranger must not be able to have anybody polled
            suspicion.note_trouble(reason=SWAMPED, instance_ids=full)
        return _busy(request, callbacks)
    return HttpResponse(b"{}", content_type="application/json")


def _received(request: HttpRequest, callbacks: Callbacks, address: Address) -> Received:
    is_get = request.method == "GET"
    signature = _text(request.META.get(_meta_name(callbacks.signature_header), ""), LONGEST_SIGNATURE)
    query = _text(request.META.get("QUERY_STRING", ""), LONGEST_QUERY)
    # What a GET says has no signature, whatever its headers say: a signature is over the body.
    is_signed = signature and not is_get
    return Received(
        method=request.method or "",
        query="&".join(part for part in (_clean(address.glued, LONGEST_QUERY), query) if part),
        content_type=_text(request.META.get("CONTENT_TYPE", ""), LONGEST_CONTENT_TYPE),
        signature=signature,
        body=b"" if is_get else _body(request),
        unsigned_reason="" if is_signed else UNSIGNED.format(header=callbacks.signature_header),
    )


def _body(request: HttpRequest) -> bytes:
    limit: int = settings.CALLBACK_BODY_LIMIT
    announced = request.META.get("CONTENT_LENGTH") or ""
    if announced.isascii() and announced.isdigit():
        if int(announced) > limit:
            raise _BodyTooLong
        body = request.read(int(announced))
        if len(body) < int(announced):
            raise _BodyCutShort
        return body
    if not request.META.get("wsgi.input_terminated"):
        return b""
    # Sent in chunks: Django reads nothing then, but the server ends the stream where the body ends.
    body = request.META["wsgi.input"].read(limit + 1)
    if len(body) > limit:
        raise _BodyTooLong
    return bytes(body)


def _text(value: str, longest: int) -> str:
    """A WSGI string (bytes, read as Latin-1) as text that PostgreSQL takes."""
    return _clean(value.encode("latin-1", "replace").decode("utf-8", "replace"), longest) if value else ""


def _clean(text: str, longest: int) -> str:
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}")[:longest]


@cache
def _meta_name(header: str) -> str:
    return "HTTP_" + header.upper().replace("-", "_")


def _nobody(request: HttpRequest) -> HttpResponse:
    return _error(request, 404, "There is nothing here")


def _busy(request: HttpRequest, callbacks: Callbacks) -> HttpResponse:
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return _error(request, callbacks.busy_status, "This callback could not be stored; send it again", headers)


def _error(request: HttpRequest, status: int, message: str, headers: dict[str, str] | None = None) -> HttpResponse:
    body = orjson.dumps({"requestId": str(getattr(request, "request_id", "")), "message": message})
    return HttpResponse(body, status=status, content_type="application/json", headers=headers)
