"""Paths of the hub API: what they lead to, and what their query strings ask for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl

from connectors.element import EVERYTHING, Element, Operation, Resource, Verb
from connectors.errors import InvalidQuery, UnknownResource
from connectors.transformations import Transformation

_path = re.compile(r"/?(?:hubs/[A-Za-z0-9_-]+/)?([A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+)*)/?").fullmatch
# A plus between a time and an offset was written by somebody who did not encode it: nowhere else do digits meet so.
_offset_plus = re.compile(r"(?<=[0-9])\+(?=[0-9]{2}:?[0-9]{2}(?![0-9]))")
_bare_percent = re.compile(r"%(?![0-9A-Fa-f]{2})")
_is_segment = re.compile(r"[A-Za-z0-9_.-]{1,64}").fullmatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a path behind the hub leads to: a collection, or one of its records."""

    collection: str
    """The path of the collection, as the functions below take it."""
    resource: Resource
    """As it is declared: `{parent}` still stands for the id of the record that these belong to."""
    parent_id: str = ""
    record_id: str | None = None
    transformation: Transformation | None = None
    """Where an instance has the resource under a name of its own."""

    def concrete(self) -> Resource:
        """The resource as a client can ask for it, with the parent's id in its path."""
        if not self.parent_id:
            return self.resource
        of_parent = {name: text.replace("{parent}", self.parent_id) for name, text in self.resource.of_parent.items()}
        path = self.resource.path.replace("{parent}", self.parent_id)
        return replace(self.resource, path=path, of_parent=of_parent)

    @property
    def operations(self) -> frozenset[Operation]:
        return self.resource.operations

    def verbs(self) -> dict[Verb, Operation]:
        """What the verbs of HTTP do here; empty where there is no such thing as a record of its own."""
        verbs: dict[Verb, Operation] = {"GET": "get", "PUT": "replace", "PATCH": "update", "DELETE": "delete"}
        if self.record_id is None:
            verbs = {"GET": "list", **dict.fromkeys(sorted(self.resource.created_by), "create")}
        return {verb: operation for verb, operation in verbs.items() if operation in self.operations}


def locate(
    element: Element, path: str | Sequence[str], *, transformations: Mapping[str, Transformation] | None = None
) -> Target:
    """What a path behind the hub's name leads to. Resources of the element win over collections of the provider's.

    Raises UnknownResource.
    """
    segments = path.strip("/").split("/") if isinstance(path, str) else list(path)
    if segments and all(_is_segment(one) and one.strip(".") for one in segments):
        for read in (_own, _declared, _vendors):
            if (target := read(element, segments, transformations or {})) is not None:
                return target
    known = ", ".join(sorted(resource.name for resource in element.resources if not resource.parent))
    shown = "/".join(segments)[:60]
    raise UnknownResource(f"{element.key} has no resource {shown!r}; it has {known}")


def _own(element: Element, segments: list[str], transformations: Mapping[str, Transformation]) -> Target | None:
    """What the instance has under a name of its own: it hides a resource of that name."""
    transformation = transformations.get(segments[0])
    if transformation is None or len(segments) > 2:
        return None
    resource = element.resource(transformation.resource)
    return Target(
        collection=segments[0],
        resource=resource,
        record_id=segments[1] if len(segments) == 2 else None,
        transformation=transformation,
    )


def _declared(element: Element, segments: list[str], _: Mapping[str, Transformation]) -> Target | None:
    """`contacts[/5]`, `incidents/5/comments[/7]`."""
    names, ids = segments[::2], segments[1::2]
    if len(names) > 2:
        return None
    try:
        resource = element.resource("/".join(names))
    except KeyError:
        return None
    is_record = len(ids) == len(names)
    return Target(
        collection="/".join(segments[:-1] if is_record else segments),
        resource=resource,
        parent_id=ids[0] if len(names) == 2 else "",
        record_id=ids[-1] if is_record else None,
    )


def _vendors(element: Element, segments: list[str], _: Mapping[str, Transformation]) -> Target | None:
    """`boards[/1[/statuses[/7]]]` by a name that the element gives, `service/boards[/1[/statuses[/7]]]` by the path."""
    name, *rest = segments
    if (path := element.vendor_objects.get(name)) is None:
        is_ours = any(name in (one.name, one.parent) for one in element.resources)
        if not element.reads_vendor_paths or is_ours or not rest or rest[0].isdigit():
            return None
        path, rest = f"/{name}/{rest[0]}", rest[1:]
        name = f"{name}/{segments[1]}"
    if len(rest) > 3:
        return None
    record_id = rest.pop() if len(rest) % 2 else None
    collection = "/".join([name, *rest])
    is_written = name in element.vendor_objects and not rest
    return Target(
        collection=collection,
        resource=Resource(
            name=collection,
            path="/".join([path, *rest]),
            operations=EVERYTHING if is_written else frozenset({"list", "get"}),
            is_vendors=True,
        ),
        record_id=record_id,
    )


def parse_path(url: str) -> tuple[str, dict[str, str]]:
    """`/hubs/{any}/contacts?where=...` or `/contacts?...` as the resource's name and the query's parameters.

    Raises InvalidQuery for an absolute URL and for anything else that is no path of the hub API.
    """
    path, _, query = url.strip().partition("?")
    match = _path(path)
    if match is None:
        raise InvalidQuery(f"url: {path[:60]!r} is no path like /hubs/crm/contacts")
    return match[1], parse_query(query)


def parse_query(text: str) -> dict[str, str]:
    """The parameters of a query string, percent-encoded or raw: clients send both. The last of a name counts.

    Raises InvalidQuery where percent-encoding hides no UTF-8.
    """
    text = _offset_plus.sub("%2B", text)
    text = _bare_percent.sub("%25", text)
    try:
        return dict(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=100, separator="&"))
    except UnicodeDecodeError:
        raise InvalidQuery("The query is not UTF-8 in percent-encoding; a percent sign itself is written %25") from None
    except ValueError:
        raise InvalidQuery("The query has more than 100 parameters") from None
