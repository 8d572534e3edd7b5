"""What a bulk query asks for: `select * from contacts where city = 'Tampa'`, as text to a value.

    select id, company.name from incidents/5/comments where text LIKE 'a%'

The `where` clause is CEQL and stays text: the hub reads it as it reads that of a list.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from connectors import ceql
from connectors.errors import InvalidQuery

MOST_FIELDS = 100
LONGEST_FIELD = 200

_word = re.compile(r"[A-Za-z]+").match
_field = re.compile(r"\*|[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*|`[^`]+`").match
_collection = re.compile(r"[A-Za-z0-9_-]+(?:/[A-Za-z0-9_.-]+)*").match
_spaces = re.compile(r"\s*").match


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which records of which collection, and which of their fields."""

    collection: str
    """The path of the collection behind the hub."""
    fields: tuple[str, ...] = ()
    """Dotted names; empty for all that the records have."""
    where: str = ""
    """CEQL that was parsed once; empty for all records."""


def parse(text: str) -> Selection:
    """Raises InvalidQuery ("Error parsing query: ... at position 8"); positions count characters from 1."""
    if len(text) > ceql.LONGEST_QUERY:
        raise InvalidQuery(f"Error parsing query: it is longer than {ceql.LONGEST_QUERY} characters at position 1")
    if "\x00" in text:
        _fail("a NUL character, which cannot be stored", text.index("\x00"))
    reader = _Reader(text)
    reader.keyword("select")
    fields = reader.fields()
    reader.keyword("from")
    collection = reader.collection()
    return Selection(collection=collection, fields=fields, where=reader.where())


class _Reader:
    """Reads from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.skip_spaces()

    def keyword(self, word: str) -> None:
        match = _word(self.text, self.position)
        if match is None or match.group().lower() != word:
            _fail(f"expected {word!r}", self.position)
        self.step(match)

    def fields(self) -> tuple[str, ...]:
        """`*`, or names with commas between them."""
        names = [self.field()]
        while self.text.startswith(",", self.position):
            self.position += 1
            self.skip_spaces()
            names.append(self.field())
            if len(names) > MOST_FIELDS:
                _fail(f"more than {MOST_FIELDS} fields", self.position)
        if "*" in names:
            if len(names) > 1:
                _fail("* stands alone: it already means every field", self.position)
            return ()
        return tuple(dict.fromkeys(names))

    def field(self) -> str:
        match = _field(self.text, self.position)
        if match is None or len(match.group()) > LONGEST_FIELD:
            _fail("expected * or the name of a field", self.position)
        self.step(match)
        return match.group().strip("`")

    def collection(self) -> str:
        match = _collection(self.text, self.position)
        if match is None:
            _fail("expected the name of a resource, such as contacts", self.position)
        self.step(match)
        return match.group()

    def where(self) -> str:
        if self.position == len(self.text):
            return ""
        self.keyword("where")
        # Blanks in front keep the positions in messages true.
        ceql.parse(" " * self.position + self.text[self.position :])
        return self.text[self.position :].strip()

    def step(self, match: re.Match[str]) -> None:
        self.position = match.end()
        self.skip_spaces()

    def skip_spaces(self) -> None:
        match = _spaces(self.text, self.position)
        assert match is not None
        self.position = match.end()


def _fail(message: str, position: int) -> NoReturn:
    raise InvalidQuery(f"Error parsing query: {message} at position {position + 1}")
