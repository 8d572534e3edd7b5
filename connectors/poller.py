"""`event.poller.configuration`: which resources to poll, by which url, and where a record carries its dates.

    {"contacts": {"url": "/hubs/crm/contacts?where=lastUpdated>'${gmtDate:yyyy-MM-dd'T'HH:mm:ss'Z'}'",
                  "idField": "id",
                  "datesConfiguration": {"updatedDateField": "_info.lastUpdated", "updatedDateFormat": ..., ...}}}

Everything about it that can be wrong is found here, when it is sent, and not by a poll at night.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from connectors import dates, hub_paths
from connectors.element import Element
from connectors.errors import InvalidQuery
from connectors.poller_urls import check_url
from connectors.records import LARGEST_PAGE_SIZE
from connectors.transformations import Transformation

LONGEST_PAUSE = timedelta(days=366)

_is_name = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}").fullmatch
_is_field_path = re.compile(r"[^.\x00-\x1f]{1,100}(?:\.[^.\x00-\x1f]{1,100}){0,7}").fullmatch
# These stand beside the records in a notification's `raw`, under the poller's own name.
_RESERVED_NAMES = frozenset({"objectType", "instance_id", "events"})

_LEGACY_PARTS = (
    *("resource", "url", "xPathFilter"),
    *("updatedDateField", "updatedDateFormat", "updatedDateTimezone"),
    *("createdDateField", "createdDateFormat", "createdDateTimezone"),
)


class InvalidPollerConfiguration(ValueError):
    """It cannot be polled by this. The message names the setting and what it should be."""


@dataclass(frozen=True, slots=True)
class DateField:
    """Where a record carries a date, and how it is written."""

    path: str
    """Dotted, as in `_info.lastUpdated`."""
    pattern: str
    zone: str = "GMT"
    """Of values that carry no offset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourcePoller:
    """How one resource is polled. Hashable."""

    resource: str
    """The poller's name and the `objectType` of its changes; the url says which resource of the hub it reads."""
    url: str
    """A path of the hub API with its query, macros unexpanded."""
    id_field: str
    updated: DateField
    created: DateField
    filter_by_updated_date: bool = True
    """False: it is the date of creation that must lie in the window."""
    filter_by_current_date: bool = False
    """Leave records stamped after the poll began to the next one."""
    created_check_tolerance: timedelta = timedelta(0)
    poll_delay: timedelta = timedelta(0)
    page_size: int | None = None

    @property
    def dates_tell_created(self) -> bool:
        """Whether the two dates are different fields; else only ids and the element know what was created."""
        return self.created.path != self.updated.path


def parse(
    value: object, *, element: Element, transformations: Mapping[str, Transformation] | None = None
) -> dict[str, ResourcePoller]:
    """The pollers by name, in the order given.

    `value` is the mapping, the same as JSON text (line breaks and tabs inside texts are tolerated), names of resources
    that the element polls by default (`["contacts"]` or `contacts|incidents`), or the older `event.poller.urls`: one
    resource a line, `contacts|/hubs/crm/contacts?...|filter|updatedField|format|zone|createdField|format|zone`, where
    parts may be empty or missing. None or an empty text is the element's default. What is polled may be one of the
    `transformations`; its pollers name fields as these do.

    Raises InvalidPollerConfiguration: "event.poller.configuration: contacts.idField is missing".
    """
    if isinstance(value, str):
        value = _from_text(value)
    if value is None:
        value = element.poller_configuration
    try:
        if isinstance(value, _LegacyLines):
            return _pollers(_from_legacy_lines(value.text, element), element, transformations or {})
        if isinstance(value, Sequence):
            return _pollers(_defaults(value, element), element, transformations or {})
        if isinstance(value, Mapping):
            return _pollers(value, element, transformations or {})
    except _Problem as problem:
        key = "event.poller.urls" if isinstance(value, _LegacyLines) else "event.poller.configuration"
        raise InvalidPollerConfiguration(f"{key}: {problem}") from problem
    raise InvalidPollerConfiguration("event.poller.configuration: must be an object, resource name to settings")


class _Problem(Exception):
    """What is wrong, without the key that it is wrong under."""


@dataclass(frozen=True, slots=True)
class _LegacyLines:
    text: str


def _from_text(text: str) -> object:
    text = text.strip()
    if not text:
        return None
    if text.startswith(("{", "[")):
        try:
            value = json.loads(text, strict=False)
            json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair is JSON, and no text
        except (ValueError, RecursionError) as error:
            place = f" at line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
            raise InvalidPollerConfiguration(f"event.poller.configuration: is not JSON{place}") from error
        return value
    if "/" in text:
        return _LegacyLines(text)
    return [name for name in re.split(r"[|,\s]+", text) if name]


def _defaults(names: Sequence[object], element: Element) -> dict[str, Any]:
    return {str(name): _default(name, element) for name in names}


def _default(name: object, element: Element) -> Any:
    if not isinstance(name, str) or name not in element.poller_configuration:
        known = ", ".join(element.poller_configuration) or "none"
        raise _Problem(f"{str(name)[:100]!r} is not polled by default ({known}); send its settings as an object")
    return element.poller_configuration[name]


def _from_legacy_lines(text: str, element: Element) -> dict[str, Any]:
    """What a line does not say is as in the element's default for that resource."""
    entries: dict[str, Any] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        said = {key: part.strip() for key, part in zip(_LEGACY_PARTS, line.split("|"), strict=False) if part.strip()}
        name = said.get("resource", "")
        default = element.poller_configuration.get(name, {})
        entries[name] = {
            "url": said.get("url", default.get("url")),
            "idField": default.get("idField", "id"),
            "datesConfiguration": {**default.get("datesConfiguration", {}), **dict(list(said.items())[1:])},
        }
    return entries


