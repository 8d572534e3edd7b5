"""The sandbox's own clock: its stamps and its `Date` header come from here and nowhere else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache


class SandboxClock:
    """Real time plus `offset`, or a moment that stands still. Not the clock of the machine that polls."""

    def __init__(self) -> None:
        self.offset = timedelta(0)
        self._frozen_at: datetime | None = None

    def now(self) -> datetime:
        """UTC, with fractions of a second."""
        return self._frozen_at if self._frozen_at is not None else datetime.now(UTC) + self.offset

    def freeze(self, at: datetime | None = None) -> None:
        """Stand still at `at` (default: at this moment) until `advance` or `resume`."""
        self._frozen_at = (at or self.now()).astimezone(UTC)

    def resume(self) -> None:
        """Go on with real time plus `offset`."""
        self._frozen_at = None

    def advance(self, by: timedelta = timedelta(0), *, seconds: float = 0.0) -> None:
        """Move ahead (or back) by `by`, or by `seconds`, whether frozen or running."""
        by += timedelta(seconds=seconds)
        if self._frozen_at is not None:
            self._frozen_at += by
        else:
            self.offset += by

    def http_date(self) -> str:
        """`now` as a `Date` header has it: `Tue, 09 Jun 2026 21:59:47 GMT`."""
        return _http_date(self.now().replace(microsecond=0))


@lru_cache(8)
def _http_date(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)


def stamp(moment: datetime) -> str:
    """A moment as ConnectWise writes it: UTC, whole seconds, `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")[:19] + "Z"


@lru_cache(65536)
def parse_stamp(text: str) -> datetime | None:
    """A moment in UTC from any ISO 8601 text, a naive one taken as UTC; None for anything else."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
