"""Paths of the hub catalogue and of documents. Longer paths under `/hubs/{hub}` are the hub API's."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from instances import hub_catalogue_api as api

urlpatterns: list[URLPattern | URLResolver] = [
    path("hubs", api.HubsView.as_view()),
    path("hubs/keys", api.HubKeysView.as_view()),
    path("hubs/<str:hub_key>", api.OneHubView.as_view()),
    path("hubs/<str:hub_key>/elements", api.HubElementsView.as_view()),
    path("elements/<str:key_or_id>/docs", api.ElementDocsView.as_view()),
    path("elements/<str:key_or_id>/oauth/url", api.OAuthUrlView.as_view()),
    path("instances/docs", api.TokenDocsView.as_view()),
    path("instances/<str:instance_id>/docs", api.InstanceDocsView.as_view()),
]
