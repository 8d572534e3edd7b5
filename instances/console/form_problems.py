"""What is wrong with what was typed, in the words of the API, each at the field that it is about."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from connectors import configuration_entries as keys
from connectors import hub_paths
from connectors.element import POLLING
from connectors.errors import InvalidQuery
from instances import configuration as configurations
from instances.configuration import Configuration, is_own_events_url
from instances.console.form_data import NAME, TAGS, Wanted
from instances.console.form_fields import FormField
from instances.errors import InvalidRequest
from instances.labels import clean_name, clean_tags

SHORTEST_KEY = 24
"""Receivers that verify by Standard Webhooks take no shorter ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Without a key it is about the whole."""

    message: str
    key: str = ""
    provider_message: str = ""
    others: tuple[str, ...] = ()
    """Keys of other fields that may be to blame."""

    @property
    def at_field(self) -> str:
        """Where the field's label stands above, its key need not stand in front."""
        text = self.message
        if self.key and text.startswith(self.key):
            rest = text.removeprefix(self.key)
            text = rest.removeprefix(": ") if rest.startswith(": ") else f"this{rest}"
        # What begins with a name in somebody's configuration stays as it is spelled.
        return text[:1].upper() + text[1:] if text.partition(" ")[0].isalpha() else text


def problems_of(wanted: Wanted, before: Configuration, *, typed_so_far: bool = False) -> list[Problem]:
    """All at once, asking nobody. With `typed_so_far`, what is still missing is no problem yet."""
    found = [] if typed_so_far else list(_labels(wanted))
    good: dict[str, object] = {}
    for key, value in wanted.configuration.items():
        try:
            configurations.merged(before, {key: value})
        except InvalidRequest as refused:
            found.append(Problem(key=key, message=str(refused)))
        else:
            good[key] = value
    after = configurations.merged(before, good)
    if not typed_so_far:
        named = {one.key for one in found}
        lacking = [key for key in configurations.missing(after) if key not in named]
        found += [Problem(key=key, message=f"{key} is missing") for key in lacking]
        moved, withheld = configurations.withheld_secrets(before, after, wanted.configuration)
        found += [
            Problem(
                key=key,
                message=f"{key}: type it again, since {', '.join(moved)} changed; "
                "a stored secret goes only to the account that it was given for",
            )
            for key in withheld
            if key not in lacking
        ]
    says_so = any(key.startswith("event.poller.") for key in good)
    if says_so or after.columns["is_events_enabled"]:
        try:
            after.pollers()
        except InvalidRequest as refused:
            found.append(Problem(key=keys.POLLER_CONFIGURATION, message=str(refused)))
    return found


def problems_said(message: str, provider_message: str, fields: Iterable[FormField]) -> list[Problem]:
    """What was found out only when it was tried: at the fields that the message names, in full at the first."""
    at = sorted((found.start(), one.key) for one in fields if (found := _named(one.key).search(message)))
    if not at:
        return [Problem(message=message, provider_message=provider_message)]
    first, *others = (key for _, key in at)
    return [Problem(key=first, message=message, provider_message=provider_message, others=tuple(others))]


def advice_of(wanted: Wanted, before: Configuration) -> Mapping[str, list[str]]:
    """By key: what works, and may not be what was meant."""
    good = {}
    for key, value in wanted.configuration.items():
        try:
            configurations.merged(before, {key: value})
        except InvalidRequest:
            continue
        good[key] = value
    after = configurations.merged(before, good)
    if not after.columns["is_events_enabled"]:
        return {}
    return {
        keys.CALLBACK_URL: list(_callback_advice(after.columns["callback_url"])),
        keys.SIGNATURE_KEY: list(_key_advice(wanted.configuration.get(keys.SIGNATURE_KEY))),
        keys.POLLER_CONFIGURATION: list(_poller_advice(after)) if after.columns["event_method"] == POLLING else [],
    }


def told(fields: Iterable[FormField], problems: Iterable[Problem], advice: Mapping[str, list[str]]) -> list[FormField]:
    """The fields with what there is to say about each."""
    said: dict[str, str] = {}
    for problem in problems:
        said.setdefault(problem.key, problem.at_field)
        for other in problem.others:
            said.setdefault(other, "This may be what is wrong, too")
    return [replace(one, problem=said.get(one.key, ""), advice=advice.get(one.key, [])) for one in fields]


def _labels(wanted: Wanted) -> Iterable[Problem]:
    for key, check, value in ((NAME, clean_name, wanted.name), (TAGS, clean_tags, wanted.tags)):
        if value is not None:
            try:
                check(value)
            except InvalidRequest as refused:
                yield Problem(key=key, message=str(refused))


def _named(key: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.]){re.escape(key)}(?![\w-])(?!\.\w)")


def _callback_advice(url: str) -> Iterable[str]:
    if not url:
        yield "Without a callback URL events are kept here, and sent nowhere."
    elif is_own_events_url(url):
        yield "This is the platform's own address: events are kept here, and sent nowhere."
    elif url.lower().startswith("http://"):
        yield "Notifications go there unencrypted; https is safer."


def _key_advice(key: object) -> Iterable[str]:
    if isinstance(key, str) and len(key) < SHORTEST_KEY:
        yield f"Shorter than {SHORTEST_KEY} characters: easy to guess, and some receivers refuse it."


def _poller_advice(after: Configuration) -> Iterable[str]:
    try:
        pollers = after.pollers()
    except InvalidRequest:
        return
    if not pollers:
        yield "Nothing is selected, so no change will be noticed."
    for name, one in pollers.items():
        try:
            where = hub_paths.parse_query(one.url.partition("?")[2]).get("where", "")
        except InvalidQuery:
            continue
        if not where.strip():
            yield f"{name}: its URL has no where clause, so every poll reads all records there are."
