"""Where Django looks for pages of the console: they live in `events/console/`."""

from __future__ import annotations

from events.console import (
    attempts,
    callbacks,
    charts,
    deliveries,
    events,
    figures,
    inboxes,
    overview,
    registrations,
    replays,
    subscriptions,
    tabs,
)

__all__ = [
    "attempts",
    "callbacks",
    "charts",
    "deliveries",
    "events",
    "figures",
    "inboxes",
    "overview",
    "registrations",
    "replays",
    "subscriptions",
    "tabs",
]
