"""The receiver: reads what a provider posts, stores it, answers. Nobody is asked anything before the answer.

What it means is worked out later (`standardize`). Providers hang up after seconds and try again for few statuses only:
whatever keeps us from storing is answered with the one that the element names, and noted as trouble.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator
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
from events.places import NoPlace, Places

logger = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 2
LONGEST_QUERY = 4096
LONGEST_CONTENT_TYPE = 255
LONGEST_SIGNATURE = 1024
LONGEST_BODY_FOR_SEVERAL = 64 * 1024
LONGEST_WAIT_SECONDS = 1.0
"""For a place to read a body in."""
BUSY_STATUS = 429
"""Before the element is known, which has its own."""

UNSIGNED = "it came without {header}; set event.callback.unsigned to true if its sender cannot sign"
SWAMPED = "more callbacks came than may wait"
NOT_STORED = "callbacks could not be stored"
NOT_READ = "callbacks could not be read, too many senders were slow"

_PLACES = Places()
_SAYS_NOTHING = re.compile(r"(?:\w+=)?")
"""Nothing, or what was registered with nothing appended to it: `recordId=`."""


class _BodyTooLong(Exception):
    """Longer than the limit, which is its argument."""


class _BodyCutShort(Exception):
    """The sender hung up in the middle of it."""


@csrf_exempt
def receive(request: HttpRequest, path: str) -> HttpResponse:
    """Whatever comes to `/events/{path}`, from anybody.

    Without a token, an instance or the header, the body says whose it is. That form is answered 200 `{}` whether or not
    anybody has such an account, and whatever became of it there: strangers do not learn who is a customer.
    """
    if request.method not in ("POST", "GET"):
        return _error(request, 405, "Callbacks are sent with POST or GET", {"Allow": "GET, POST"})
    busy_status, has_token = BUSY_STATUS, False
    try:
        address = addressing.address(path, instances_header=request.headers.get("Element-Instances", ""))
        has_token = bool(address.token)
        element = registry.element(address.element_key)
        callbacks = element.callbacks
        if callbacks is None:
            return _nobody(request)
        busy_status = callbacks.busy_status
        received = _received(request, callbacks, address)
        outcomes = _store(received, callbacks, address=address)
        return _answer(request, callbacks, outcomes, address=address)
    except (NoAddress, registry.UnknownElement):
        return _nobody(request)
    except _BodyTooLong as error:
        return _error(request, 413, f"The body is longer than {error.args[0]} bytes")
    except _BodyCutShort:
        return _error(request, 400, "The body is shorter than announced")
    except NoPlace:
        return _busy(request, busy_status)
    except DatabaseError as error:
        logger.warning(
            "callback not stored",
            extra={"error": type(error).__name__, "cause": type(error.__cause__).__name__},
        )
        suspicion.note_trouble(reason=NOT_STORED)
    except Exception:
        # Whatever it is, it is ours: a provider that is answered 500 does not send the callback again.
        logger.exception("callback not stored by a fault of ours")
        if has_token:  # a stranger who finds one must not be able to have everybody polled
            suspicion.note_trouble(reason=NOT_STORED)
    return _busy(request, busy_status)


def _store(received: Received, callbacks: Callbacks, *, address: Address) -> list[Outcome]:
    element_key = address.element_key
    if address.token:
        return intake.for_token(received, element_key=element_key, token=address.token)
    if address.instance_ids:
        return intake.for_instances(received, element_key=element_key, instance_ids=address.instance_ids)
    inbound = InboundCallback(body=received.body, signature=received.signature, query=received.query)
    accounts = callbacks.accounts(inbound) if received.body else ()
    return intake.for_accounts(received, element_key=element_key, accounts=accounts) if accounts else []


def _answer(request: HttpRequest, callbacks: Callbacks, outcomes: list[Outcome], *, address: Address) -> HttpResponse:
    if not outcomes and not _is_by_account(address):
        return _nobody(request)
    results = {outcome.result for outcome in outcomes}
    if intake.STORED in results:
        doorbell.CALLBACKS.ring_soon()
    if address.has_more or len(outcomes) == MOST_INSTANCES:
        logger.warning("callback reaches no further instances", extra={"instances": MOST_INSTANCES})
    if intake.FULL in results:
        full = [outcome.instance_id for outcome in outcomes if outcome.result == intake.FULL and outcome.instance_id]
        logger.warning("callback not stored, too many wait", extra={"instances": full})
        if address.token:  # a stranger must not be able to have anybody polled
            suspicion.note_trouble(reason=SWAMPED, instance_ids=full)
        if not _is_by_account(address):
            return _busy(request, callbacks.busy_status)
    return HttpResponse(b"{}", content_type="application/json")


def _is_by_account(address: Address) -> bool:
    return not address.token and not address.instance_ids


def _received(request: HttpRequest, callbacks: Callbacks, address: Address) -> Received:
    is_get = request.method == "GET"
    signature = _text(request.META.get(_meta_name(callbacks.signature_header), ""), LONGEST_SIGNATURE)
    query = _text(request.META.get("QUERY_STRING", ""), LONGEST_QUERY)
    query = "&".join(part for part in (_clean(address.glued, LONGEST_QUERY), query) if part)
    body = b"" if is_get else _body(request, address)
    # What a GET says has no signature, whatever its headers say: a signature is over the body.
    is_signed = signature and not is_get
    return Received(
        method=request.method or "",
        query=query,
        content_type=_text(request.META.get("CONTENT_TYPE", ""), LONGEST_CONTENT_TYPE),
        signature=signature,
        body=body,
        unsigned_reason="" if is_signed else UNSIGNED.format(header=callbacks.signature_header),
        is_empty=not body and _SAYS_NOTHING.fullmatch(query) is not None,
    )


def _body(request: HttpRequest, address: Address) -> bytes:
    limit: int = settings.CALLBACK_BODY_LIMIT
    if len(address.instance_ids) > 1 or _is_by_account(address):
        # It is kept once for each instance.
        limit = min(limit, LONGEST_BODY_FOR_SEVERAL)
    announced = request.META.get("CONTENT_LENGTH") or ""
    length = int(announced) if announced.isascii() and announced.isdigit() else None
    if length is not None and length > limit:
        raise _BodyTooLong(limit)
    if length == 0 or (length is None and not request.META.get("wsgi.input_terminated")):
        return b""
    try:
        with _place(address):
            # Sent in chunks, Django reads nothing, but the server ends the stream where the body ends.
            stream = request if length is not None else request.META["wsgi.input"]
            body = bytes(stream.read(limit + 1 if length is None else length))
    except OSError as error:  # UnreadablePostError among them
        if isinstance(error, ConnectionError) or isinstance(error.__cause__, ConnectionError):
            raise _BodyCutShort from error
        raise
    if length is None and len(body) > limit:
        raise _BodyTooLong(limit)
    if length is not None and len(body) < length:
        raise _BodyCutShort
    return body


@contextlib.contextmanager
def _place(address: Address) -> Iterator[None]:
    """A place to read a body in. Raises NoPlace, which is noted as trouble for whoever has the token."""
    with contextlib.ExitStack() as held:
        if not address.token:
            held.enter_context(_PLACES.for_stranger(seconds=LONGEST_WAIT_SECONDS))
        else:
            try:
                held.enter_context(_PLACES.for_stranger(seconds=0))
            except NoPlace:
                _wait_with_token(held, address)
        yield


def _wait_with_token(held: contextlib.ExitStack, address: Address) -> None:
    # Anybody can make up a token, so it is looked up before it is worth more than none.
    instance_ids = intake.instances_of_token(element_key=address.element_key, token=address.token)
    if not instance_ids:
        held.enter_context(_PLACES.for_stranger(seconds=LONGEST_WAIT_SECONDS))
        return
    try:
        held.enter_context(_PLACES.for_known(seconds=LONGEST_WAIT_SECONDS))
    except NoPlace:
        logger.warning("callback not read, others take too long to send theirs", extra={"instances": instance_ids})
        suspicion.note_trouble(reason=NOT_READ, instance_ids=instance_ids)
        raise


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


def _busy(request: HttpRequest, status: int) -> HttpResponse:
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return _error(request, status, "This callback could not be stored; send it again", headers)


def _error(request: HttpRequest, status: int, message: str, headers: dict[str, str] | None = None) -> HttpResponse:
    body = orjson.dumps({"requestId": str(getattr(request, "request_id", "")), "message": message})
    return HttpResponse(body, status=status, content_type="application/json", headers=headers)
