"""An instance's configuration: the flat mapping of the API, parsed, merged, masked, and turned into values to use."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from dataclasses import replace as with_changes
from typing import Any

import orjson

from connectors import configuration_entries as keys
from connectors import poller
from connectors.connection import Connection, origin
from connectors.element import WEBHOOK, Element
from connectors.poller import ResourcePoller
from connectors.transformation_requests import StoredTransformations
from connectors.transformations import Transformation
from instances import signing_keys
from instances.encryption import KeyMissing, decrypt_json, encrypt_json
from instances.errors import InvalidRequest
from instances.event_settings import MASK, SETTINGS, is_own_events_url, text_of
from instances.models import Instance

__all__ = ["MASK", "connection_of", "is_own_events_url", "pollers_of", "shown"]

LEGACY_POLLER_URLS = "event.poller.urls"
POLLED_OBJECTS = "event.objects"
_SETTING_OF = {setting.key: setting for setting in SETTINGS}
# Kept by the platform: what clients send back of it is passed over.
_READ_ONLY = frozenset({keys.SUBSCRIPTION_ID})
_SECRET_KEYS = frozenset({"oauth.api.key", "oauth.api.secret"})
_SECRET_WORD = re.compile(r"(password|passwd|passphrase|secret|token|credentials?|private[._-]?key)$", re.IGNORECASE)
# Ids of entries that no element declares lie above all declared ones.
_FIRST_UNDECLARED_ID = 10_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """A configuration as a value, secrets in clear."""

    element: Element
    columns: Mapping[str, Any] = field(repr=False)
    """The event settings, by column of Instance."""
    entries: Mapping[str, str | None] = field(repr=False)
    """Everything else: the element's own entries and whatever keys clients sent besides."""
    transformations: Mapping[str, Transformation] = field(default_factory=dict, repr=False)
    """Not set by keys: what the instance has under names of its own, since pollers may read it."""

    def connection(self) -> Connection:
        return _connection(self.element, self.entries, self.columns["filters_nulls"], self.transformations)

    def pollers(self) -> dict[str, ResourcePoller]:
        """What is polled, by name. Raises InvalidRequest.

        Where changes come by callbacks, it is what these may lose: resources of which every change is wanted.
        """
        source: object = self.columns["poller_configuration"]
        if source is None:
            source = self.entries.get(LEGACY_POLLER_URLS) or self.default_pollers()
        if not source:
            return {}
        try:
            pollers = poller.parse(source, element=self.element, transformations=self.transformations)
        except poller.InvalidPollerConfiguration as error:
            raise InvalidRequest(str(error)) from error
        wanted = {name.strip() for name in (self.entries.get(POLLED_OBJECTS) or "").split(",")} - {""}
        if unknown := sorted(wanted - pollers.keys()):
            raise InvalidRequest(f"{POLLED_OBJECTS}: {unknown[0][:100]} is not polled; {', '.join(pollers)} are")
        return {name: one for name, one in pollers.items() if not wanted or name in wanted}

    def default_pollers(self) -> Mapping[str, Any]:
        """What holds as long as no poller configuration was sent."""
        pollers, callbacks = self.element.poller_configuration, self.element.callbacks
        if self.columns["event_method"] != WEBHOOK or callbacks is None:
            return pollers
        covered = callbacks.covered_resources(callbacks.wanted(self.columns["callback_types"]))
        return {name: one for name, one in pollers.items() if name in covered}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownEntry:
    """One entry of an instance's configuration as the API shows it."""

    id: int
    key: str
    name: str
    value: str | None
    is_required: bool


def blank(element: Element) -> Configuration:
    """The configuration of an instance for which nothing was sent."""
    columns = {setting.column: setting.parse(setting.key, None, element) for setting in SETTINGS}
    return Configuration(element=element, columns=columns, entries={})


