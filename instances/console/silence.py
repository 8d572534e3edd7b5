"""What every page says while nobody looks after a queue."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from instances.heartbeats import Pulse

_CONSEQUENCES = {
    "polling": "Changes at providers are not noticed, and jobs do not run.",
    "delivery": "Notifications wait.",
    "callbacks": "What providers send to us waits, and so do replays.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    queue: str
    label: str
    seen_at: datetime | None
    consequence: str


def silences(pulses: Iterable[Pulse], *, now: datetime) -> list[Silence]:
    return [
        Silence(
            queue=pulse.queue,
            label=pulse.label,
            seen_at=pulse.seen_at,
            consequence=_CONSEQUENCES.get(pulse.queue, ""),
        )
        for pulse in pulses
        if pulse.is_silent(now)
    ]
