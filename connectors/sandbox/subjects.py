"""The kinds of records that came after contacts, companies, tickets and time entries, by their collections' names."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.sandbox import configurations, notes, opportunities, schedule, user_defined_fields
from connectors.sandbox.subject import Subject

SUBJECTS: Mapping[str, Subject] = {
    "notes": notes.SUBJECT,
    "configurations": configurations.SUBJECT,
    "opportunities": opportunities.SUBJECT,
    "user_defined_fields": user_defined_fields.SUBJECT,
    "schedule_entries": schedule.SUBJECT,
}
