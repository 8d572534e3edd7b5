"""Where Django looks for pages of the console: they live in `instances/console/`."""

from __future__ import annotations

from instances.console import audit_log, figures, instances, organizations, people, secrets_shown

__all__ = ["audit_log", "figures", "instances", "organizations", "people", "secrets_shown"]
