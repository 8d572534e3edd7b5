"""Where the schedules of retries were; they are an instance's setting and live with the others."""

from __future__ import annotations

from instances.retry_schedules import DEFAULT, PRESETS, Schedule, schedule_of

__all__ = ["DEFAULT", "PRESETS", "Schedule", "schedule_of"]
