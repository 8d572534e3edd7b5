"""The hub API: what it tells about itself, and the catch-all behind the platform's own paths."""

from django.urls import URLPattern, path, re_path

from instances.hub_api import HubView
from instances.hub_introspection import ObjectsView, PingView

urlpatterns: list[URLPattern] = [
    path("objects", ObjectsView.as_view()),
    path("hubs/<str:hub>/objects", ObjectsView.as_view()),
    path("ping", PingView.as_view()),
    path("hubs/<str:hub>/ping", PingView.as_view()),
    re_path(r"^(?P<path>(?s:.*))$", HubView.as_view()),
]