def _pollers(
    entries: Mapping[Any, Any], element: Element, transformations: Mapping[str, Transformation]
) -> dict[str, ResourcePoller]:
    pollers = {}
    for name, entry in entries.items():
        if not isinstance(name, str) or not _is_name(name):
            raise _Problem(f"{str(name)[:100]!r} is no resource name: letters, digits, _ . - and at most 64 of them")
        if name in _RESERVED_NAMES:
            raise _Problem(f"{name} is a name of the notification's own; call the poller something else")
        if not isinstance(entry, Mapping):
            raise _Problem(f"{name} must be an object with url, idField and datesConfiguration")
        pollers[name] = one = _poller(name, _Settings(name, entry), element, transformations)
        if (transformation := transformations.get(hub_paths.parse_path(one.url)[0])) is not None:
            _check_own_fields(one, transformation)
    return pollers


def _check_own_fields(poller: ResourcePoller, transformation: Transformation) -> None:
    """What a transformation leaves out cannot be told by a record of it."""
    for key, path in (
        ("idField", poller.id_field),
        ("datesConfiguration.updatedDateField", poller.updated.path),
        ("datesConfiguration.createdDateField", poller.created.path),
    ):
        if not transformation.knows(path):
            raise _Problem(
                f"{poller.resource}.{key}: {transformation.name} is a transformation of this instance and has no field "
                f"{path[:60]!r}; it has {transformation.known_fields()}"
            )


def _poller(
    name: str, settings: _Settings, element: Element, transformations: Mapping[str, Transformation]
) -> ResourcePoller:
    url = settings.text("url")
    try:
        check_url(url, name=f"{name}.url", element=element, transformations=transformations)
    except InvalidQuery as error:
        raise _Problem(str(error)) from error
    id_field = settings.field_path("idField")
    dates_of = settings.section("datesConfiguration")
    return ResourcePoller(
        resource=name,
        url=url,
        id_field=id_field,
        updated=_date_field("updated", dates_of, settings),
        created=_date_field("created", dates_of, settings),
        filter_by_updated_date=settings.boolean(
            "filterByUpdatedDate", default=settings.boolean("filterByUpdateDate", default=True)
        ),
        filter_by_current_date=settings.boolean("filterByCurrentDate", default=False),
        created_check_tolerance=settings.seconds("createdCheckTolerance"),
        poll_delay=settings.seconds("pollDelay"),
        page_size=settings.page_size("pageSize"),
    )


def _date_field(which: str, dates_of: _Settings, settings: _Settings) -> DateField:
    path = dates_of.field_path(f"{which}DateField")
    pattern = dates_of.text(f"{which}DateFormat")
    dates_of.check(f"{which}DateFormat", dates.check_pattern, pattern)
    zone_key = f"{which}DateTimezone"
    holder = dates_of if dates_of.values.get(zone_key) is not None else settings  # beside `url` is its older place
    zone = holder.values.get(zone_key)
    if zone is None:
        zone = "GMT"
    if not isinstance(zone, str):
        raise _Problem(f"{holder.name}.{zone_key} must be a text")
    holder.check(zone_key, dates.check_zone, zone)
    return DateField(path=path, pattern=pattern, zone=zone)


@dataclass(frozen=True, slots=True)
class _Settings:
    """Reads settings of one object; what it refuses, it names with the object's own name in front."""

    name: str
    values: Mapping[str, Any]

    def text(self, key: str) -> str:
        value = self.values.get(key)
        if value is None or value == "":
            raise _Problem(f"{self.name}.{key} is missing")
        if not isinstance(value, str) or not value.strip():
            raise _Problem(f"{self.name}.{key} must be a text")
        return value.strip()

    def field_path(self, key: str) -> str:
        path = self.text(key)
        if not _is_field_path(path):
            raise _Problem(
                f"{self.name}.{key} must be a field's name, with dots between levels as in _info.lastUpdated"
            )
        return path

    def section(self, key: str) -> _Settings:
        value = self.values.get(key)
        if value is None:
            raise _Problem(f"{self.name}.{key} is missing")
        if not isinstance(value, Mapping):
            raise _Problem(f"{self.name}.{key} must be an object")
        return _Settings(f"{self.name}.{key}", value)

    def boolean(self, key: str, *, default: bool) -> bool:
        value = self.values.get(key)
        if value is None or value == "":
            return default
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.strip().lower() in ("true", "false"):
            return value.strip().lower() == "true"
        raise _Problem(f"{self.name}.{key} must be true or false")

    def seconds(self, key: str) -> timedelta:
        number = self._number(key)
        if number is None:
            return timedelta(0)
        if not 0 <= number <= LONGEST_PAUSE.total_seconds():
            raise _Problem(f"{self.name}.{key} must be a number of seconds, 0 to {LONGEST_PAUSE.total_seconds():.0f}")
        return timedelta(seconds=number)

    def page_size(self, key: str) -> int | None:
        number = self._number(key)
        if number is None:
            return None
        if number < 1 or number != int(number):
            raise _Problem(f"{self.name}.{key} must be a whole number, 1 or more")
        return int(min(number, LARGEST_PAGE_SIZE))

    def check(self, key: str, check: Callable[[str], None], value: str) -> None:
        try:
            check(value)
        except InvalidQuery as error:
            raise _Problem(f"{self.name}.{key}: {error}") from error

    def _number(self, key: str) -> float | None:
        value = self.values.get(key)
        if value is None or value == "":
            return None
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            raise _Problem(f"{self.name}.{key} must be a number")
        return number
