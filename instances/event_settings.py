"""The event settings: which key of the flat configuration lives in which column, and the way there and back.

Everything else of a configuration is kept encrypted by `configuration`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Any
from urllib.parse import urlsplit

import orjson
from django.conf import settings

from connectors import configuration_entries as keys
from connectors import egress
from connectors.callbacks import InvalidCallbackTypes
from connectors.element import POLLING, WEBHOOK, Element
from connectors.errors import DestinationRefused
from instances import retry_schedules, signing_keys
from instances.errors import InvalidRequest
from instances.models import Instance
from instances.signing_keys import SigningKey

MASK = "********"
"""What stands for a stored secret in every answer; sent back, it keeps the secret."""
LONGEST_URL = 2000
LONGEST_KEY = 1000
# The column holds three decimals and nine digits before them. Longer intervals are accepted and mean this one.
INTERVAL_STEP = Decimal("0.001")
LONGEST_INTERVAL = Decimal("999999999")

OVERLAP_HOURS = 24
LONGEST_OVERLAP_HOURS = 720

_BOOLEANS = {"true": True, "yes": True, "false": False, "no": False}
_NUMBER = re.compile(r"[0-9]{1,40}(\.[0-9]{1,40})?")
_HOURS = re.compile(r"[0-9]{1,4}")
_METHODS = {"polling": POLLING, "webhook": WEBHOOK, "webhooks": WEBHOOK}
_EVENTS_PATH = "/elements/api-v2/events/"
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One event setting.

    `parse(key, value, element)` takes what was sent (None and "" mean unset) and raises InvalidRequest naming the
    key; `show` gives the column's text on the wire, masked where it is a secret.
    """

    key: str
    column: str
    parse: Callable[[str, object, Element], Any]
    show: Callable[[Any], str | None]


def is_own_events_url(url: str) -> bool:
    """Whether a callback URL is our own receiver. Guides tell clients to send it; nothing is ever sent there."""
    try:
        there, here = urlsplit(url), urlsplit(settings.PUBLIC_URL)
        port = there.port or {"http": 80, "https": 443}.get(there.scheme)
        public_port = here.port or {"http": 80, "https": 443}.get(here.scheme)
    except ValueError:
        return False
    if not re.sub("/+", "/", there.path + "/").startswith(_EVENTS_PATH):
        return False
    is_public = there.hostname == here.hostname and port == public_port
    return is_public or (there.hostname in _LOOPBACK_NAMES and port == settings.PORT)


def text_of(value: object) -> str | None:
    """Any JSON value as the text that configurations are made of."""
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value).decode()


def _boolean(default: bool) -> Callable[[str, object, Element], bool]:
    def parse(key: str, value: object, element: Element) -> bool:
        if value is None or value == "":
            return default
        if isinstance(value, bool):
            return value
        known = _BOOLEANS.get(value.strip().lower()) if isinstance(value, str) else None
        if known is None:
            raise InvalidRequest(f"{key}: send true or false")
        return known

    return parse


def _callback_url(key: str, value: object, element: Element) -> str:
    if value is None or value == "":
        return ""
    if not isinstance(value, str):
        raise InvalidRequest(f"{key}: send an http or https URL")
    url = value.strip()
    if len(url) > LONGEST_URL:
        raise InvalidRequest(f"{key}: the URL is longer than {LONGEST_URL} characters")
    if not is_own_events_url(url):
        try:
            egress.check_url(url)
        except DestinationRefused as refused:
            raise InvalidRequest(f"{key}: {refused}") from refused
    return url


def _signing_keys(key: str, value: object, element: Element) -> str:
    if value is None or value == "":
        return ""
    if not isinstance(value, str):
        raise InvalidRequest(f"{key}: send the key as a string")
    if len(value) > LONGEST_KEY:
        raise InvalidRequest(f"{key}: the key is longer than {LONGEST_KEY} characters")
    return signing_keys.stored([SigningKey(value)])


def _method(key: str, value: object, element: Element) -> str:
    if value is None or value == "":
        return default_method(element)
    method = _METHODS.get(value.strip().lower()) if isinstance(value, str) else None
    if method is None or method not in element.event_methods:
        raise InvalidRequest(
            f"{key}: {element.key} notices changes by {' or '.join(element.event_methods) or 'no way'}"
        )
    return method


def default_method(element: Element) -> str:
    return element.event_methods[0] if element.event_methods else ""


