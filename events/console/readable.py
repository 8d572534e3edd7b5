"""Bodies as people read them: JSON with a line for each member, anything else as it is, and not endless."""

from __future__ import annotations

import json
from contextlib import suppress

LONGEST = 200_000
"""Characters that a page shows."""


def readable(body: bytes) -> tuple[str, bool]:
    """The text, and whether it was cut."""
    text = body.decode(errors="replace")
    with suppress(ValueError, RecursionError):  # nobody reads deeper than that anyway
        text = _indented(text)
    return text[:LONGEST], len(text) > LONGEST


def encodable(text: str) -> str:
    """JSON can spell halves of characters (`\\ud800`), which no page can be sent with."""
    return text.encode(errors="backslashreplace").decode()


def _indented(text: str) -> str:
    """Only as much as is shown: deep in brackets, a few bytes would become a thousand times as many blanks."""
    written, length = [], 0
    for part in json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(json.loads(text)):
        written.append(part)
        length += len(part)
        if length > LONGEST:
            break
    return encodable("".join(written))
