"""Whose things a page shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Scope:
    """One organization; all of them for superusers, none for people who belong to none."""

    organization_id: int | None
    is_everything: bool = False

    def of(self, rows: QuerySet[Row], lookup: str = "organization") -> QuerySet[Row]:
        """Those of these rows that belong to it."""
        if self.is_everything:
            return rows
        return rows.none() if self.organization_id is None else rows.filter(**{lookup: self.organization_id})


def scope_of(request: HttpRequest) -> Scope:
    user: Any = request.user
    if user.is_superuser:
        return Scope(None, is_everything=True)
    return Scope(getattr(user, "organization_id", None))
