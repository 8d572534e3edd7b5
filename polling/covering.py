"""Callbacks may have been lost: up to when, and whether polls have looked since."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from events import suspicion
from polling.models import PollCursor


def cover(cursor: PollCursor, *, interval: timedelta) -> None:
    """After a poll of an instance that hears callbacks has been committed: close its suspect window if that covers it.

    It is covered when each of the instance's cursors has had a poll that succeeded and began within the window's time
    or later; cursors that were stopped are not waited for. A poll that was under way when the window opened covers
    nothing: its cursor is due again. Costs one indexed read where no window is open.
    """
    with connection.cursor() as sql:
        sql.execute(_COVERED, {"instance": cursor.instance_id, "cursor": cursor.pk})
        row = sql.fetchone()
        if row is None:
            return
        covered_since, began_before = row
        if began_before:
            wait: Any = max(interval, timedelta(seconds=settings.POLL_INTERVAL_FLOOR))
            sql.execute(_AGAIN, {"cursor": cursor.pk, "interval": wait})
    if covered_since is not None:
        suspicion.close(instance_id=cursor.instance_id, covered_since=covered_since)


# Two polls that end at the same moment each look after their commit, so that at least one of them sees both.
_COVERED = """
    SELECT CASE WHEN bool_and(coalesce(cursor.covered_at > inbox.suspect_at, FALSE)) THEN min(cursor.covered_at) END,
        bool_or(cursor.id = %(cursor)s AND cursor.covered_at <= inbox.suspect_at)
    FROM events_inbox inbox JOIN polling_pollcursor cursor ON cursor.instance_id = inbox.instance_id
    WHERE inbox.instance_id = %(instance)s AND inbox.suspect_at IS NOT NULL AND cursor.is_active
    GROUP BY inbox.id"""

# A pause of the account, which is longer than the interval, stands.
_AGAIN = """
    UPDATE polling_pollcursor SET next_poll_at = statement_timestamp()
    WHERE id = %(cursor)s AND is_active AND next_poll_at <= statement_timestamp() + %(interval)s"""
