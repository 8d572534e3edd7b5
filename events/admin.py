"""Where Django looks for pages of the console: they live in `events/console/`."""

from __future__ import annotations

from events.console import callbacks, deliveries, events, overview, replays, subscriptions, tabs

__all__ = ["callbacks", "deliveries", "events", "overview", "replays", "subscriptions", "tabs"]
