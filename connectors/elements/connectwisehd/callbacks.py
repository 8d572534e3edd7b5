"""Which resources of the helpdesk hub the callbacks of ConnectWise tell of."""

from __future__ import annotations

from types import MappingProxyType

from connectors.vendors.connectwise_callbacks import ConnectWiseCallbacks

CALLBACKS = ConnectWiseCallbacks(
    element_key="connectwisehd",
    server_url_key="helpdesk.connectwise.server.url",
    company_key="helpdesk.connectwise.company",
    # Also what is registered unless an instance says otherwise.
    object_types=MappingProxyType(
        {"ticket": "incidents", "company": "organizations", "contact": "contacts", "time": "time-entries"}
    ),
)
