"""What an instance's page shows of events."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import reverse

from connectors.element import WEBHOOK
from instances.console import tabs
from instances.models import Instance


def _is_told(_request: HttpRequest, instance: Instance) -> bool:
    return instance.event_method == WEBHOOK


tabs.add(
    tabs.Tab(
        name="events", label="Events", order=20, url=tabs.list_of(page="events_event_changelist", lookup="instance")
    )
)
tabs.add(
    tabs.Tab(
        name="deliveries",
        label="Deliveries",
        order=30,
        url=tabs.list_of(page="events_delivery_changelist", lookup="subscription__instance"),
    )
)
tabs.add(
    tabs.Tab(
        name="subscription",
        label="Receiver",
        order=35,
        url=lambda instance: reverse("admin:events_subscription_of_instance", args=[instance.pk]),
    )
)
tabs.add(
    tabs.Tab(
        name="registrations",
        label="Registrations",
        order=50,
        url=tabs.list_of(page="events_registration_changelist", lookup="inbox__instance"),
        is_shown=_is_told,
    )
)
tabs.add(
    tabs.Tab(
        name="callbacks",
        label="Callbacks",
        order=60,
        url=tabs.list_of(page="events_callback_changelist", lookup="instance"),
        is_shown=_is_told,
    )
)
