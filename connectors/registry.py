"""Every element there is, by key and by id. A new element is a folder under `connectors/elements/`, nothing else."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from connectors import elements
from connectors.element import Element


class UnknownElement(LookupError):
    """No element has this key or id."""


@cache
def all_elements() -> tuple[Element, ...]:
    """Every `connectors/elements/<key>/definition.py`, in the order of the keys."""
    found = []
    for folder in pkgutil.iter_modules(elements.__path__):
        if folder.ispkg:
            found.append(importlib.import_module(f"{elements.__name__}.{folder.name}.definition").ELEMENT)
    return tuple(sorted(found, key=lambda element: element.key))


def element(key_or_id: str | int) -> Element:
    """By key (`connectwisecrmrest`) or by catalogue id (`3012`). Raises UnknownElement."""
    for candidate in all_elements():
        if str(key_or_id) in (candidate.key, str(candidate.id)):
            return candidate
    raise UnknownElement(f"No element is called {str(key_or_id)[:100]!r}; GET /elements lists them")
