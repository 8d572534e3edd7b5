"""How the console says when something was, or will be. `static/console/console.js` keeps the relative ones true."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
_JUST_NOW = timedelta(seconds=5)


def absolute(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def relative(moment: datetime, *, now: datetime) -> str:
    """`3 minutes ago`, `in 2 hours`."""
    apart = moment - now
    if abs(apart) < _JUST_NOW:
        return "in a moment" if apart > timedelta(0) else "just now"
    said = span(abs(apart))
    return f"in {said}" if apart > timedelta(0) else f"{said} ago"


def span(length: timedelta) -> str:
    """`3 minutes`: in the largest unit that fits, rounded down."""
    seconds = int(length.total_seconds())
    size, unit = next((one for one in _UNITS if seconds >= one[0]), _UNITS[-1])
    count = seconds // size
    return f"{count} {unit}{'' if count == 1 else 's'}"


def moment(at: datetime | None, *, never: str = "never") -> SafeString:
    """The moment itself, to the second."""
    if at is None:
        return format_html('<span class="console-subtle">{}</span>', never)
    return format_html('<time class="console-time" datetime="{}">{}</time>', _iso(at), absolute(at))


def ago(at: datetime | None, *, never: str = "never") -> SafeString:
    """How long ago, or in how long; the moment itself when pointed at."""
    if at is None:
        return format_html('<span class="console-subtle">{}</span>', never)
    return format_html(
        '<time class="console-time" datetime="{}" title="{}" data-relative>{}</time>',
        *(_iso(at), absolute(at), relative(at, now=timezone.now())),
    )


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
