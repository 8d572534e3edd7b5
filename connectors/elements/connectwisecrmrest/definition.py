"""ConnectWise PSA through its REST API, under the hub `crm` and in its own words, with events by polling."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from connectors.element import EVERYTHING, POLLING, ConfigField, Element, Resource
from connectors.elements.connectwisecrmrest import fields
from connectors.elements.connectwisecrmrest.client import Client
from connectors.elements.connectwisecrmrest.examples import EXAMPLES
from connectors.vendors.connectwise_objects import VENDOR_OBJECTS

_STAMP = {"Field": "_info.lastUpdated", "Format": "yyyy-MM-dd'T'HH:mm:ss'Z'", "Timezone": "GMT"}


def _polled(resource: str) -> dict[str, Any]:
    # Contacts have no date of creation, so both dates are the same field: what was created is known by its id.
    return {
        "url": f"/hubs/crm/{resource}?where=lastUpdated>'${{gmtDate:yyyy-MM-dd'T'HH:mm:ss'Z'}}'",
        "idField": "id",
        "datesConfiguration": {
            f"{which}Date{part}": value for which in ("updated", "created") for part, value in _STAMP.items()
        },
    }


CONTACTS = Resource(
    name="contacts",
    path="/company/contacts",
    operations=EVERYTHING,
    fields=fields.CONTACTS,
    # Contacts have no fields for these: they are items of one list.
    child_fields=MappingProxyType(
        {
            name: (
                f'communicationItems/communicationType = "{kind}" and communicationItems/value {{test}}',
                "communicationItems",
            )
            for name, kind in {"email": "Email", "phone": "Phone", "fax": "Fax"}.items()
        }
    ),
)

ORGANIZATIONS = Resource(
    name="organizations", path="/company/companies", operations=EVERYTHING, fields=fields.ORGANIZATIONS
)

INCIDENTS = Resource(name="incidents", path="/service/tickets", operations=EVERYTHING, fields=fields.INCIDENTS)

COMMENTS = Resource(
    name="comments",
    path="/service/tickets/{parent}/notes",
    parent="incidents",
    operations=frozenset({"list", "get", "create", "update", "delete"}),
    fields=fields.COMMENTS,
)

ATTACHED_CONFIGURATIONS = Resource(
    name="configurations",
    path="/service/tickets/{parent}/configurations",
    parent="incidents",
    operations=frozenset({"list", "create"}),
    created_by=frozenset({"PUT"}),
    fields=fields.ATTACHED_CONFIGURATIONS,
)

TIME_ENTRIES_OF_INCIDENT = Resource(
    name="time-entries",
    path="/time/entries",
    parent="incidents",
    of_parent=MappingProxyType({"chargeToId": "{parent}", "chargeToType": "ServiceTicket"}),
    operations=frozenset({"list"}),
    fields=fields.TIME_ENTRIES,
)

MEMBERS = Resource(
    name="members",
    path="/schedule/entries",
    parent="incidents",
    # S is ConnectWise's word for an entry that belongs to a service ticket.
    of_parent=MappingProxyType({"objectId": "{parent}", "type.identifier": "S"}),
    operations=frozenset({"create"}),
    fields=fields.MEMBERS,
)

CONFIGURATIONS = Resource(
    name="configurations",
    path="/company/configurations",
    operations=frozenset({"list", "get", "create", "delete"}),
    fields=fields.CONFIGURATIONS,
)

OPPORTUNITIES = Resource(
    name="opportunities", path="/sales/opportunities", operations=EVERYTHING, fields=fields.OPPORTUNITIES
)

TIME_ENTRIES = Resource(
    name="time-entries",
    path="/time/entries",
    operations=frozenset({"list", "get", "create", "delete"}),
    fields=fields.TIME_ENTRIES,
)

FIELDS = Resource(
    name="fields", path="/system/userDefinedFields", operations=EVERYTHING, fields=fields.USER_DEFINED_FIELDS
)

ELEMENT = Element(
    key="connectwisecrmrest",
    id=3012,
    name="ConnectWise REST",
    description="Contacts, companies, service tickets and more of ConnectWise PSA (Manage), with events by polling.",
    hub="crm",
    fields=(
        ConfigField(
            key="baseUrl",
            label="ConnectWise URL",
            description="The address of your ConnectWise API, complete up to /apis/3.0, as in "
            "https://api-na.myconnectwise.net/v4_6_release/apis/3.0. Cloud hosts begin with api-.",
            type="TEXTFIELD_1000",
            required=True,
            aliases=("baseURL",),
            identifies_account=True,
            is_url=True,
        ),
        ConfigField(
            key="company",
            label="Company",
            description="The company id that you type when you sign in to ConnectWise.",
            required=True,
            identifies_account=True,
        ),
        ConfigField(
            # Not a part of the account: new keys for the same company must not make polling start over.
            key="public.key",
            label="Public Key",
            description="The public half of an API key pair, from the API Keys tab of a member in ConnectWise.",
            required=True,
        ),
        ConfigField(
            key="private.key",
            label="Private Key",
            description="The private half of the pair. ConnectWise shows it once, when the pair is made.",
            type="PASSWORD",
            required=True,
            secret=True,
        ),
        ConfigField(
            key="connectwise.clientID",
            label="ConnectWise Client ID",
            description="The client id of your integration, from developer.connectwise.com. The cloud asks for one; "
            "leave it empty where this platform brings its own.",
        ),
    ),
    resources=(
        CONTACTS,
        INCIDENTS,
        COMMENTS,
        ATTACHED_CONFIGURATIONS,
        TIME_ENTRIES_OF_INCIDENT,
        MEMBERS,
        ORGANIZATIONS,
        CONFIGURATIONS,
        OPPORTUNITIES,
        TIME_ENTRIES,
        FIELDS,
    ),
    vendor_objects=VENDOR_OBJECTS,
    reads_vendor_paths=True,
    client=Client,
    event_methods=(POLLING,),
    poller_configuration=MappingProxyType({name: _polled(name) for name in ("contacts", "incidents", "organizations")}),
    examples=MappingProxyType(EXAMPLES),
    logo="elements/provider_connectwise.png",
)