def configuration_of(instance: Instance) -> Configuration:
    return Configuration(
        element=instance.element,
        columns={setting.column: getattr(instance, setting.column) for setting in SETTINGS},
        entries=decrypt_json(instance.configuration_encrypted) or {},
        transformations=StoredTransformations(instance.transformations),
    )


def readable_part(instance: Instance) -> Configuration:
    """The same, without what the keyring has lost the key of: credentials, signature keys, or both."""
    columns = {setting.column: getattr(instance, setting.column) for setting in SETTINGS}
    try:
        signing_keys.read(instance.signing_keys_encrypted)
    except KeyMissing:
        columns["signing_keys_encrypted"] = ""
    try:
        entries = decrypt_json(instance.configuration_encrypted) or {}
    except KeyMissing:
        entries = {}
    return Configuration(
        element=instance.element,
        columns=columns,
        entries=entries,
        transformations=StoredTransformations(instance.transformations),
    )


def merged(before: Configuration, sent: Mapping[str, object]) -> Configuration:
    """`before` with what was sent laid over it, key by key; the mask keeps what is stored.

    Raises InvalidRequest naming the key. What is required is asked for by `missing`.
    """
    columns, entries = dict(before.columns), dict(before.entries)
    own = {field.key: field for field in before.element.fields}
    for key, value in canonical(before.element, sent).items():
        if key == keys.POLLER_CONFIGURATION and _is_the_default_sent_back(before, value):
            continue
        if (setting := _SETTING_OF.get(key)) is not None:
            columns[setting.column] = setting.parse(key, value, before.element)
        elif key == keys.NOTIFICATION_TYPE and value not in (None, "", "webhook"):
            raise InvalidRequest(f"{key}: webhook is the only way in which notifications leave")
        elif key in own:
            if isinstance(value, dict | list):
                raise InvalidRequest(f"{key}: send text")
            text = text_of(value)
            entries[key] = text.strip() if text is not None and not own[key].secret else text
        else:
            entries[key] = text_of(value)
    return with_changes(before, columns=columns, entries=entries)


def _is_the_default_sent_back(before: Configuration, value: object) -> bool:
    """Of an instance that is told by callbacks. What is polled has to go on following `event.callback.types`."""
    if before.element.callbacks is None or before.columns[_SETTING_OF[keys.POLLER_CONFIGURATION].column] is not None:
        return False
    try:
        return (orjson.loads(value) if isinstance(value, str) else value) == dict(before.default_pollers())
    except orjson.JSONDecodeError:
        return False


def canonical(element: Element, sent: Mapping[str, object]) -> dict[str, object]:
    """What was sent, under the names that we store; without masks and without what only the platform writes."""
    alias_of = {alias: field.key for field in element.fields for alias in field.aliases}
    named = {alias_of[key]: value for key, value in sent.items() if key in alias_of}
    named |= {key: value for key, value in sent.items() if key not in alias_of}
    return {key: value for key, value in named.items() if value != MASK and key not in _READ_ONLY}


def missing(configuration: Configuration) -> list[str]:
    """The required keys that have no value."""
    return [
        field.key
        for field in configuration.element.fields
        if field.required and not (configuration.entries.get(field.key) or field.default)
    ]


def withheld_secrets(
    before: Configuration, after: Configuration, sent: Mapping[str, object]
) -> tuple[list[str], list[str]]:
    """A stored secret is sent to the account it was given for, nowhere else.

    Returns the keys by which this is another account now, and those of the secrets that have to be sent again for it.
    """
    moved = []
    for one in after.element.fields:
        old, new = before.entries.get(one.key) or "", after.entries.get(one.key) or ""
        if one.is_url:
            old, new = origin(old), origin(new)
        if (one.is_url or one.identifies_account) and old.casefold() != new.casefold():
            moved.append(one.key)
    named = canonical(after.element, sent)
    withheld = [
        one.key
        for one in after.element.fields
        if one.secret and not one.identifies_account and before.entries.get(one.key) and one.key not in named
    ]
    return moved, withheld if moved else []


