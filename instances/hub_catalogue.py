"""What the catalogue says about hubs: what elements of one kind have in common. Built from their definitions alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from connectors.element import Element
from instances.catalogue import element_object


def by_hub(elements: Iterable[Element]) -> dict[str, list[Element]]:
    """The elements of each hub, by its key."""
    found: dict[str, list[Element]] = {}
    for element in elements:
        found.setdefault(element.hub, []).append(element)
    return dict(sorted(found.items()))


def hub_object(key: str, elements: Iterable[Element], *, is_hydrated: bool = False) -> dict[str, Any]:
    """The hub object; `is_hydrated` adds what can be asked for under it, and the elements that answer."""
    name = key.upper() if len(key) <= 3 else key.capitalize()
    shown: dict[str, Any] = {
        "key": key,
        "name": name,
        "description": f"Elements that answer under /hubs/{key}",
        "active": True,
        "beta": False,
    }
    if not is_hydrated:
        return shown
    resources: dict[str, list[str]] = {}
    for element in elements:
        for resource in element.resources:
            if not resource.parent:
                resources.setdefault(resource.name, []).append(element.key)
    return shown | {
        "resources": [
            {"name": one, "path": f"/hubs/{key}/{one}", "elements": resources[one]} for one in sorted(resources)
        ],
        "elements": [element_object(element) for element in elements],
    }
