"""Which paths the document has: the routes to views, and those that were described by hand."""

from __future__ import annotations

import re
from typing import Any

from drf_spectacular.generators import SchemaGenerator

from config.openapi.operations import described_of, operation
from instances.describing import PATHS

PREFIX = "/elements/api-v2"
_PARAMETER = re.compile(r"\{(\w+)\}")


class Generator(SchemaGenerator):
    """Enumerates the routes; leaves out what is described elsewhere, and remembers what nobody described."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        self.undescribed: list[str] = []

    def _get_paths_and_endpoints(self) -> list[tuple[str, str, str, Any]]:
        found = []
        for path, path_regex, method, view in super()._get_paths_and_endpoints():  # type: ignore[no-untyped-call]
            if not path.startswith(PREFIX + "/") or is_catch_all(path_regex):
                continue
            shown = shown_path(path)
            if described_of(type(view), shown, method) is not None:
                found.append((shown, path_regex, method, view))
            elif (shown, method.lower()) not in PATHS:
                self.undescribed.append(f"{method} {shown} ({type(view).__module__}.{type(view).__qualname__})")
        return found


def is_catch_all(path_regex: str) -> bool:
    """Whether a route takes any number of segments: what lies behind it is described path by path."""
    return "(?s:.*)" in path_regex or ".*" in path_regex


def shown_path(path: str) -> str:
    """`/elements/api-v2/instances/{instance_id}` as `/instances/{instanceId}`: the prefix is the server's."""
    return _PARAMETER.sub(lambda match: "{" + _camel_case(match[1]) + "}", path.removeprefix(PREFIX))


def add_paths_described_by_hand(*, paths: dict[str, Any]) -> None:
    """The paths of `describe_path` that no route stands for."""
    for (path, verb), described in PATHS.items():
        if described is not None and verb not in paths.get(path, {}):
            paths.setdefault(path, {})[verb] = operation(described, path=path, verb=verb)


def _camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
