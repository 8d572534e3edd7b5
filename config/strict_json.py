"""JSON as we take it: what two parsers could read differently, or PostgreSQL cannot keep, is refused with its place.

Quick whatever is sent: most checks are searches in the bytes, and Python looks only at so many objects and arrays.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import orjson

DEEPEST = 64
MOST_KEYS = 10_000
MOST_CONTAINERS = 10_000
MOST_VALUES = 100_000
SMALLEST_INTEGER, GREATEST_INTEGER = -(2**63), 2**64 - 1
_LONGEST_PLACE = 200

# Floats are not meant: their digits stand beside a point or an exponent.
_long_integers = re.compile(rb"(?<![0-9.eE+-])-?[0-9]{19,}(?![0-9.eE])").finditer
_plain_key = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*").fullmatch


class InvalidJson(ValueError):
    """The message says what is wrong and where."""


def parse(body: bytes) -> Any:
    """Raises InvalidJson."""
    without_escapes = body.replace(rb"\\", b"").replace(rb"\"", b"") if b"\\" in body else body
    # Every other piece between quotes lies outside of strings.
    outside = b'"'.join(without_escapes.split(b'"')[::2])
    keys = outside.count(b":")
    _check_count("keys", keys, most=MOST_KEYS)
    _check_count("objects and arrays", outside.count(b"{") + outside.count(b"["), most=MOST_CONTAINERS)
    _check_count("values", outside.count(b",") + 1, most=MOST_VALUES)
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidJson(f"The body is not valid JSON: {error}") from None
    _check_numbers(outside)
    if _different_keys(value) != keys:
        raise InvalidJson(f"{_repeated_key(body)} stands twice in one object of the body")
    if rb"\u0000" in without_escapes:
        raise InvalidJson(f"{_place_of(value, _holds_nul)} holds a NUL character, which cannot be stored")
    return value


def _check_count(things: str, number: int, *, most: int) -> None:
    # What is no JSON at all may be counted wrongly, and is refused all the same.
    if number > most:
        raise InvalidJson(f"The body has {number:,} {things}; {most:,} are the most")


def _check_numbers(outside: bytes) -> None:
    for match in _long_integers(outside):
        digits = match[0]
        if len(digits) > 25 or not SMALLEST_INTEGER <= int(digits) <= GREATEST_INTEGER:
            shown = digits[:20].decode() + ("..." if len(digits) > 20 else "")
            raise InvalidJson(f"The number {shown} of the body does not fit into 64 bits; send it as text")


def _different_keys(value: Any) -> int:
    """The number of keys in all objects together. Raises InvalidJson where the value is nested too deeply."""
    keys, depth = 0, 0
    level = [value] if isinstance(value, dict | list) else []
    while level:
        depth += 1
        if depth > DEEPEST:
            raise InvalidJson(f"{_place_of(value, None)} is nested deeper than {DEEPEST} levels")
        keys += sum(len(node) for node in level if type(node) is dict)
        parts = [node.values() if type(node) is dict else node for node in level]
        level = [child for part in parts for child in part if type(child) is dict or type(child) is list]
    return keys


def _repeated_key(body: bytes) -> str:
    repeated: list[str] = []

    def keep(pairs: list[tuple[str, Any]]) -> None:
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                repeated.append(name)
            seen.add(name)

    json.loads(body, object_pairs_hook=keep)
    return _shown((repeated[0],))


def _holds_nul(node: Any) -> bool:
    return "\x00" in node if isinstance(node, str) else isinstance(node, dict) and any("\x00" in key for key in node)


def _place_of(value: Any, is_meant: Callable[[Any], bool] | None) -> str:
    """Where the first node lies of which this is true; without a question, the first that is nested too deeply."""
    # Each waiting node with its way from the top: a link to its parent's and the last step.
    waiting: list[tuple[Any, Any, int]] = [(value, (), 1)]
    while waiting:
        node, way, depth = waiting.pop()
        if is_meant(node) if is_meant is not None else depth > DEEPEST and isinstance(node, dict | list):
            return _shown(_steps(way))
        if isinstance(node, dict):
            waiting += [(child, (way, key), depth + 1) for key, child in node.items()]
        elif isinstance(node, list):
            waiting += [(child, (way, position), depth + 1) for position, child in enumerate(node)]
    return "The body"


def _steps(way: Any) -> list[str | int]:
    steps: list[str | int] = []
    while way:
        way, step = way
        steps.append(step)
    return steps[::-1]


def _shown(steps: Sequence[str | int]) -> str:
    text = ""
    for step in steps:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            name = step if _plain_key(step[:_LONGEST_PLACE]) else json.dumps(step[:_LONGEST_PLACE])
            text += f".{name}" if text else name
        if len(text) > _LONGEST_PLACE:
            return f"{text[:_LONGEST_PLACE]}..."
    return text or "The body"
