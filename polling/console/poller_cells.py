"""What lists and pages say of one poller. Each saying has an id, so that it can be brought up to date in place."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from instances.console.badges import badge
from instances.console.moments import ago, moment
from polling.console.poller_state import TONES, obstacle_of, state_of
from polling.models import PollCursor

LONGEST_OBSTACLE: Final = 160
_SOON: Final = timedelta(seconds=10)
_NOTHING: Final = mark_safe('<span class="console-subtle">nothing</span>')


def live(cursor: PollCursor, name: str, *, now: datetime, is_update: bool = False) -> SafeString:
    """One saying; as an update it takes the place of the one that the page shows."""
    out_of_band = mark_safe(' hx-swap-oob="true"') if is_update else ""
    return format_html(
        '<span id="poller-{}-{}" class="polling-cell polling-{}" x-ignore{}>{}</span>',
        *(cursor.pk, name, name, out_of_band, _SAYINGS[name](cursor, now)),
    )


def updates(cursor: PollCursor, *, now: datetime) -> list[SafeString]:
    return [live(cursor, name, now=now, is_update=True) for name in _SAYINGS]


def _state(cursor: PollCursor, now: datetime) -> SafeString:
    state = state_of(cursor, now=now)
    return badge(state, TONES.get(state, ""))


def _read_up_to(cursor: PollCursor, _now: datetime) -> SafeString:
    return moment(cursor.watermark)


def _last_poll(cursor: PollCursor, _now: datetime) -> SafeString:
    if cursor.last_polled_at is None:
        return ago(None, never="not yet")
    if cursor.failures or cursor.last_error:
        went = "failed" if cursor.failures else "put off"
    else:
        count = cursor.last_change_count
        went = "nothing new" if not count else f"{count:,} change{'' if count == 1 else 's'}"
    return format_html('{} <span class="console-subtle">{}</span>', ago(cursor.last_polled_at), went)


def _next_poll(cursor: PollCursor, now: datetime) -> SafeString:
    if not cursor.is_active:
        return format_html('<span class="console-subtle">{}</span>', "none")
    if cursor.leased_until is not None and cursor.leased_until > now:
        when = format_html("<span>{}</span>", "being polled now")
    elif cursor.next_poll_at <= now + _SOON:
        when = format_html("<span>{}</span>", "due now" if cursor.next_poll_at <= now else "in a moment")
    else:
        when = ago(cursor.next_poll_at)
    return format_html('{} <span class="console-subtle">every {}</span>', when, interval(cursor))


def _obstacle(cursor: PollCursor, now: datetime) -> SafeString:
    what = obstacle_of(cursor, now=now).what
    if not what:
        return _NOTHING
    return format_html("{}", what if len(what) <= LONGEST_OBSTACLE else f"{what[: LONGEST_OBSTACLE - 1]}…")


def interval(cursor: PollCursor) -> str:
    """`15 min`, `30 s`: as the instance asks for it."""
    minutes = float(cursor.instance.poll_interval_minutes)
    return f"{minutes:g} min" if minutes >= 1 else f"{minutes * 60:g} s"


_SAYINGS: Final[dict[str, Callable[[PollCursor, datetime], SafeString]]] = {
    "state": _state,
    "read_up_to": _read_up_to,
    "last_poll": _last_poll,
    "next_poll": _next_poll,
    "obstacle": _obstacle,
}
