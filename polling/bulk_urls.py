"""Paths of bulk downloads, with and without a hub's name in front."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from polling import bulk_api

urlpatterns: list[URLPattern | URLResolver] = [
    path(prefix + route, view.as_view())
    for prefix in ("bulk/", "hubs/<str:hub>/bulk/")
    for route, view in (
        ("query", bulk_api.BulkQueryView),
        ("jobs", bulk_api.BulkJobsView),
        ("<str:bulk_id>/status", bulk_api.BulkStatusView),
        ("<str:bulk_id>/errors", bulk_api.BulkErrorsView),
        ("<str:bulk_id>/cancel", bulk_api.BulkCancelView),
        ("<str:bulk_id>/<path:object_name>", bulk_api.BulkResultView),
    )
]
