"""What a poll can make of a record, as values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from connectors.change import Change
from connectors.poller import ResourcePoller
from events.ledger import Confirmation, SeenVersion
from polling.facts import RecordFacts
from polling.window import Window

BOGUS_AHEAD: Final = timedelta(days=1)
"""A stamp this far beyond the provider's clock is no time of saving; it will not be saved again under it."""
UNDER_WAY: Final = timedelta(seconds=30)
"""So long after a save its callbacks may still come: providers that try again do so within seconds."""


class Ignored(StrEnum):
    """Why a record is no change."""

    BEFORE_WINDOW = "before the window"
    AFTER_START = "after the poll began"
    REPEAT = "seen before"
    SETTLED = "seen before, and no longer open to another save within its second"
    NO_ID = "no id"
    UNDER_WAY = "told by callbacks a moment ago, and more of them may come; the next poll meets it again"


@dataclass(frozen=True, slots=True)
class Noted:
    """A record from before the baseline: the ledger is to know it, nobody is told."""

    change: Change


@dataclass(frozen=True, slots=True)
class Glimpsed:
    """What a record said within the very second of a save that a callback told of.

    The ledger is to know it, nobody is told: if it says something else later, and no callback told of that, then it
    was saved once more in that second. What callbacks say cannot be compared with records, so only this can show it.
    """

    change: Change


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What callbacks told of, read."""

    confirmations: tuple[Confirmation, ...]
    change: Change | None = None
    """What they left out of it."""


Decision = Ignored | Noted | Glimpsed | Confirmed | Change
Witness = Callable[[RecordFacts, Sequence[SeenVersion], Decision], None]
"""Hears of every record what the ledger held of it and what was decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """What holds for all records of one poll of one resource."""

    poller: ResourcePoller
    window: Window
    started_at: datetime
    """The provider's clock at the first page."""
    filters_nulls: bool
    overlap: timedelta = timedelta(minutes=2)
    """How late a save may become visible."""


@dataclass(slots=True, kw_only=True)
class PageDecisions:
    changes: list[Change] = field(default_factory=list)
    noted: list[Change] = field(default_factory=list)
    """For `ledger.note`; without their raw."""
    glimpsed: list[Change] = field(default_factory=list)
    """Likewise, as found by callbacks."""
    confirmed: list[Confirmation] = field(default_factory=list)
    """For `ledger.confirm`."""
    unstamped: list[str] = field(default_factory=list)
    """For `ledger.touch`: ids of records without a stamp that were met again."""
    settled: list[tuple[str, str]] = field(default_factory=list)
    """For `ledger.settle`: object id and version of saves that were read again after their second was over."""
    ignored: Counter[Ignored] = field(default_factory=Counter)
    unreadable_stamps: int = 0
    greatest_stamp: datetime | None = None
    """Of all records, ignored ones too; for the watermark."""
