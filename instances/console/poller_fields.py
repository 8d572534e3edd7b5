"""What the list of resources in the form needs to know: which there are, and how each would be polled."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from connectors.element import Element, Resource

# From the busiest to the laziest; the slider has a place for each, the box beside it takes any number.
_STOPS = (0.5, 1, 2, 3, 5, 10, 15, 20, 30, 45, 60, 120, 240, 480, 720, 1440)
ZONES = ("GMT", "EST", "CST", "MST", "PST", "America/New_York", "America/Chicago", "America/Denver", "Europe/Berlin")
FORMATS = ("yyyy-MM-dd'T'HH:mm:ss'Z'", "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'", "yyyy-MM-dd'T'HH:mm:ssXXX", "yyyy-MM-dd")


def script_data(element: Element) -> dict[str, Any]:
    """For the page's script: it draws the list from the JSON that is typed, and writes into it."""
    return {"resources": resources(element), "stops": stops()}


def stops() -> list[float]:
    """Minutes between polls that the slider offers, none below the floor."""
    floor = math.ceil(settings.POLL_INTERVAL_FLOOR / 60 * 1000) / 1000  # as instances keep it
    return sorted({floor, *(stop for stop in _STOPS if stop >= floor)})


def resources(element: Element) -> list[dict[str, Any]]:
    """What can be polled, what is polled by default first."""
    if not element.poller_configuration:
        return []
    polled = list(element.poller_configuration)
    others = [one.name for one in element.resources if _is_listed(one) and one.name not in polled]
    return [
        {"name": name, "is_default": name in polled, "settings": _settings(element, name)}
        for name in (*polled, *others)
    ]


def _is_listed(resource: Resource) -> bool:
    return "list" in resource.operations and not resource.parent


def _settings(element: Element, name: str) -> Mapping[str, Any]:
    """The default; made after the first default's likeness where a resource is not polled by default."""
    if (known := element.poller_configuration.get(name)) is not None:
        return dict(known)
    like, model = next(iter(element.poller_configuration.items()))
    url = re.sub(rf"^(/hubs/[^/?]+/){re.escape(like)}(?=\?|$)", rf"\g<1>{name}", str(model["url"]))
    return {**model, "url": url}
