"""Paths about events and account settings. `tests/events/test_api.py` walks every one of them as a stranger."""

from django.urls import URLPattern, path

from events import api, callbacks_api, receive_urls

urlpatterns: list[URLPattern] = [
    *receive_urls.urlpatterns,
    path("instances/events", api.InstanceEventsView.as_view()),
    path("instances/events/<str:event_id>", api.EventView.as_view()),
    path("instances/<str:instance_id>/events", api.InstanceEventsView.as_view()),
    path("instances/<str:instance_id>/events/<str:event_id>", api.EventView.as_view()),
    path("instances/<str:instance_id>/registrations", callbacks_api.RegistrationsView.as_view()),
    path("instances/<str:instance_id>/callbacks", callbacks_api.CallbacksView.as_view()),
    path("accounts/settings", api.AccountSettingsView.as_view()),
    path("accounts/<str:account_id>/settings", api.AccountSettingsView.as_view()),
]
