"""ConnectWise PSA as a help desk: contacts, incidents, organizations and time entries, events by callbacks."""

from __future__ import annotations

from types import MappingProxyType

from connectors.element import EVERYTHING, POLLING, WEBHOOK, ConfigField, Element, Resource
from connectors.elements.connectwisehd.callbacks import CALLBACKS
from connectors.elements.connectwisehd.client import Client
from connectors.elements.connectwisehd.examples import EXAMPLES
from connectors.elements.connectwisehd.tables import TABLES
from connectors.vendors.connectwise_objects import VENDOR_OBJECTS

_DATES = {
    f"{which}Date{part}": value
    for which in ("updated", "created")
    for part, value in {"Field": "lastUpdated", "Format": "yyyy-MM-dd'T'HH:mm:ss'Z'", "Timezone": "GMT"}.items()
}
_PATHS = {
    "contacts": "/company/contacts",
    "incidents": "/service/tickets",
    "organizations": "/company/companies",
    "time-entries": "/time/entries",
}
_POLLED = ("contacts", "organizations", "incidents", "time-entries")


def _resource(name: str) -> Resource:
    table = TABLES[name]
    return Resource(
        name=name,
        path=_PATHS[name],
        operations=EVERYTHING,
        fields=table.fields(),
        has_own_names=True,
        child_fields=MappingProxyType(table.child_fields()),
    )


_COMMENTS = Resource(
    name="comments",
    parent="incidents",
    path="/service/tickets/{parent}/notes",
    operations=frozenset({"list", "get", "create", "update"}),
    created_by=frozenset({"POST", "PUT"}),
    fields=TABLES["incidents/comments"].fields(),
    has_own_names=True,
)


ELEMENT = Element(
    key="connectwisehd",
    id=142,
    name="ConnectWise Help Desk",
    description="Contacts, tickets, companies and time entries of ConnectWise PSA (Manage), with events by callbacks.",
    hub="helpdesk",
    fields=(
        ConfigField(
            key="helpdesk.connectwise.server.url",
            label="Server URL",
            description="The address of your ConnectWise, such as https://api-na.myconnectwise.net. "
            "What follows the host is ignored.",
            type="TEXTFIELD_1000",
            required=True,
            identifies_account=True,
            is_url=True,
        ),
        ConfigField(
            key="helpdesk.connectwise.company",
            label="Company",
            description="The company id that you type when you sign in to ConnectWise.",
            required=True,
            identifies_account=True,
        ),
        ConfigField(
            key="helpdesk.connectwise.username",
            label="User Name",
            description="The user name of an integrator login, or the public half of an API key pair.",
            required=True,
        ),
        ConfigField(
            key="helpdesk.connectwise.password",
            label="Password",
            description="The password of the integrator login, or the private half of the API key pair.",
            type="PASSWORD",
            required=True,
            secret=True,
        ),
        ConfigField(
            key="helpdesk.connectwise.wsdl.path",
            label="WSDL Path",
            description="Kept for clients that send it. ConnectWise has retired SOAP, so it changes nothing.",
        ),
        ConfigField(
            key="connectwise.clientID",
            label="ConnectWise Client ID",
            description="The client id of your integration, from developer.connectwise.com. The cloud asks for one; "
            "leave it empty where this platform brings its own.",
        ),
    ),
    resources=(*map(_resource, _PATHS), _COMMENTS),
    client=Client,
    vendor_objects=VENDOR_OBJECTS,
    reads_vendor_paths=True,
    event_methods=(WEBHOOK, POLLING),
    callbacks=CALLBACKS,
    poller_configuration=MappingProxyType(
        {
            name: {
                "url": f"/hubs/helpdesk/{name}?where=lastUpdated>='${{gmtDate:yyyy-MM-dd'T'HH:mm:ss'Z'}}'",
                "idField": "id",
                "datesConfiguration": _DATES,
            }
            for name in _POLLED
        }
    ),
    examples=MappingProxyType(EXAMPLES),
    logo="elements/provider_connectwise.png",
)
