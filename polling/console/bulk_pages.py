"""The page of a bulk download, with its progress; cancelling it; its records as a file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse

from instances import audit
from instances.console.lists import may_operate, may_see_bodies
from instances.console.page import instance_page
from instances.console.scope import scope_of
from instances.errors import PlatformError
from polling import bulk_queries, bulk_results
from polling.models import BulkQuery

_ODD = re.compile(r"[^A-Za-z0-9]+")


@dataclass(frozen=True, slots=True)
class Progress:
    done: int
    total: int | None
    words: str


def progress_of(query: BulkQuery) -> Progress:
    done, total = query.record_count, query.total_count
    if query.state == BulkQuery.COMPLETED or total is None:
        return Progress(done, None, f"{done:,}")
    # How many there are was asked when it began: some may have come since.
    return Progress(done, max(total, done), f"{done:,} of {max(total, done):,}")


def show(request: HttpRequest, query: BulkQuery) -> HttpResponse:
    sees_bodies = may_see_bodies(request)
    context: dict[str, Any] = {
        "query": query,
        "progress": progress_of(query),
        "is_unfinished": query.state in BulkQuery.UNFINISHED,
        "is_table": query.columns is not None,
        "may_operate": may_operate(request),
        "sees_bodies": sees_bodies,
        "told": urlsplit(query.callback_url).hostname or "" if query.callback_url else "",
    }
    if getattr(request, "htmx", False):
        return render(request, "console/polling/bulk_live.html", {"instance": query.instance, **context})
    return instance_page(request, query.instance, "console/polling/bulk.html", tab="bulk", **context)


def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    query = _query_or_404(request, pk)
    if not may_operate(request):
        raise PermissionDenied
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    try:
        bulk_queries.cancel(query_id=query.pk)
    except PlatformError as error:
        messages.warning(request, str(error))
    else:
        _note(request, query, "cancelled a bulk download")
        messages.success(request, "It is cancelled; what was read of it is dropped.")
    return redirect(reverse("admin:polling_bulkquery_change", args=[query.pk]))


def download(request: HttpRequest, pk: int) -> HttpResponseBase:
    """All records as a file: JSON, or `?format=csv`."""
    query = _query_or_404(request, pk)
    if not may_see_bodies(request):
        raise PermissionDenied
    if request.method != "GET":
        return HttpResponseNotAllowed(["GET"])
    is_csv = request.GET.get("format") == "csv"
    if query.state != BulkQuery.COMPLETED or (is_csv and query.columns is None):
        raise Http404("There is no such file")
    _note(request, query, "downloaded records", detail="CSV" if is_csv else "JSON")
    if is_csv:
        return _file(bulk_results.as_csv(query), query, "csv", content_type="text/csv; charset=utf-8; header=present")
    answer = _file(bulk_results.as_json(query), query, "json", content_type="application/json")
    answer["Content-Length"] = str(bulk_results.json_length(query))
    return answer


def _file(chunks: Iterator[bytes], query: BulkQuery, ending: str, *, content_type: str) -> StreamingHttpResponse:
    answer = StreamingHttpResponse(chunks, content_type=content_type)
    name = f"{_ODD.sub('-', query.collection).strip('-')}-{query.pk}.{ending}"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    answer["X-Content-Type-Options"] = "nosniff"
    return answer


def _query_or_404(request: HttpRequest, pk: int) -> BulkQuery:
    rows: Any = BulkQuery.objects.filter(pk=pk).select_related("instance")
    query: BulkQuery | None = scope_of(request).of(rows, "instance__organization").first()
    if query is None:
        raise Http404("There is no such bulk download")
    return query


def _note(request: HttpRequest, query: BulkQuery, action: str, *, detail: str = "") -> None:
    audit.note(
        who=request.user,
        action=action,
        through=audit.CONSOLE,
        organization_id=query.instance.organization_id,
        instance=query.instance,
        subject=f"bulk download {query.pk} of {query.collection}",
        detail=detail,
    )
