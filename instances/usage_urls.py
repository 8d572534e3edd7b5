"""The calls of an organization."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from instances import usage_api

urlpatterns: list[URLPattern | URLResolver] = [
    path("usage", usage_api.UsageView.as_view()),
    path("usage/<str:request_id>", usage_api.CallView.as_view()),
]
