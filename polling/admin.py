"""Where Django looks for pages of the console: they live in `polling/console/`."""

from __future__ import annotations

from polling.console import jobs, overview, pollers, tabs

__all__ = ["jobs", "overview", "pollers", "tabs"]
