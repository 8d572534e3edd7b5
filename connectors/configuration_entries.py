"""The configuration of an element as one list: its own provider fields, then what every element has.

The catalogue, `/configuration` of an instance and the console's form are all built from `entries_of`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from connectors.element import WEBHOOK, Element, EntryType

IDS_PER_ELEMENT = 100
# The common entries keep their ids when an element gains a field of its own.
_FIRST_COMMON_POSITION = 50

FILTER_NULLS = "filter.response.nulls"
EVENTS_ENABLED = "event.notification.enabled"
CALLBACK_URL = "event.notification.callback.url"
SIGNATURE_KEY = "event.notification.signature.key"
NOTIFICATION_TYPE = "event.notification.type"
NOTIFICATION_RAW = "event.notification.raw"
RETRY_SCHEDULE = "event.notification.retry.schedule"
ORDERING = "event.notification.ordering"
SIGNATURE_OVERLAP = "event.notification.signature.overlap.hours"
LEGACY_SIGNATURE = "event.notification.signature.legacy"
SUBSCRIPTION_ID = "event.notification.subscription.id"
VENDOR_TYPE = "event.vendor.type"
CALLBACK_TYPES = "event.callback.types"
UNSIGNED_CALLBACKS = "event.callback.unsigned"
REFRESH_INTERVAL = "event.poller.refresh_interval"
POLLER_CONFIGURATION = "event.poller.configuration"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationEntry:
    """One entry as the catalogue shows it. Defaults are text on the wire, or None."""

    id: int
    key: str
    name: str
    description: str
    type: EntryType
    required: bool = False
    secret: bool = False
    default_value: str | None = None
    display_order: int
    hide_from_console: bool = False


def entries_of(element: Element) -> tuple[ConfigurationEntry, ...]:
    """Every entry of the element, in the order in which people see them.

    The ids are `element.id * 100 + position`: unique over all elements, and the same after every start.
    """
    first_id = element.id * IDS_PER_ELEMENT
    own = [
        ConfigurationEntry(
            id=first_id + position,
            key=field.key,
            name=field.label,
            description=field.description,
            type=field.type,
            required=field.required,
            secret=field.secret,
            default_value=field.default,
            display_order=position,
        )
        for position, field in enumerate(element.fields, start=1)
    ]
    return tuple(sorted((*own, *_common_entries(element)), key=lambda entry: entry.display_order))


def _common_entries(element: Element) -> list[ConfigurationEntry]:
    first_id = element.id * IDS_PER_ELEMENT + _FIRST_COMMON_POSITION
    entries = [
        ConfigurationEntry(
            id=first_id,
            key=FILTER_NULLS,
            name="Filter null values from the response",
            description="Leave keys whose value is null out of records, at every depth.",
            type="BOOLEAN",
            default_value="true",
            display_order=99,
        ),
        ConfigurationEntry(
            id=first_id + 1,
            key=EVENTS_ENABLED,
            name="Events Enabled",
            description="Notice changes at the provider and send them to the callback URL.",
            type="BOOLEAN",
            default_value="false",
            display_order=100,
        ),
        ConfigurationEntry(
            id=first_id + 2,
            key=CALLBACK_URL,
            name="Event Notification Callback URL",
            description="Where notifications are sent, as an http or https URL. Without it, events are only kept.",
            type="TEXTFIELD_1000",
            display_order=101,
        ),
        ConfigurationEntry(
            id=first_id + 3,
            key=SIGNATURE_KEY,
            name="Callback Notification Signature Key",
            description="A key of your own: with it, every notification is signed, so that you can see it is ours.",
            type="PASSWORD",
            secret=True,
            display_order=102,
        ),
        ConfigurationEntry(
            id=first_id + 6,
            key=VENDOR_TYPE,
            name="Event Type",
            description=f"How changes are noticed: {' or '.join(element.event_methods)}.",
            type="TEXTFIELD_32",
            default_value=element.event_methods[0] if element.event_methods else None,
            display_order=105,
            hide_from_console=len(element.event_methods) < 2,
        ),
        ConfigurationEntry(
            id=first_id + 7,
            key=NOTIFICATION_RAW,
            name="Records in a notification",
            description="'own': raw carries the records that the notification is about. "
            "'full': it carries every record of the page they came on, as the original platform did.",
            type="TEXTFIELD_32",
            default_value="own",
            display_order=106,
        ),
        ConfigurationEntry(
            id=first_id + 8,
            key=NOTIFICATION_TYPE,
            name="Event Notification Type",
            description="How notifications leave: by webhook, which is the only way.",
            type="TEXTFIELD_32",
            default_value="webhook",
            display_order=107,
            hide_from_console=True,
        ),
        ConfigurationEntry(
            id=first_id + 9,
            key=SUBSCRIPTION_ID,
            name="Event Notification Subscription Id",
            description="The provider's id of our callback, kept by the platform; what you send here is passed over.",
            type="TEXTFIELD_128",
            display_order=108,
            hide_from_console=True,
        ),
        ConfigurationEntry(
            id=first_id + 12,
            key=RETRY_SCHEDULE,
            name="Retry schedule",
            description="When failed notifications are sent again: elements-9, sap-5, standard-webhooks, or seconds "
            "after the first failure, such as 10,60,600. Empty: as the account's settings say.",
            type="TEXTFIELD_1000",
            display_order=111,
        ),
        ConfigurationEntry(
            id=first_id + 13,
            key=ORDERING,
            name="Order of notifications",
            description="'none': each is sent as soon as it can be. 'object': a change of a record waits until the "
            "changes of the same record before it have been delivered.",
            type="TEXTFIELD_32",
            default_value="none",
            display_order=112,
        ),
        ConfigurationEntry(
            id=first_id + 14,
            key=SIGNATURE_OVERLAP,
            name="Signature key overlap (hours)",
            description="How long a signature key that you have replaced still signs beside the new one.",
            type="TEXTFIELD_32",
            default_value="24",
            display_order=113,
        ),
        ConfigurationEntry(
            id=first_id + 15,
            key=LEGACY_SIGNATURE,
            name="Key of the older signature during the overlap",
            description="Elements-Webhook-Signature has room for one key: 'new', or 'old' for the one you replaced.",
            type="TEXTFIELD_32",
            default_value="new",
            display_order=114,
        ),
    ]
    if WEBHOOK in element.event_methods:
        entries += [
            ConfigurationEntry(
                id=first_id + 10,
                key=CALLBACK_TYPES,
                name="Callback Types",
                description="What the provider is asked to tell us about, comma-separated. "
                "Empty: what this element asks for by default.",
                type="TEXTFIELD_1000",
                display_order=109,
            ),
            ConfigurationEntry(
                id=first_id + 11,
                key=UNSIGNED_CALLBACKS,
                name="Accept unsigned callbacks",
                description="Believe callbacks that carry no signature. Anybody who knows or guesses the address can "
                "then invent events: for simulating them, and for providers too old to sign.",
                type="BOOLEAN",
                default_value="false",
                display_order=110,
            ),
        ]
    if element.poller_configuration:
        entries += [
            ConfigurationEntry(
                id=first_id + 4,
                key=REFRESH_INTERVAL,
                name="Event poller refresh interval (mins)",
                description="How often the provider is asked for changes, in minutes. Decimals are fine.",
                type="TEXTFIELD_32",
                default_value="15",
                display_order=103,
            ),
            ConfigurationEntry(
                id=first_id + 5,
                key=POLLER_CONFIGURATION,
                name="Configure Polling",
                description="Which resources are polled and how, as JSON: one member for each resource.",
                type="TEXTAREA",
                default_value=json.dumps(dict(element.poller_configuration)),
                display_order=104,
            ),
        ]
    return entries
