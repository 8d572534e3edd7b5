"""A contact called by its whole name, as tickets name one: how to ask ConnectWise, which keeps names in two fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.ceql import And, Comparison, Expression, IsNull, Or

MOST_WORDS = 8


def contacts_called(name: str, *, company: Mapping[str, Any] | None) -> Expression | None:
    """Which contacts, of this company where one is known; in ConnectWise's words.

    Where the first name ends is not told, so every place is asked for. None for a text that is no name.
    """
    words = name.split()
    if not 1 <= len(words) <= MOST_WORDS:
        return None
    called: list[Expression] = [_called(words, first=count) for count in range(1, len(words) + 1)]
    whose = called[0] if len(called) == 1 else Or(tuple(called))
    for part in ("id", "identifier", "name"):
        if company and (value := company.get(part)) is not None:
            return And((Comparison(f"company.{part}", "=", value), whose))
    return whose


def _called(words: list[str], *, first: int) -> Expression:
    last_name = " ".join(words[first:])
    return And(
        (
            Comparison("firstName", "=", " ".join(words[:first])),
            Comparison("lastName", "=", last_name) if last_name else IsNull("lastName"),
        )
    )
