"""Records without the members that are null."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import msgspec
import orjson

from connectors.errors import UnusableAnswer
from connectors.records import Page

_null_member = re.compile(rb":\s*null").search
# Safe on bytes, strings included: a quote behind a comma, a brace or a letter is not escaped, and between the end of
# one string and the start of the next there is never a word alone. So the two quotes are those of a key.
_null_behind_comma = re.compile(rb',"[A-Za-z0-9_]+":null(?=[,}])')
_null_behind_brace = re.compile(rb'\{"[A-Za-z0-9_]+":null(?:,|(?=\}))')


def without_nulls(value: Any) -> Any:
    """The same without the members of objects whose value is null, at every depth. Items of lists stay."""
    if isinstance(value, dict):
        return {key: without_nulls(member) for key, member in value.items() if member is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value


def cut_nulls(text: bytes) -> tuple[bytes, bool]:
    """JSON with most null members cut out of its bytes, and whether none is left: odd keys and spaces need decoding."""
    if b"null" not in text:
        return text, True
    cut = _null_behind_brace.sub(b"{", _null_behind_comma.sub(b"", text))
    return cut, not _null_member(cut)


def cut_from_page(page: Page) -> bytes:
    """The page's body as `without_nulls` would have it. Decoding it all would cost more than the provider's call.

    Most nulls are cut out of the bytes; records where others are left (odd keys, spaces) are decoded.
    """
    if b"null" not in page.body or not _null_member(page.body):
        return page.body
    body, is_done = cut_nulls(page.body)
    if is_done:
        return body
    return b"[" + b",".join(_without_nulls_in_record(record) for record in replace(page, body=body).slices()) + b"]"


def _without_nulls_in_record(record: msgspec.Raw) -> bytes:
    text = bytes(record)
    if not _null_member(text):
        return text
    try:
        return orjson.dumps(without_nulls(orjson.loads(text)))
    except (ValueError, TypeError, RecursionError):
        raise UnusableAnswer("A record is nested too deeply, or holds what is no JSON") from None