def columns_of(configuration: Configuration) -> dict[str, Any]:
    """The columns of Instance that keep it."""
    return {
        **configuration.columns,
        "configuration_encrypted": encrypt_json(dict(configuration.entries)),
        "provider_account": configuration.connection().account(),
    }


def shown(instance: Instance) -> list[ShownEntry]:
    """Every entry of the element, then the keys that only this instance has. Secrets are masked. Raises KeyMissing."""
    return list(_shown(configuration_of(instance), subscription_id=instance.subscription_id))


def shown_part(instance: Instance) -> list[ShownEntry]:
    """The same of what can be read."""
    return list(_shown(readable_part(instance), subscription_id=instance.subscription_id))


def _shown(configuration: Configuration, *, subscription_id: str) -> Iterator[ShownEntry]:
    element, left = configuration.element, dict(configuration.entries)
    declared = keys.entries_of(element)
    for entry in declared:
        if (setting := _SETTING_OF.get(entry.key)) is not None:
            value = setting.show(configuration.columns[setting.column])
        elif entry.key == keys.SUBSCRIPTION_ID:
            value = subscription_id or None
        else:
            value = left.pop(entry.key, None)
            value = MASK if value and is_secret(element, entry.key) else value
        # The element's default polls nothing while the older form of the poller configuration is in force.
        is_overruled = entry.key == keys.POLLER_CONFIGURATION and configuration.entries.get(LEGACY_POLLER_URLS)
        if value is None and not is_overruled:
            value = entry.default_value
            if entry.key == keys.POLLER_CONFIGURATION:
                value = json.dumps(dict(configuration.default_pollers()))
        yield ShownEntry(id=entry.id, key=entry.key, name=entry.name, value=value, is_required=entry.required)
    # A webhook element declares no polling settings, yet clients send them and read them back.
    unset = blank(element).columns
    for setting in SETTINGS:
        value = configuration.columns[setting.column]
        if setting.key not in {entry.key for entry in declared} and value != unset[setting.column]:
            left[setting.key] = setting.show(value)
    for key, text in left.items():
        value = MASK if text and is_secret(element, key) else text
        yield ShownEntry(id=_undeclared_id(key), key=key, name=key, value=value, is_required=False)


def _undeclared_id(key: str) -> int:
    return _FIRST_UNDECLARED_ID + zlib.crc32(key.encode())


def is_secret(element: Element, key: str) -> bool:
    """Whether the value of this key is never shown. Undeclared keys are judged by their last word."""
    for entry in keys.entries_of(element):
        if entry.key == key:
            return entry.secret
    return key in _SECRET_KEYS or _SECRET_WORD.search(key) is not None


def connection_of(instance: Instance) -> Connection:
    """Ready to call, in the instance's own words. Raises KeyMissing where the keyring has lost the key."""
    entries = decrypt_json(instance.configuration_encrypted) or {}
    transformations = StoredTransformations(instance.transformations)
    return _connection(instance.element, entries, instance.filters_nulls, transformations)


def connection_with(element: Element, configuration_encrypted: str, *, filters_nulls: bool = True) -> Connection:
    """The same in the element's words, also from what a row kept of an instance that is gone, or elsewhere by now.

    Raises KeyMissing.
    """
    return _connection(element, decrypt_json(configuration_encrypted) or {}, filters_nulls, {})


def _connection(
    element: Element,
    entries: Mapping[str, str | None],
    filters_nulls: bool,
    transformations: Mapping[str, Transformation],
) -> Connection:
    own = {field.key: entries.get(field.key) or field.default for field in element.fields}
    return Connection(element=element, configuration=own, filters_nulls=filters_nulls, transformations=transformations)


def pollers_of(instance: Instance) -> dict[str, ResourcePoller]:
    """What is polled, by name. The element's default where none was sent."""
    return configuration_of(instance).pollers()
