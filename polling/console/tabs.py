"""What an instance's page shows of polling."""

from __future__ import annotations

from django.urls import reverse

from instances.console import tabs
from instances.models import Instance


def _trace(instance: Instance) -> str:
    return reverse("admin:instance_trace", args=[instance.pk])


tabs.add(
    tabs.Tab(
        name="pollers",
        label="Pollers",
        order=40,
        url=tabs.list_of(page="polling_pollcursor_changelist", lookup="instance"),
    )
)
tabs.add(tabs.Tab(name="trace", label="Trace", order=70, url=_trace))
tabs.add(
    tabs.Tab(name="jobs", label="Jobs", order=80, url=tabs.list_of(page="polling_job_changelist", lookup="instance"))
)
tabs.add(
    tabs.Tab(
        name="bulk",
        label="Bulk downloads",
        order=90,
        url=tabs.list_of(page="polling_bulkquery_changelist", lookup="instance"),
    )
)
