"""What a replay means and how far it is, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from events import where
from events.models import Replay
from events.replay_requests import Wanted
from events.replays import GOING_ON
from instances.console import moments

STATUSES = {
    where.QUEUED: ("Queued", "kept until their receiver is back, or somebody asks for them"),
    where.ABANDONED: ("Abandoned", "somebody told us to stop"),
    where.RETRY: ("Being retried", "failed so far, and tried again by themselves; a replay begins them at once"),
    where.DELIVERED: ("Delivered", "their receivers get them once more"),
}
NAMED_IDS = 5
_UNITS = ("bytes", "kB", "MB", "GB", "TB")


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a replay is."""

    percent: int
    left: int
    """Deliveries that it has still to begin, or to pass over."""
    words: str


def wanted_words(wanted: Mapping[str, Any], *, instance_name: str = "") -> list[tuple[str, str]]:
    """What was asked for, as terms and what they say. URLs without their query strings."""
    asked = Wanted.from_json(wanted)
    said = [("Deliveries that are", ", ".join(STATUSES[one][0].lower() for one in asked.statuses))]
    if asked.instance_id is not None:
        said.append(("Instance", f"{instance_name or 'gone'} ({asked.instance_id})"))
    if asked.subscription_id is not None:
        said.append(("Subscription", str(asked.subscription_id)))
    if asked.begins_at or asked.ends_at:
        said.append(("Events from", _time(asked.begins_at, asked.ends_at)))
    for label, ids in (("Events", asked.event_ids), ("Delivery ids", asked.delivery_ids)):
        if ids:
            said.append((label, _ids(ids)))
    columns = where.parse(asked.where).columns
    if "url" in columns:
        said.append(("To", columns["url"].partition("?")[0]))
    return said


def wanted_line(wanted: Mapping[str, Any], *, instance_name: str = "") -> str:
    """The same in one line."""
    first, *others = wanted_words(wanted, instance_name=instance_name)
    return "; ".join([first[1], *(f"{label.lower()} {text}" for label, text in others)])


def progress(replay: Replay) -> Progress:
    done = replay.begun + replay.passed_over
    left = max(0, replay.total - done) if replay.state in GOING_ON else 0
    percent = 100 * done // replay.total if replay.total else 100
    if replay.state == Replay.FINISHED:
        return Progress(percent=100, left=0, words=_finished(replay))
    count = f"{done:,} of {replay.total:,} deliveries"
    if replay.state == Replay.PAUSED:
        words = f"Paused after {count}. Nothing more begins until it goes on."
    elif replay.state == Replay.CANCELLED:
        words = f"Cancelled after {count}. What was begun is still delivered."
    else:
        words = f"{count} so far, {duration(left, replay.rate)} to go."
    return Progress(percent=min(99, percent), left=left, words=words)


def duration(count: int, rate: int) -> str:
    """How long so many deliveries take at a rate per second, at least."""
    length = timedelta(seconds=max(1, round(count / rate)))
    return f"about {moments.span(length)}"


def size(number: int) -> str:
    """`1.5 MB`."""
    value, unit = float(number), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.1f} {_UNITS[unit]}" if unit else f"{number} {'byte' if number == 1 else 'bytes'}"


def _finished(replay: Replay) -> str:
    if not replay.total:
        return "Nothing matched: there was nothing to begin."
    said = f"Finished: {replay.begun:,} of {replay.total:,} deliveries were begun again."
    other = replay.total - replay.begun - replay.passed_over
    if replay.passed_over:
        said += f" {replay.passed_over:,} were left alone, as their subscriptions are deactivated."
    if other > 0:
        said += f" {other:,} had been sent otherwise meanwhile."
    return said


def _time(begins_at: datetime | None, ends_at: datetime | None) -> str:
    begins = moments.absolute(begins_at) if begins_at else "the beginning"
    ends = moments.absolute(ends_at) if ends_at else "when the replay was asked for"
    return f"{begins} to {ends}"


def _ids(ids: Sequence[int]) -> str:
    shown = ", ".join(str(one) for one in ids[:NAMED_IDS])
    return shown if len(ids) <= NAMED_IDS else f"{shown} and {len(ids) - NAMED_IDS:,} more"
