"""Where Django looks for pages of the console: they live in `polling/console/`."""

from __future__ import annotations

from polling.console import bulk_downloads, figures, jobs, overview, pollers, tabs, traces

__all__ = ["bulk_downloads", "figures", "jobs", "overview", "pollers", "tabs", "traces"]
