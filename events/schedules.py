"""When failed attempts are repeated: presets, or a list of somebody's own.

A schedule is written as the name of a preset, or as seconds after the first failure, comma-separated. Every step is
counted from the first failure, since that is how the schedule that clients know is meant: a little under 73 hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from itertools import accumulate

DEFAULT = "elements-9"


@dataclass(frozen=True, slots=True)
class Schedule:
    """The moments of the retries, counted from the first failure, growing."""

    steps: tuple[timedelta, ...]

    @property
    def end(self) -> timedelta:
        """No retry that a receiver postponed lies farther than this behind the first failure."""
        return self.steps[-1]


def _seconds(*seconds: float) -> Schedule:
    return Schedule(tuple(timedelta(seconds=one) for one in seconds))


PRESETS = {
    DEFAULT: _seconds(*(4**x for x in range(1, 10))),
    "sap-5": _seconds(*(8**x for x in range(1, 6))),
    # 5 s, 5 min, 30 min, 2, 5, 10, 14, 20 and 24 h, each after the attempt before it.
    "standard-webhooks": _seconds(*accumulate((5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400))),
}


@lru_cache(maxsize=1000)
def schedule_of(text: str) -> Schedule:
    """What a stored schedule means; it was checked when it was stored."""
    return PRESETS.get(text) or _seconds(*(float(one) for one in text.split(",")))
