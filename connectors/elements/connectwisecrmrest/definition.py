"""ConnectWise PSA through its REST API: contacts, tickets and companies under the hub `crm`, events by polling."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from connectors.element import POLLING, ConfigField, Element, Field, FieldType, Resource
from connectors.elements.connectwisecrmrest.client import Client

_STAMP = {"Field": "_info.lastUpdated", "Format": "yyyy-MM-dd'T'HH:mm:ss'Z'", "Timezone": "GMT"}


def _fields(*, numbers: str = "", booleans: str = "", datetimes: str = "") -> tuple[Field, ...]:
    """Beyond these, every `id` is a number, every `...Flag` a boolean, `lastUpdated` and `dateEntered` are dates."""
    types: dict[str, FieldType] = {"id": "number", "lastUpdated": "datetime", "_info.lastUpdated": "datetime"}
    types |= dict.fromkeys(numbers.split(), "number")
    types |= dict.fromkeys(booleans.split(), "boolean")
    types |= dict.fromkeys(datetimes.split(), "datetime")
    return tuple(Field(name=name, type=field_type) for name, field_type in types.items())


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
    fields=_fields(
        numbers="id company.id site.id portalSecurityLevel defaultMergeContactId",
        booleans="ignoreDuplicates inactiveFlag marriedFlag childrenFlag disablePortalLoginFlag unsubscribeFlag "
        "defaultBillingFlag defaultFlag",
        datetimes="birthDay anniversary",
    ),
    child_fields=MappingProxyType(
        {
            # Contacts have no field for it: addresses are items of a list, among phone and fax numbers.
            "email": (
                'communicationItems/communicationType = "Email" and communicationItems/value {test}',
                "communicationItems",
            )
        }
    ),
)

INCIDENTS = Resource(
    name="incidents",
    path="/service/tickets",
    fields=_fields(
        numbers="id company.id board.id status.id priority.id priority.sort budgetHours actualHours "
        "estimatedExpenseCost estimatedExpenseRevenue estimatedProductCost estimatedProductRevenue "
        "estimatedTimeCost estimatedTimeRevenue resolveMinutes respondMinutes resPlanMinutes parentTicketId "
        "duration knowledgeBaseCategoryId knowledgeBaseSubCategoryId knowledgeBaseLinkId minutesBeforeWaiting "
        "minutesWaiting locationId businessUnitId",
        booleans="approved closedFlag customerUpdatedFlag allowAllClientsPortalView automaticEmailContactFlag "
        "automaticEmailResourceFlag automaticEmailCcFlag isInSla hasChildTicket hasMergedChildTicketFlag "
        "requestForChangeFlag",
        datetimes="dateEntered _info.dateEntered requiredDate closedDate dateResolved dateResplan dateResponded "
        "estimatedStartDate",
    ),
)

ORGANIZATIONS = Resource(
    name="organizations",
    path="/company/companies",
    fields=_fields(
        numbers="id status.id annualRevenue numberOfEmployees yearEstablished revenueYear",
        booleans="deletedFlag leadFlag unsubscribeFlag isVendorFlag",
        datetimes="dateEntered _info.dateEntered dateAcquired dateDeleted",
    ),
)

ELEMENT = Element(
    key="connectwisecrmrest",
    id=3012,
    name="ConnectWise REST",
    description="Contacts, service tickets and companies of ConnectWise PSA (Manage), with events by polling.",
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
    resources=(CONTACTS, INCIDENTS, ORGANIZATIONS),
    client=Client,
    event_methods=(POLLING,),
    poller_configuration=MappingProxyType({name: _polled(name) for name in ("contacts", "incidents", "organizations")}),
    logo="elements/provider_connectwise.png",
)
