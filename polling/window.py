"""Which span of time a poll asks about, and how far a resource is known to be read after it. No clock, no database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from connectors.poller import ResourcePoller

LEDGER_MARGIN = timedelta(hours=1)
"""The ledger remembers this much more than polls ask for, so that a longer overlap or delay can be configured later."""
UNSTAMPED_MEMORY = timedelta(days=1)
"""How long the ledger remembers a record without a stamp after it was last met."""

CALLBACK_MEMORY = timedelta(days=30)
"""Where callbacks are heard the ledger remembers this much, so that late and repeated ones are known. A callback older
than `events.understanding.KNOWN_FOR`, a day less, is not recorded any more."""

_EARLIEST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What a poll asks about. All moments are by the provider's clock."""

    since: datetime
    """Records stamped earlier were had by an earlier poll. It is also the moment that the macros of the url write."""
    baseline_at: datetime
    """When events began."""
    is_first: bool
    """The first poll notes what was stamped before the baseline, so that it is known and no event."""
    known_id: int | None
    """Ids up to here existed before; None where ids are no numbers."""
    remembered_since: datetime | None = None
    """The ledger knows every change stamped from here on; None before the first poll."""


def window_of(
    *,
    watermark: datetime,
    baseline_at: datetime,
    is_baseline_read: bool,
    known_id: int | None,
    poller: ResourcePoller,
    overlap: timedelta,
    remembered_since: datetime | None = None,
) -> Window:
    """The window of the next poll, from what its cursor says.

    It begins `overlap` before the watermark, because a save may become visible after a later one, and the resource's
    `pollDelay` before that; but not before what the ledger remembers, however much longer these have become.
    """
    since = _earlier(watermark, overlap + poller.poll_delay)
    return Window(
        since=since if remembered_since is None else max(since, remembered_since),
        baseline_at=baseline_at,
        is_first=not is_baseline_read,
        known_id=known_id,
        remembered_since=remembered_since,
    )


def next_watermark(*, watermark: datetime, greatest_stamp: datetime | None, first_page_at: datetime) -> datetime:
    """Up to where a resource is read after a poll that succeeded.

    The greatest stamp that any record carried, but not beyond the provider's clock at the first page: what was saved
    while later pages were read may be on a page already behind, and a stamp from the year 2099 must hide nothing. A
    poll that found nothing proves nothing, and a watermark never goes back.
    """
    if greatest_stamp is None:
        return watermark
    return max(watermark, min(greatest_stamp, first_page_at))


def ledger_horizon(
    *,
    watermark: datetime,
    poller: ResourcePoller,
    overlap: timedelta,
    clock: datetime,
    traced: timedelta,
    hears_callbacks: bool,
) -> datetime:
    """The ledger can forget what is stamped before this: no poll from `watermark` on will meet it again.

    `clock` is the provider's. It is kept for as long as somebody may ask what became of a change (`traced`), and where
    callbacks are heard for as long as these may come late, or once more.
    """
    horizon = _earlier(watermark, overlap + poller.poll_delay + LEDGER_MARGIN)
    return min(horizon, _earlier(clock, max(traced, CALLBACK_MEMORY) if hears_callbacks else traced))


def next_known_id(*, known_id: int | None, greatest_forgotten: int | None) -> int | None:
    """Ids that the ledger forgets are known all the same. None stays None: there, ids say nothing."""
    if known_id is None or greatest_forgotten is None:
        return known_id
    return max(known_id, greatest_forgotten)


def _earlier(moment: datetime, span: timedelta) -> datetime:
    try:
        return moment - span
    except OverflowError:
        return _EARLIEST
