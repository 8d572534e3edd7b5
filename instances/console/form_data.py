"""What was typed into the form of an instance, and the API request that it makes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import orjson
from django.http import QueryDict

from connectors.element import Element
from instances.console.form_fields import FormField, indented

NAME, TAGS = "instance-name", "instance-tags"
"""Of the inputs; others are called by their entry's key."""
REMOVE = "remove:"
"""With a key behind it: a box to have a stored secret removed."""
INITIAL = "initial"
"""What the form held when it was drawn, as JSON: who edits changes nothing else."""

_BRACKETS: Final = re.compile(r"[\[\]{}]")
_DEEPEST: Final = 64
_NUMBER: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,3})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Initial:
    """The form as it was drawn."""

    name: str = ""
    tags: tuple[str, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict, repr=False)

    def text(self) -> str:
        return json.dumps({"name": self.name, "tags": self.tags, "values": dict(self.values)}, ensure_ascii=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """The form as it was sent."""

    name: str
    tags: tuple[str, ...]
    values: Mapping[str, str] = field(repr=False)
    removed: frozenset[str] = frozenset()
    """Keys of stored secrets that are to go."""

    def tags_text(self) -> str:
        return "\n".join(self.tags)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The members of the API request; None: not sent."""

    name: str | None
    tags: tuple[str, ...] | None
    configuration: Mapping[str, object] = field(repr=False)

    @property
    def is_empty(self) -> bool:
        return self.name is None and self.tags is None and not self.configuration

    def body(self, element: Element | None = None) -> dict[str, Any]:
        """For POST, with the element; for PATCH without one."""
        body: dict[str, Any] = {} if self.name is None else {"name": self.name}
        if element is not None:
            body["element"] = {"key": element.key}
        if self.tags is not None:
            body["tags"] = list(self.tags)
        if element is not None or self.configuration:
            body["configuration"] = dict(self.configuration)
        return body


def initial_of(fields: Iterable[FormField], *, name: str = "", tags: Sequence[str] = ()) -> Initial:
    return Initial(name=name, tags=tuple(tags), values={one.key: one.value for one in fields if not one.is_secret})


def initial_from(post: QueryDict, otherwise: Initial) -> Initial:
    """As the page said when it was drawn, so that what others changed meanwhile is not changed back."""
    try:
        drawn = orjson.loads(post.get(INITIAL, ""))
        return Initial(
            name=str(drawn["name"]),
            tags=tuple(map(str, drawn["tags"])),
            values={str(key): str(value) for key, value in drawn["values"].items()},
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return otherwise


def typed(post: QueryDict, fields: Iterable[FormField], initial: Initial) -> Typed:
    """Fields that were not sent hold what they held: a page may show some of them only."""
    values, removed = {}, set()
    for one in fields:
        sent = post.get(one.key)
        if one.kind == "switch":
            values[one.key] = "true" if sent else "false"
        else:
            values[one.key] = _text(initial.values.get(one.key, "") if sent is None else sent)
        if one.may_be_removed and REMOVE + one.key in post:
            removed.add(one.key)
    return Typed(
        name=_line(_text(post.get(NAME, ""))),
        tags=_lines(_text(post.get(TAGS, ""))),
        values=values,
        removed=frozenset(removed),
    )


def drawn(fields: Iterable[FormField]) -> Typed:
    """What a form that nobody has typed into would send."""
    return Typed(name="", tags=(), values={one.key: one.value for one in fields})


def wanted(typed: Typed, fields: Iterable[FormField], initial: Initial, *, is_new: bool) -> Wanted:
    """What differs from the form as it was drawn. For a new instance that is what differs from the defaults."""
    configuration: dict[str, object] = {}
    for one in fields:
        text = typed.values[one.key]
        if one.is_secret:
            if text:
                configuration[one.key] = text
            elif one.key in typed.removed:
                configuration[one.key] = None
        elif not _is_same(one, text, initial.values.get(one.key, "")):
            configuration[one.key] = _on_the_wire(one, text)
    if is_new:
        return Wanted(name=typed.name, tags=typed.tags or None, configuration=configuration)
    return Wanted(
        name=typed.name if _line(typed.name) != _line(initial.name) else None,
        tags=typed.tags if _listed(typed.tags) != _listed(initial.tags) else None,
        configuration=configuration,
    )


def overtaken(wanted: Wanted, typed: Typed, *, initial: Initial, now: Initial) -> tuple[list[str], Initial]:
    """What is about to change that somebody else has changed, to something else, since the form was drawn.

    The other value counts as seen from then on: with it, who sends the same again means it.
    """
    found = []
    if wanted.name is not None and now.name not in (initial.name, wanted.name):
        found, initial = [NAME], replace(initial, name=now.name)
    if wanted.tags is not None and now.tags not in (initial.tags, wanted.tags):
        found, initial = [*found, TAGS], replace(initial, tags=now.tags)
    others = [
        key
        for key in wanted.configuration
        if key in now.values and now.values[key] not in (initial.values.get(key, ""), typed.values[key])
    ]
    values = {**initial.values, **{key: now.values[key] for key in others}}
    return [*found, *others], replace(initial, values=values)


def _text(sent: str) -> str:
    """With line ends as they were before the browser made others of them. No browser sends NUL."""
    return sent.replace("\x00", "").replace("\r\n", "\n")


def _line(text: str) -> str:
    """As a box of one line holds it."""
    return text.replace("\r", "").replace("\n", "").strip()


def _lines(text: str) -> tuple[str, ...]:
    tags = (tag.strip() for tag in text.replace("\r", "\n").split("\n"))
    return tuple(dict.fromkeys(tag for tag in tags if tag))


def _listed(tags: Sequence[str]) -> tuple[str, ...]:
    """As a box with a line for each holds them."""
    return _lines("\n".join(tags))


def _is_same(one: FormField, text: str, before: str) -> bool:
    if one.kind == "pollers":
        return text.strip() == before.strip() or indented(text) == indented(before)
    return _line(text) == _line(before)


def _on_the_wire(one: FormField, text: str) -> object:
    match one.kind:
        case "switch" | "yes_no" if text in ("true", "false"):
            return text == "true"
        case "interval" if _NUMBER.fullmatch(text.strip()):
            number = float(text)
            return int(number) if number.is_integer() else number
        case "pollers":
            return _pollers(text)
    return text


def _pollers(text: str) -> object:
    """An object; as text what is none, for the API to say where it goes wrong."""
    try:
        read = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    # NUL can be written in JSON, and not be kept in an object.
    is_kept = isinstance(read, dict) and "\\u0000" not in text and not _is_deep(text)
    return read if is_kept else text


def _is_deep(text: str) -> bool:
    """Deeper than anything that polling has a use for, and deep enough to trip over."""
    depth = 0
    for bracket in _BRACKETS.finditer(text):
        depth += 1 if bracket[0] in "[{" else -1
        if depth > _DEEPEST:
            return True
    return False
