"""Words that the console's templates share: `{% load console %}`, then `{{ state|badge }}`, `{{ at|ago }}`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import template
from django.utils.safestring import SafeString
from unfold.templatetags.unfold_list import result_headers

from instances.console import badges, moments, rows

register = template.Library()


@register.filter
def badge(text: object, tone: str = "") -> SafeString:
    """`{{ delivery.state|badge }}`, or `{{ "reads slowly"|badge:"warning" }}`."""
    return badges.badge(text, tone)


@register.filter
def moment(at: datetime | None, never: str = "never") -> SafeString:
    """`2026-11-22 13:05:07 UTC`; `{{ at|moment:"not yet" }}` where there may be none."""
    return moments.moment(at, never=never)


@register.filter
def ago(at: datetime | None, never: str = "never") -> SafeString:
    """`3 minutes ago` or `in 2 hours`, with the moment itself as its title."""
    return moments.ago(at, never=never)


@register.filter
def number(value: int | None) -> str:
    """`1,234,567`."""
    return "" if value is None else f"{value:,}"


@register.inclusion_tag("console/list_rows.html")
def list_rows(changelist: Any) -> dict[str, Any]:
    """The table of a list, or what is said where it is empty."""
    headers = list(result_headers(changelist))
    return {
        "cl": changelist,
        "result_headers": headers,
        "num_sorted_fields": sum(1 for header in headers if header["sortable"] and header["sorted"]),
        "rows": list(rows.rows_of(changelist, headers)),
    }
