"""The catch-all behind the platform's own paths."""

from django.urls import URLPattern, re_path

from instances.hub_api import HubView

urlpatterns: list[URLPattern] = [re_path(r"^(?P<path>(?s:.*))$", HubView.as_view())]
