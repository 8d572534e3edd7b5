"""What a poller may read: a resource of the element, or one of the instance's own, by a path of the hub API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from connectors import ceql, dates, hub_paths
from connectors.element import Element
from connectors.errors import InvalidQuery
from connectors.transformations import Transformation

LONGEST_URL: Final = 4_000


def check_url(url: str, *, name: str, element: Element, transformations: Mapping[str, Transformation]) -> None:
    """Raises InvalidQuery with `name` in front, which says where the url is written."""
    if len(url) > LONGEST_URL:
        raise InvalidQuery(f"{name} is longer than {LONGEST_URL} characters")
    try:
        dates.check_macros(url)
    except InvalidQuery as error:
        raise InvalidQuery(f"{name.removesuffix('url')}{error}") from error  # it names the url itself
    path, _, query = dates.expand_macros(url, dates.EPOCH).partition("?")
    resource = _checked_resource(path, name=name, element=element, transformations=transformations)
    try:
        where = hub_paths.parse_query(query).get("where", "")
        if where.strip():
            asked = ceql.parse(where)
            if (transformation := transformations.get(resource)) is not None:
                transformation.asked(asked)
    except InvalidQuery as error:
        raise InvalidQuery(f"{name}: {error}") from error


def _checked_resource(path: str, *, name: str, element: Element, transformations: Mapping[str, Transformation]) -> str:
    known = [resource.name for resource in element.resources if not resource.parent]
    known += [own for own in transformations if own not in known]
    try:
        resource = hub_paths.parse_path(path)[0] if path.startswith("/") else ""
    except InvalidQuery:
        resource = ""
    if not resource:
        example = f"/hubs/{element.hub}/{known[0] if known else 'contacts'}?where=..."
        raise InvalidQuery(f"{name} must be a path on this API such as {example}, not an absolute URL")
    if resource not in known:
        raise InvalidQuery(f"{name} reads {resource[:60]!r}, which {element.key} has not; it has {', '.join(known)}")
    return resource
