"""What an instance's page shows of polling."""

from __future__ import annotations

from instances.console import tabs

tabs.add(
    tabs.Tab(
        name="pollers",
        label="Pollers",
        order=40,
        url=tabs.list_of(page="polling_pollcursor_changelist", lookup="instance"),
    )
)