def _interval(key: str, value: object, element: Element) -> Decimal:
    if value is None or value == "":
        return Decimal(15)
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        minutes = Decimal(value.strip())
    elif isinstance(value, int | float) and not isinstance(value, bool):
        minutes = Decimal(repr(value))  # JSON knows neither NaN nor Infinity
    else:
        raise InvalidRequest(f"{key}: send a number of minutes, such as 15 or 0.5")
    minutes = max(Decimal(0), min(minutes, LONGEST_INTERVAL)).quantize(INTERVAL_STEP, rounding=ROUND_CEILING)
    if minutes * 60 < Decimal(repr(settings.POLL_INTERVAL_FLOOR)):
        raise InvalidRequest(f"{key}: the shortest interval here is {settings.POLL_INTERVAL_FLOOR:g} seconds")
    return minutes


def _poller_configuration(key: str, value: object, element: Element) -> object:
    """As it was sent; `configuration.pollers` says whether it holds."""
    return None if value is None or (isinstance(value, str) and not value.strip()) else value


def _callback_types(key: str, value: object, element: Element) -> str:
    if value is None or value == "":
        return ""
    if not isinstance(value, str):
        raise InvalidRequest(f"{key}: send a text, such as ticket, company")
    if element.callbacks is None:
        raise InvalidRequest(f"{key}: {element.key} gets no callbacks from its provider")
    try:
        element.callbacks.wanted(value)
    except InvalidCallbackTypes as error:
        raise InvalidRequest(f"{key}: {error}") from error
    return value.strip()


def _one_of(default: str, *others: str) -> Callable[[str, object, Element], str]:
    def parse(key: str, value: object, element: Element) -> str:
        if value is None or value == "":
            return default
        word = value.strip().lower() if isinstance(value, str) else value
        if word not in (default, *others):
            raise InvalidRequest(f"{key}: send {' or '.join((default, *others))}")
        return str(word)

    return parse


def _retry_schedule(key: str, value: object, element: Element) -> str:
    """Empty where the account's holds."""
    return "" if value is None or value == "" else retry_schedules.parse(key, value)


def _overlap_hours(key: str, value: object, element: Element) -> int:
    if value is None or value == "":
        return OVERLAP_HOURS
    hours = int(value) if isinstance(value, str) and _HOURS.fullmatch(value.strip()) else value
    if not isinstance(hours, int) or isinstance(hours, bool) or not 0 <= hours <= LONGEST_OVERLAP_HOURS:
        raise InvalidRequest(f"{key}: send whole hours from 0 to {LONGEST_OVERLAP_HOURS}; 0 ends the old key at once")
    return hours


def _show_boolean(value: bool) -> str:
    return "true" if value else "false"


def _show_interval(minutes: Decimal) -> str:
    return f"{minutes.normalize():f}"


def _show_text(value: str) -> str | None:
    return value or None


def _show_secret(value: str) -> str | None:
    return MASK if value else None


SETTINGS: tuple[Setting, ...] = (
    Setting(key=keys.FILTER_NULLS, column="filters_nulls", parse=_boolean(True), show=_show_boolean),
    Setting(key=keys.EVENTS_ENABLED, column="is_events_enabled", parse=_boolean(False), show=_show_boolean),
    Setting(key=keys.CALLBACK_URL, column="callback_url", parse=_callback_url, show=_show_text),
    Setting(key=keys.SIGNATURE_KEY, column="signing_keys_encrypted", parse=_signing_keys, show=_show_secret),
    Setting(key=keys.VENDOR_TYPE, column="event_method", parse=_method, show=_show_text),
    Setting(key=keys.REFRESH_INTERVAL, column="poll_interval_minutes", parse=_interval, show=_show_interval),
    Setting(key=keys.POLLER_CONFIGURATION, column="poller_configuration", parse=_poller_configuration, show=text_of),
    Setting(key=keys.CALLBACK_TYPES, column="callback_types", parse=_callback_types, show=_show_text),
    Setting(
        key=keys.UNSIGNED_CALLBACKS, column="accepts_unsigned_callbacks", parse=_boolean(False), show=_show_boolean
    ),
    Setting(
        key=keys.NOTIFICATION_RAW,
        column="raw_in_notifications",
        parse=_one_of(Instance.OWN, Instance.FULL),
        show=_show_text,
    ),
    Setting(key=keys.RETRY_SCHEDULE, column="retry_schedule", parse=_retry_schedule, show=_show_text),
    Setting(
        key=keys.ORDERING,
        column="notification_ordering",
        parse=_one_of(Instance.NO_ORDER, Instance.BY_OBJECT),
        show=_show_text,
    ),
    Setting(key=keys.SIGNATURE_OVERLAP, column="signing_overlap_hours", parse=_overlap_hours, show=str),
    Setting(
        key=keys.LEGACY_SIGNATURE,
        column="legacy_signature_key",
        parse=_one_of(Instance.NEW, Instance.OLD),
        show=_show_text,
    ),
)
