"""Paths about notifications, their delivery, and how both went. They come before those of `events.urls`."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from events import analytics_api, api, attempts_api, circuits_api, notifications_api, replay_api

urlpatterns: list[URLPattern | URLResolver] = [
    path("notifications", notifications_api.NotificationsView.as_view()),
    path("notifications/subscriptions", api.SubscriptionsView.as_view()),
    path("notifications/subscriptions/deliveries", api.DeliveriesView.as_view()),
    path("notifications/subscriptions/<str:subscription_id>", api.SubscriptionView.as_view()),
    path("notifications/subscriptions/<str:subscription_id>/circuit", circuits_api.CircuitView.as_view()),
    path("notifications/subscriptions/<str:subscription_id>/transitions", circuits_api.TransitionsView.as_view()),
    path("notifications/<str:notification_id>", notifications_api.NotificationView.as_view()),
    path("notifications/<str:notification_id>/acknowledge", notifications_api.AcknowledgementView.as_view()),
    path("notifications/<str:notification_id>/subscriptions/deliveries", api.NotificationDeliveriesView.as_view()),
    path(
        "notifications/<str:notification_id>/subscriptions/<str:subscription_id>/deliveries",
        api.NotificationDeliveriesView.as_view(),
    ),
    path(
        "notifications/<str:notification_id>/subscriptions/<str:subscription_id>/deliveries/attempts",
        attempts_api.AttemptsView.as_view(),
    ),
    path("instances/events/analytics", analytics_api.CountsView.as_view()),
    path("instances/events/analytics/instances", analytics_api.InstancesView.as_view()),
    path("instances/events/analytics/accounts", analytics_api.AccountsView.as_view()),
    path("instances/events/dispositions", analytics_api.DispositionsView.as_view()),
    path("replays", replay_api.ReplaysView.as_view()),
    path("replays/preview", replay_api.ReplayPreviewView.as_view()),
    path("replays/<str:replay_id>", replay_api.ReplayView.as_view()),
]
