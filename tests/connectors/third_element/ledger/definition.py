"""The address book of Ledger, a small accounting service: people under the hub `finance`, events by polling."""

from __future__ import annotations

from types import MappingProxyType

from connectors.element import EVERYTHING, POLLING, ConfigField, Element, Field, Resource

from .client import Client

PEOPLE = Resource(
    name="people",
    path="/people",
    operations=EVERYTHING,
    has_own_names=True,
    fields=(
        Field(name="id", provider_name="key", is_read_only=True),
        Field(name="name", provider_name="fullName", is_required=True, longest=80),
        Field(name="city", provider_name="town"),
        Field(name="createdAt", type="datetime", provider_name="made", is_read_only=True),
        Field(name="changedAt", type="datetime", provider_name="changed", is_read_only=True),
    ),
)

_FORMAT = {"Format": "yyyy-MM-dd'T'HH:mm:ss'Z'", "Timezone": "GMT"}

ELEMENT = Element(
    key="ledger",
    id=9001,
    name="Ledger",
    description="The people in the address book of Ledger, with events by polling.",
    hub="finance",
    fields=(
        ConfigField(
            key="ledger.url",
            label="Address",
            description="Where your Ledger is, such as https://ledger.example.",
            required=True,
            identifies_account=True,
            is_url=True,
        ),
        ConfigField(
            key="ledger.secret",
            label="Secret",
            description="The secret that Ledger shows under Settings.",
            type="PASSWORD",
            required=True,
            secret=True,
        ),
    ),
    resources=(PEOPLE,),
    client=Client,
    event_methods=(POLLING,),
    poller_configuration=MappingProxyType(
        {
            "people": {
                "url": "/hubs/finance/people?where=changedAt>='${gmtDate:yyyy-MM-dd'T'HH:mm:ss'Z'}'",
                "idField": "id",
                "datesConfiguration": {
                    f"{which}Date{part}": value
                    for which, name in (("updated", "changedAt"), ("created", "createdAt"))
                    for part, value in {"Field": name, **_FORMAT}.items()
                },
            }
        }
    ),
)
