"""Where Django looks for pages of the console: they live in `instances/console/`."""

from __future__ import annotations

from instances.console import instances, people

__all__ = ["instances", "people"]
