"""How many events and attempts each organization had, by time: counted once a minute, so that charts count nothing.

A run counts what is new and the last minutes again, for what was committed late. The rows themselves say how far it
had got, so it makes no difference how long nobody ran it, or who died over it: one of noughts is written where nothing
happened, or quiet times would be counted again after their events were forgotten. Five minutes are counted at a time,
and made into hours later: a month of an organization is some 700 rows.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import transaction

from events.models import ActivityTally
from events.plain_cursor import plain_cursor

logger = logging.getLogger(__name__)

BUCKET = timedelta(minutes=5)
LATE = timedelta(minutes=5)
"""How long after it began an attempt may be written, or how old a change may be when it is committed."""
KEPT = timedelta(days=31)
AT_ONCE = timedelta(days=1)
"""What one transaction counts, where much is to be caught up with."""
_HOUR = timedelta(hours=1)
_ROLLED_UP_AFTER = timedelta(hours=2)
_LOCK = 0x7A11_1E5
"""Two runs at a time would count the same twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    starts_at: datetime
    events: int
    delivered: int
    failed: int
    """Attempts, both of them."""


def count() -> None:
    """Bring the tallies up to now."""
    with plain_cursor() as cursor:
        cursor.execute(_HOW_FAR, [KEPT])
        ((now, counted_until),) = cursor.fetchall()
    for since, until in _steps(counted_until=counted_until, now=now):
        with transaction.atomic(), plain_cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%b::int)", [_LOCK])
            if cursor.fetchone() != (True,):
                logger.info("activity not counted, somebody else is at it")
                return
            cursor.execute("DELETE FROM events_activitytally WHERE starts_at >= %b AND starts_at < %b", [since, until])
            cursor.execute(_COUNT, [BUCKET, since, until, BUCKET, since, until])
            cursor.execute(_COUNTED, [until - BUCKET])
            hours_until = _floor(now - _ROLLED_UP_AFTER, _HOUR)
            # Rows that wait to be made into hours are at most so much older than what is counted now.
            cursor.execute(_ROLL_UP, [min(since, hours_until) - 2 * _ROLLED_UP_AFTER, hours_until])
    ActivityTally.objects.filter(starts_at__lt=now - KEPT).delete()


def of(organization_id: int | None, *, since: datetime, until: datetime, step: timedelta) -> list[Tally]:
    """Of an organization, or of all of them, in steps of hours or days; those without anything are there, too."""
    first, last = _floor(since, step), _floor(until, step)
    with plain_cursor() as cursor:
        cursor.execute(_READ, [step, organization_id, organization_id, first, last + step])
        found = {row[0]: Tally(starts_at=row[0], events=row[1], delivered=row[2], failed=row[3]) for row in cursor}
    starts = [first + step * number for number in range((last - first) // step + 1)]
    return [found.get(start) or Tally(starts_at=start, events=0, delivered=0, failed=0) for start in starts]


def _steps(*, counted_until: datetime, now: datetime) -> Iterator[tuple[datetime, datetime]]:
    since = _floor(counted_until - LATE, BUCKET)
    if since < now - _HOUR:
        # It may be an hour by now, and is counted as a whole then.
        since = _floor(since, _HOUR)
    end = _floor(now, BUCKET) + BUCKET
    while since < end:
        until = min(since + AT_ONCE, end)
        yield since, until
        since = until


def _floor(moment: datetime, step: timedelta) -> datetime:
    beginning = datetime(2001, 1, 1, tzinfo=UTC)
    return beginning + (moment - beginning) // step * step


_HOW_FAR = """
SELECT now, least(now, coalesce((SELECT max(starts_at) FROM events_activitytally), now - %b::interval))
FROM (SELECT statement_timestamp() AS now) AS clock
"""

_BEGINNING = "timestamptz '2001-01-01 00:00:00+00'"

_COUNT = f"""
INSERT INTO events_activitytally (organization_id, starts_at, events, delivered, failed)
SELECT organization_id, starts_at, sum(events), sum(delivered), sum(failed) FROM (
    SELECT coalesce(event.organization_id, instance.organization_id) AS organization_id,
        date_bin(%b::interval, event.created_at, {_BEGINNING}) AS starts_at,
        count(*) AS events, 0 AS delivered, 0 AS failed
    FROM events_event AS event LEFT JOIN instances_instance AS instance ON instance.id = event.instance_id
    WHERE event.created_at >= %b AND event.created_at < %b
    GROUP BY 1, 2
    UNION ALL
    SELECT delivery.organization_id, date_bin(%b::interval, attempt.started_at, {_BEGINNING}),
        0, count(*) FILTER (WHERE attempt.error_class = ''), count(*) FILTER (WHERE attempt.error_class <> '')
    FROM events_deliveryattempt AS attempt JOIN events_delivery AS delivery ON delivery.id = attempt.delivery_id
    WHERE attempt.started_at >= %b AND attempt.started_at < %b
    GROUP BY 1, 2
) AS counted
WHERE organization_id IS NOT NULL GROUP BY 1, 2
"""  # noqa: S608

_COUNTED = """
INSERT INTO events_activitytally (organization_id, starts_at, events, delivered, failed)
SELECT min(id), %b::timestamptz, 0, 0, 0 FROM instances_organization HAVING count(*) > 0 ON CONFLICT DO NOTHING
"""

_ROLL_UP = """
WITH gone AS (
    DELETE FROM events_activitytally
    WHERE starts_at >= %b AND starts_at < %b AND starts_at <> date_trunc('hour', starts_at, 'UTC')
    RETURNING organization_id, date_trunc('hour', starts_at, 'UTC') AS hour, events, delivered, failed
)
INSERT INTO events_activitytally AS tally (organization_id, starts_at, events, delivered, failed)
SELECT organization_id, hour, sum(events), sum(delivered), sum(failed) FROM gone GROUP BY 1, 2
ON CONFLICT (organization_id, starts_at) DO UPDATE SET events = tally.events + excluded.events,
    delivered = tally.delivered + excluded.delivered, failed = tally.failed + excluded.failed
"""

_READ = f"""
SELECT date_bin(%b::interval, starts_at, {_BEGINNING}), sum(events)::bigint, sum(delivered)::bigint, sum(failed)::bigint
FROM events_activitytally
WHERE (%b::bigint IS NULL OR organization_id = %b::bigint) AND starts_at >= %b AND starts_at < %b GROUP BY 1
"""  # noqa: S608
