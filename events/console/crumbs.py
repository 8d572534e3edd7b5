"""What the head of a page calls the row that it is about."""

from __future__ import annotations

from typing import Any


class Crumb:
    """Stands for a row whose own name says what may change while the page is open."""

    def __init__(self, meta: Any, pk: int, title: str) -> None:
        self._meta = meta
        self.pk = pk
        self.title = title

    def __str__(self) -> str:
        return self.title
