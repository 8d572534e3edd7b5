"""Lists of the hub API: what a query string asks for, and the headers that go with a page."""

from __future__ import annotations

from django.http import HttpResponse
from rest_framework.request import Request

from connectors import hub
from connectors.connection import Connection
from connectors.records import DEFAULT_PAGE_SIZE, LARGEST_PAGE_SIZE
from instances.hub_call import json_body, query_of
from instances.paging import whole_number

# What clients send to say "from the beginning".
NO_TOKEN = frozenset({"", "null", "undefined"})
LARGEST_PAGE = 1_000_000


def list_answer(connection: Connection, collection: str, request: Request) -> HttpResponse:
    """One page of the collection, as the request asks for it. Raises InvalidRequest, and the errors of the hub."""
    asked = query_of(request)
    where = asked.pop("where", None)
    asked_size = whole_number("pageSize", asked.pop("pageSize", ""), default=DEFAULT_PAGE_SIZE)
    token = asked.pop("nextPage", "")
    page_number = whole_number("page", asked.pop("page", ""), default=1)
    has_total = asked.pop("returnCount", "").lower() == "true"
    fields = list(dict.fromkeys(name.strip() for name in asked.pop("fields", "").split(",") if name.strip()))
    page = hub.find(
        connection,
        collection,
        where=where,
        page=min(page_number, LARGEST_PAGE),
        page_size=asked_size,
        page_token=None if token in NO_TOKEN else token,
        order_by=asked.pop("orderBy", "").strip() or None,
        fields=fields,
    )
    response = json_body(page.body)
    response["Elements-Returned-Count"] = str(len(page.slices()))
    if has_total:
        response["Elements-Total-Count"] = str(hub.count(connection, collection, where=where))
    if page.next_page_token is not None:
        response["Elements-Next-Page-Token"] = page.next_page_token
    if warnings := _warnings(asked_size=asked_size, passed_over=len(asked)):
        response["Elements-Error"] = "; ".join(warnings)
    return response


def _warnings(*, asked_size: int, passed_over: int) -> list[str]:
    warnings = [f"pageSize was clipped to {LARGEST_PAGE_SIZE}"] if asked_size > LARGEST_PAGE_SIZE else []
    if passed_over:
        warnings.append(f"{passed_over} parameter(s) were passed over: known are where, orderBy, fields and paging")
    return warnings
