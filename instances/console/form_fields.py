"""The fields of the form in which instances are created and edited, made from the element's configuration entries."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from connectors import configuration_entries as keys
from connectors.configuration_entries import ConfigurationEntry, entries_of
from connectors.element import POLLING, WEBHOOK, Element
from instances import retry_schedules
from instances.configuration import MASK, ShownEntry

Kind = Literal["text", "url", "secret", "yes_no", "choice", "switch", "interval", "pollers"]
Place = Literal["provider", "provider_optional", "switch", "events", "polling", "webhook", "events_optional"]
"""Where on the page; `_optional` is what Show Optional Fields reveals."""

# The words of choices that the API takes, in the order in which they are offered; the first is the default.
_CHOICES: Final[Mapping[str, Sequence[tuple[str, str]]]] = {
    keys.NOTIFICATION_RAW: (("own", "own: the records that changed"), ("full", "full: every record of their page")),
    keys.ORDERING: (("none", "none: each as soon as it can be sent"), ("object", "object: in order for each record")),
    keys.LEGACY_SIGNATURE: (("new", "new: the key that signs from now on"), ("old", "old: the key that it replaces")),
}
_METHOD_WORDS: Final = {WEBHOOK: "webhook: the provider tells us", POLLING: "polling: we ask the provider"}
_PLACES: Final[Mapping[str, Place]] = {
    keys.FILTER_NULLS: "provider_optional",
    keys.EVENTS_ENABLED: "switch",
    keys.CALLBACK_URL: "events",
    keys.SIGNATURE_KEY: "events",
    keys.VENDOR_TYPE: "events",
    keys.REFRESH_INTERVAL: "polling",
    keys.POLLER_CONFIGURATION: "polling",
    keys.CALLBACK_TYPES: "webhook",
}
_KINDS: Final[Mapping[str, Kind]] = {
    keys.EVENTS_ENABLED: "switch",
    keys.CALLBACK_URL: "url",
    keys.REFRESH_INTERVAL: "interval",
    keys.POLLER_CONFIGURATION: "pollers",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FormField:
    """One configuration entry as people fill it in. `value` is never a secret."""

    key: str
    label: str
    help: str
    kind: Kind
    place: Place
    value: str = ""
    is_required: bool = False
    is_stored: bool = False
    """A secret that is kept unless another is typed."""
    choices: Sequence[tuple[str, str]] = ()
    suggestions: Sequence[str] = ()
    problem: str = field(default="")
    advice: Sequence[str] = ()

    @property
    def id(self) -> str:
        return "field-" + self.key.replace(".", "-")

    @property
    def is_secret(self) -> bool:
        return self.kind == "secret"

    @property
    def may_be_removed(self) -> bool:
        return self.is_stored and not self.is_required

    @property
    def described_by(self) -> str:
        """Ids of what a screen reader adds to the label."""
        return f"{self.id}-help {self.id}-problem {self.id}-advice"


def fields_of(element: Element) -> list[FormField]:
    """Those of a new instance, with the element's defaults."""
    return [_field(element, entry) for entry in entries_of(element) if not entry.hide_from_console]


def with_values(fields: Iterable[FormField], shown: Iterable[ShownEntry]) -> list[FormField]:
    """The same with what an instance has. Stored secrets are only said to be there."""
    values = {entry.key: entry.value or "" for entry in shown}
    return [_with(one, values.get(one.key, "")) for one in fields]


def indented(text: str) -> str:
    """JSON as people read it; anything else as it is."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False) if text else ""
    except (ValueError, RecursionError):
        return text


def _with(one: FormField, value: str) -> FormField:
    if one.is_secret:
        return replace(one, is_stored=value == MASK)
    return replace(one, value=indented(value) if one.kind == "pollers" else value)


def _field(element: Element, entry: ConfigurationEntry) -> FormField:
    own = next((one for one in element.fields if one.key == entry.key), None)
    value = entry.default_value or ""
    return FormField(
        key=entry.key,
        label=entry.name,
        help=_help(element, entry),
        kind="url" if own is not None and own.is_url else _kind(entry),
        place=_place(entry, is_own=own is not None),
        value=indented(value) if entry.key == keys.POLLER_CONFIGURATION else value,
        is_required=entry.required,
        choices=_choices(element, entry.key),
        suggestions=tuple(retry_schedules.PRESETS) if entry.key == keys.RETRY_SCHEDULE else (),
    )


def _help(element: Element, entry: ConfigurationEntry) -> str:
    if entry.key != keys.CALLBACK_TYPES or element.callbacks is None:
        return entry.description
    return f"{entry.description} The default is {', '.join(one.type for one in element.callbacks.wanted(''))}."


def _kind(entry: ConfigurationEntry) -> Kind:
    if (kind := _KINDS.get(entry.key)) is not None:
        return kind
    if entry.key in _CHOICES or entry.key == keys.VENDOR_TYPE:
        return "choice"
    if entry.secret or entry.type == "PASSWORD":
        return "secret"
    return "yes_no" if entry.type == "BOOLEAN" else "text"


def _place(entry: ConfigurationEntry, *, is_own: bool) -> Place:
    if is_own:
        return "provider" if entry.required else "provider_optional"
    return _PLACES.get(entry.key, "events_optional")


def _choices(element: Element, key: str) -> Sequence[tuple[str, str]]:
    if key == keys.VENDOR_TYPE:
        return tuple((method, _METHOD_WORDS[method]) for method in element.event_methods)
    return _CHOICES.get(key, ())
