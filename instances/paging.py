"""Paging of the platform's own lists: `page` and `pageSize`, or `nextPage` with the token of the page before.

A token stands for the last row that was seen, so rows that come or go meanwhile neither hide nor repeat others.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import Model, QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from instances.errors import InvalidRequest

DEFAULT_PAGE_SIZE = 200
LARGEST_PAGE_SIZE = 1000
LARGEST_NUMBER = 2**63 - 1

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowPage(Generic[Row]):
    """One page of rows."""

    rows: Sequence[Row]
    total_count: int | None
    """None: they were not counted."""
    next_page_token: str | None
    """None: this was the last page."""
    warning: str = ""

    def response(self, data: Sequence[Any]) -> Response:
        """`data` (the rows as they are shown) with the headers that clients page by."""
        headers = {"Elements-Returned-Count": str(len(data))}
        if self.total_count is not None:
            headers["Elements-Total-Count"] = str(self.total_count)
        if self.next_page_token is not None:
            headers["Elements-Next-Page-Token"] = self.next_page_token
        if self.warning:
            headers["Elements-Error"] = self.warning
        return Response(data, headers=headers)


def page_of(
    queryset: QuerySet[Row],
    request: Request,
    *,
    is_newest_first: bool = False,
    default_size: int = DEFAULT_PAGE_SIZE,
    is_counted: bool = True,
    offset: str = "",
) -> RowPage[Row]:
    """The page of `queryset` that the request asks for, in the order of the primary key. Raises InvalidRequest.

    `is_counted` is for lists that may grow long. `offset` names a parameter that counts pages from 0, beside `page`.
    """
    asked_size = whole_number("pageSize", request.query_params.get("pageSize", ""), default=default_size)
    size = min(asked_size, LARGEST_PAGE_SIZE)
    rows = queryset.order_by("-pk" if is_newest_first else "pk")
    token = request.query_params.get("nextPage", "")
    if token not in ("", "null", "undefined"):
        last_seen = _last_seen(token)
        rows = rows.filter(pk__lt=last_seen) if is_newest_first else rows.filter(pk__gt=last_seen)
        skipped = 0
    else:
        number = whole_number("page", request.query_params.get("page", ""), default=1)
        if offset and "page" not in request.query_params:
            number = whole_number(offset, request.query_params.get(offset, ""), default=0, least=0) + 1
        skipped = (number - 1) * size
    # One more than asked for tells whether there is a next page. PostgreSQL's OFFSET ends at 63 bits.
    found = list(rows[skipped : skipped + size + 1]) if skipped < LARGEST_NUMBER - size - 1 else []
    page = found[:size]
    return RowPage(
        rows=page,
        total_count=queryset.count() if is_counted else None,
        next_page_token=_token(page[-1].pk) if len(found) > size else None,
        warning=f"pageSize was clipped to {LARGEST_PAGE_SIZE}" if asked_size > size else "",
    )


def whole_number(name: str, text: str, *, default: int, least: int = 1) -> int:
    """A parameter of a query; clipped to what PostgreSQL counts to. Raises InvalidRequest."""
    if not text:
        return default
    if not (text.isascii() and text.isdecimal()) or int(text[:20]) < least:
        raise InvalidRequest(f"{name}: send a whole number from {least} on")
    return min(int(text[:20]), LARGEST_NUMBER)


def _token(last_seen: int) -> str:
    return urlsafe_b64encode(f"after:{last_seen}".encode()).decode().rstrip("=")


def _last_seen(token: str) -> int:
    try:
        kind, _, number = urlsafe_b64decode(token[:100] + "=" * (-len(token) % 4)).decode("ascii").partition(":")
        if kind == "after" and number.isdecimal():
            return min(int(number), LARGEST_NUMBER)
    except ValueError:
        pass
    raise InvalidRequest("nextPage: this token is not one of ours; take it from Elements-Next-Page-Token")
