"""Pages of records rewritten field by field as bytes: values are moved, not decoded.

So numbers keep their digits and texts their spelling, and a page of a thousand records costs little.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from connectors.errors import UnusableAnswer

_slices = msgspec.json.Decoder(list[msgspec.Raw]).decode
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@dataclass(slots=True)
class _Branch:
    """What is wanted of one object of the source."""

    positions: list[int] = field(default_factory=list)
    """Where its own value goes, whole."""
    inside: dict[str, _Branch] = field(default_factory=dict)


class PageWriter:
    """Writes records anew from pairs of paths: where a value goes, and where it comes from."""

    def __init__(self, pairs: Sequence[tuple[Sequence[str], Sequence[str]]]) -> None:
        self._source = _Branch()
        self._nulls = [b"null"] * len(pairs)
        own: dict[str, Any] = {}
        for position, (path, source_path) in enumerate(pairs):
            branch = own
            for name in path[:-1]:
                branch = branch.setdefault(name, {})
            branch[path[-1]] = position
            source = self._source
            for name in source_path:
                source = source.inside.setdefault(name, _Branch())
            source.positions.append(position)
        self._order: list[int] = []
        self._pieces: list[bytes] = []
        self._between = bytearray()
        self._layout(own)
        self._end = bytes(self._between)

    def _layout(self, branch: Mapping[str, Any]) -> None:
        """The text between the values, and which value comes next."""
        self._between += b"{"
        for number, (name, inner) in enumerate(branch.items()):
            self._between += (b"," if number else b"") + json.dumps(name).encode() + b":"
            if isinstance(inner, dict):
                self._layout(inner)
            else:
                self._pieces.append(bytes(self._between))
                self._order.append(inner)
                self._between.clear()
        self._between += b"}"

    def write(self, body: bytes) -> bytes:
        """A JSON array of objects, each written anew. Raises UnusableAnswer."""
        try:
            return b"[" + b",".join([self._record(raw) for raw in _slices(body)]) + b"]"
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise UnusableAnswer("A record is nested too deeply, or holds what is no JSON") from None

    def _record(self, raw: msgspec.Raw) -> bytes:
        values = self._nulls.copy()
        _gather(raw, self._source, values)
        parts: list[bytes] = []
        for piece, position in zip(self._pieces, self._order, strict=True):
            parts += (piece, values[position])
        parts.append(self._end)
        return b"".join(parts)


def _gather(raw: msgspec.Raw, branch: _Branch, values: list[bytes]) -> None:
    members = _members(raw)
    for name, inner in branch.inside.items():
        value = members.get(name)
        if value is None:
            continue
        text = bytes(value)
        for position in inner.positions:
            values[position] = text
        if inner.inside and text.startswith(b"{"):
            _gather(value, inner, values)


def value_at(record: Any, segments: Sequence[str]) -> Any:
    """What lies at a path of a decoded record; None where nothing does."""
    for name in segments:
        if not isinstance(record, Mapping):
            return None
        record = record.get(name)
    return record
