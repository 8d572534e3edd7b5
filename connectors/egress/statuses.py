"""From an answer's status to the error that names the next step. Decided once, here, and by the status alone."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from connectors.egress.exchange import Answer, http_date
from connectors.errors import (
    ConnectorError,
    CredentialsRefused,
    PermissionRefused,
    RateLimited,
    RecordNotFound,
    RequestRefused,
    TryLater,
)

RETRY_AFTER_DEFAULT = timedelta(seconds=30)
# A provider's slip of the pen must not park an account for years.
RETRY_AFTER_LONGEST = timedelta(days=1)
LONGEST_MESSAGE = 500
# Error bodies are short; of a longer one (a portal's page, say) the beginning is enough.
READ_OF_JSON = 64 * 1024
READ_OF_TEXT = 8 * 1024
LONGEST_CODE = 100
MOST_CODES = 20

_INVISIBLE = re.compile(r"<(script|style|head)\b.*?</\1\s*>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^<>]*>")
_SPACE = re.compile(r"\s+")


def raise_for_status(answer: Answer) -> None:
    """Raise the ConnectorError that `answer` amounts to; return for 2xx.

    429 always says when to ask again; 5xx does where the provider said so. `provider_message` holds what the
    provider gave as the reason, at most 500 characters; `codes` its words for it, `fields` what it complains about.
    """
    if 200 <= answer.status < 300:
        return
    error = _error(answer)
    error.codes, error.fields = provider_codes(answer.body), provider_fields(answer.body)
    raise error


def _error(answer: Answer) -> ConnectorError:
    status = answer.status
    said = provider_message(answer.body)
    if status == 401:
        return CredentialsRefused("The provider refused the credentials (401)", provider_message=said, status=status)
    if status == 403:
        return PermissionRefused(
            "The provider does not permit this with these credentials (403)", provider_message=said, status=status
        )
    if status == 404:
        return RecordNotFound(
            "The provider does not know this record or path (404)", provider_message=said, status=status
        )
    if status == 429:
        return RateLimited(
            "The provider received too many requests (429)",
            provider_message=said,
            status=status,
            retry_after=retry_after(answer) or RETRY_AFTER_DEFAULT,
        )
    if status >= 500:
        return TryLater(
            f"The provider failed ({status})", provider_message=said, status=status, retry_after=retry_after(answer)
        )
    if 300 <= status < 400:
        return RequestRefused(
            f"The provider redirects elsewhere ({status}), which is not followed: use the final address",
            provider_message=said,
            status=status,
        )
    return RequestRefused(f"The provider refused the request ({status})", provider_message=said, status=status)


def retry_after(answer: Answer) -> timedelta | None:
    """How long the answer asks to wait; None where it does not say.

    A date counts from the answer's own `Date`, so that our clock need not agree with theirs.
    """
    text = answer.headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return min(timedelta(seconds=int(text)), RETRY_AFTER_LONGEST)
    until, now = http_date(text), answer.date
    if until is None or now is None:
        return None
    return min(max(until - now, timedelta(0)), RETRY_AFTER_LONGEST)


def provider_message(body: bytes) -> str:
    """What an error body says: the messages of its JSON and the fields they mean, else its text without markup."""
    text = body[:READ_OF_JSON].decode("utf-8", errors="replace")
    said = _from_json(text) or html.unescape(_TAG.sub(" ", _INVISIBLE.sub(" ", text[:READ_OF_TEXT])))
    said = _SPACE.sub(" ", said.replace("\x00", "")).strip()
    return said if len(said) <= LONGEST_MESSAGE else f"{said[: LONGEST_MESSAGE - 1]}…"


def provider_codes(body: bytes) -> tuple[str, ...]:
    """`code` and `errors[].code` of an error body, outer one first; empty where there are none."""
    document = _document(body[:READ_OF_JSON].decode("utf-8", errors="replace"))
    codes = [document.get("code"), *(error.get("code") for error in _inner_errors(document))]
    return _words(codes)


def provider_fields(body: bytes) -> tuple[str, ...]:
    """`errors[].field` of an error body, in the provider's spelling; empty where there are none."""
    document = _document(body[:READ_OF_JSON].decode("utf-8", errors="replace"))
    return _words(error.get("field") for error in _inner_errors(document))


def _words(found: Iterable[Any]) -> tuple[str, ...]:
    return tuple(word for word in found if isinstance(word, str) and 0 < len(word) <= LONGEST_CODE)[:MOST_CODES]


def _document(text: str) -> dict[str, Any]:
    """Empty if this is no JSON object."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _inner_errors(document: dict[str, Any]) -> list[dict[str, Any]]:
    errors = document.get("errors")
    return [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []


def _detail(error: dict[str, Any]) -> str | None:
    """Its message, with the field that is meant where the words do not name it."""
    message, field = error.get("message"), error.get("field")
    if not isinstance(message, str) or not message:
        return None
    if not isinstance(field, str) or not 0 < len(field) <= LONGEST_CODE or field.casefold() in message.casefold():
        return message
    return f"{message} ({field})"


def _from_json(text: str) -> str:
    """Empty if this is not the JSON of an error."""
    document = _document(text)
    details = [_detail(error) for error in _inner_errors(document)]
    # Where there is no message, the code says at least something; 429 calls it `error`.
    sentences = [document.get("message"), *details]
    said = [sentence for sentence in sentences if isinstance(sentence, str) and sentence]
    codes = [document.get("code"), document.get("error")]
    said = said or [code for code in codes if isinstance(code, str) and code]
    return " ".join(dict.fromkeys(said))
