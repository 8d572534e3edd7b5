"""Where Django looks for pages of the console: they live in `events/console/`."""

from __future__ import annotations

from events.console import (
    attempts,
    callbacks,
    deliveries,
    events,
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
    "deliveries",
    "events",
    "inboxes",
    "overview",
    "registrations",
    "replays",
    "subscriptions",
    "tabs",
]
