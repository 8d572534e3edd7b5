"""The hub API: what it tells about itself, and the catch-all behind the platform's own paths."""

from django.urls import URLPattern, path, re_path

from instances.hub_api import HubView
from instances.hub_introspection import ObjectDocsView, ObjectMetadataView, ObjectsView, PingView
from instances.unknown_paths import (
    ACCOUNTS,
    CALLBACKS,
    RESERVED,
    AccountsView,
    UnknownCallbackPathView,
    UnknownPathView,
)

urlpatterns: list[URLPattern] = [
    re_path(rf"^(?P<path>(?:{'|'.join(RESERVED)})(?:/(?s:.*))?)$", UnknownPathView.as_view()),
    re_path(rf"^(?P<path>{CALLBACKS}(?:/(?s:.*))?)$", UnknownCallbackPathView.as_view()),
    re_path(rf"^(?P<path>{ACCOUNTS}(?:/(?s:.*))?)$", AccountsView.as_view()),
    path("objects", ObjectsView.as_view()),
    path("objects/<path:object_name>/metadata", ObjectMetadataView.as_view()),
    path("objects/<path:object_name>/docs", ObjectDocsView.as_view()),
    path("ping", PingView.as_view()),
    path("hubs/<str:hub>/objects", ObjectsView.as_view()),
    path("hubs/<str:hub>/objects/<path:object_name>/metadata", ObjectMetadataView.as_view()),
    path("hubs/<str:hub>/objects/<path:object_name>/docs", ObjectDocsView.as_view()),
    path("hubs/<str:hub>/ping", PingView.as_view()),
    re_path(r"^(?P<path>(?s:.*))$", HubView.as_view()),
]
