"""Why did I (not) get it? Everything that is known of one object, in the order it happened, and a summary in words.

Read from what the hot paths leave behind anyway: the ledger (what became an event), decisions (what did not), callbacks
that wait, how polls went, and deliveries. Nobody is asked anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from django.db import connection
from django.db.models import Q

from events import decisions, traced_callbacks, traced_events
from events.models import Callback, Decision, Event, SeenChange
from events.traced_callbacks import TracedCallback
from events.traced_events import TracedEvent
from instances.models import Instance
from polling import standing, trace_words
from polling.models import PollRun
from polling.trace_words import Entry

MOST_ENTRIES = 200
"""The newest."""
RUNS_LOOKED_AT = 1_000

WAITING, REFUSED, POLL_FAILED, BASELINE = "waiting", "refused", "poll_failed", "baseline"
KINDS = ("created", "updated", "deleted", "unknown", BASELINE, *decisions.KINDS, WAITING, REFUSED, POLL_FAILED)
"""What an entry can say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    summary: str
    kept_since: datetime
    entries: tuple[Entry, ...]
    """The oldest first."""


def trace(*, instance: Instance, object_type: str, object_id: str) -> Trace:
    now = _now()
    stands = standing.of(instance, object_type=object_type, now=now)
    runs = _runs(instance, object_type)
    seen = _ledger(instance, object_type, object_id)
    event_ids = [row.event_id for row in seen if row.event_id is not None]
    events = traced_events.trace(event_ids, instance=instance, now=now)
    about_it = [
        *_of_changes(seen, events, runs),
        *_of_decisions(instance, object_type, object_id),
        *(
            _of_callback(one)
            for one in traced_callbacks.trace(instance=instance, object_type=object_type, object_id=object_id)
        ),
    ]
    # Where records came without an id, it may have been one of them.
    perhaps = [*_of_decisions(instance, object_type, ""), *_of_failures(runs, since=stands.kept_since)]
    about_it = _newest(about_it, MOST_ENTRIES)
    return Trace(
        summary=trace_words.summary(f"{object_type} {object_id}", about_it, stands),
        kept_since=stands.kept_since,
        entries=tuple(_newest([*about_it, *_newest(perhaps, MOST_ENTRIES - len(about_it))], MOST_ENTRIES)),
    )


def is_known_type(instance: Instance, object_type: str) -> bool:
    """Whether something was ever noted under it, though nothing of the configuration has the name."""
    kept = (SeenChange.objects, Decision.objects)
    return any(rows.filter(instance=instance, object_type=object_type).exists() for rows in kept)


def _newest(entries: Sequence[Entry], most: int) -> list[Entry]:
    """The oldest of them first."""
    return sorted(entries, key=lambda entry: entry.at)[max(0, len(entries) - most) :]


def _now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        moment: datetime = cursor.fetchone()[0]
        return moment


def _runs(instance: Instance, resource: str) -> list[PollRun]:
    """The last ones, the newest first."""
    return list(PollRun.objects.filter(instance=instance, resource=resource).order_by("-pk")[:RUNS_LOOKED_AT])


def _ledger(instance: Instance, object_type: str, object_id: str) -> list[SeenChange]:
    """The newest first."""
    rows = SeenChange.objects.filter(instance=instance, object_type=object_type, object_id=object_id)
    # What a poll read in the second of a save that a callback told of is noted for comparison only, also once another
    # poll has read it again.
    glimpse = Q(found_by=SeenChange.WEBHOOK) | Q(found_by=SeenChange.BOTH, version__contains="#")
    return list(rows.exclude(glimpse, event_type="").order_by("-pk")[:MOST_ENTRIES])


def _of_changes(seen: Sequence[SeenChange], events: Mapping[int, TracedEvent], runs: list[PollRun]) -> list[Entry]:
    """The oldest first."""
    entries: list[Entry] = []
    for row in seen:
        event = events.get(row.event_id) if row.event_id is not None else None
        at = event.created_at if event else row.seen_at
        if row.changed_at is None and entries:
            # Of what has no stamp it is known when it was last met, which may be later than what came after it.
            at = min(at, entries[-1].at)
        entries.append(_of_change(row, event, at=at, runs=runs))
    return entries[::-1]


def _of_change(row: SeenChange, event: TracedEvent | None, *, at: datetime, runs: list[PollRun]) -> Entry:
    source = event.source if event else Event.WEBHOOK if row.found_by == SeenChange.WEBHOOK else Event.POLL
    return Entry(
        at=at,
        source=source,
        decision=row.event_type.lower() or BASELINE,
        detail=trace_words.of_change(row, event, source=source),
        event_id=row.event_id,
        poll_id=_run_at(at, runs) if source == Event.POLL else None,
        deliveries=event.deliveries if event else (),
    )


def _run_at(at: datetime, runs: list[PollRun]) -> int | None:
    return next((run.pk for run in runs if run.began_at <= at), None)


def _of_decisions(instance: Instance, object_type: str, object_id: str) -> Iterator[Entry]:
    rows = Decision.objects.filter(instance=instance, object_type=object_type, object_id=object_id)
    for row in rows.order_by("-pk")[:MOST_ENTRIES]:
        yield Entry(
            at=row.decided_at,
            source=row.source,
            decision=row.decision,
            detail=trace_words.of_decision(row),
            callback_id=row.callback_id,
        )


def _of_callback(one: TracedCallback) -> Entry:
    return Entry(
        at=one.received_at,
        source=Event.WEBHOOK,
        decision=WAITING if one.state == Callback.WAITING else REFUSED,
        detail=trace_words.of_callback(one),
        callback_id=one.callback_id,
    )


def _of_failures(runs: list[PollRun], *, since: datetime) -> Iterator[Entry]:
    """One entry for as many polls in a row as failed alike; those that found nothing new meanwhile are not known."""
    failed = [run for run in reversed(runs) if run.began_at >= since]
    for error, group in groupby(failed, key=lambda run: run.error):
        if error:
            alike = list(group)
            yield Entry(
                at=alike[0].began_at,
                source=Event.POLL,
                decision=POLL_FAILED,
                detail=trace_words.of_failures(alike),
                poll_id=alike[-1].pk,
            )
