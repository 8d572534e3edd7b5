"""When failed attempts are repeated: presets, or a list of somebody's own.

A schedule is written as the name of a preset, or as seconds after the first failure, comma-separated. Every step is
counted from the first failure, since that is how the schedule that clients know is meant: a little under 73 hours.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from itertools import accumulate, pairwise

from instances.errors import InvalidRequest

DEFAULT = "elements-9"
MOST_STEPS = 20
LONGEST_SECONDS = 30 * 86_400
LONGEST_TEXT = 1000

_LIST = re.compile(r"[0-9]+(\s*,\s*[0-9]+)*")


@dataclass(frozen=True, slots=True)
class Schedule:
    """The moments of the retries, counted from the first failure, growing."""

    steps: tuple[timedelta, ...]

    @property
    def end(self) -> timedelta:
        """No retry that a receiver postponed lies farther than this behind the first failure."""
        return self.steps[-1]


def _of_seconds(seconds: Sequence[int]) -> Schedule:
    return Schedule(tuple(timedelta(seconds=one) for one in seconds))


PRESETS = {
    DEFAULT: _of_seconds([4**x for x in range(1, 10)]),
    "sap-5": _of_seconds([8**x for x in range(1, 6)]),
    # 5 s, 5 min, 30 min, 2, 5, 10, 14, 20 and 24 h, each after the attempt before it.
    "standard-webhooks": _of_seconds([*accumulate((5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400))]),
}


@lru_cache(maxsize=1000)
def schedule_of(text: str) -> Schedule:
    """What a stored schedule means; it was checked when it was stored."""
    return PRESETS.get(text) or _of_seconds([int(one) for one in text.split(",")])


def parse(key: str, sent: object) -> str:
    """What somebody sent as `key`, in the form that is stored. Raises InvalidRequest naming the key."""
    if isinstance(sent, str) and sent.strip().lower() in PRESETS:
        return sent.strip().lower()
    seconds = _seconds(key, sent)
    if len(seconds) > MOST_STEPS:
        raise InvalidRequest(f"{key}: send at most {MOST_STEPS} retries, not {len(seconds)}")
    if seconds[0] < 1 or seconds[-1] > LONGEST_SECONDS:
        raise InvalidRequest(f"{key}: send seconds from 1 to {LONGEST_SECONDS}, which are 30 days")
    for earlier, later in pairwise(seconds):
        if later <= earlier:
            raise InvalidRequest(
                f"{key}: each number counts from the first failure and is greater than the one before; "
                f"{later} comes after {earlier}"
            )
    return ",".join(str(one) for one in seconds)


def _seconds(key: str, sent: object) -> list[int]:
    """At least one number. Raises InvalidRequest."""
    if isinstance(sent, str) and len(sent) <= LONGEST_TEXT:
        text = sent.strip()
        text = text[1:-1].strip() if text.startswith("[") and text.endswith("]") else text
        if _LIST.fullmatch(text):
            return [int(one) for one in text.split(",")]
    if isinstance(sent, int) and not isinstance(sent, bool):
        return [sent]
    if isinstance(sent, list) and sent and all(isinstance(one, int) and not isinstance(one, bool) for one in sent):
        return sent
    raise InvalidRequest(
        f"{key}: send {', '.join(PRESETS)}, or whole seconds after the first failure, such as 10,60,600"
    )
