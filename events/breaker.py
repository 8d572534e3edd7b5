"""When a receiver that fails is left alone, tried with one event, and trusted again. Decided from values.

Closed, everything goes. Open, nothing goes but a probe now and then. Recovering, it goes slowly at first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from events.models import Circuit

WINDOW = timedelta(minutes=5)
LEAST_ATTEMPTS = 10
FAILING_SHARE = 0.7
RELAPSE_SHARE = 0.5
"""Of what is sent while it recovers: less than that may fail."""
FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(minutes=15)
LONGEST_WAIT_DEACTIVATED = timedelta(hours=6)
LONGEST_PAUSE = timedelta(minutes=15)
FASTEST_START = 256
"""Per second. A receiver that takes so many is trusted again."""

# The first step at which the wait has reached LONGEST_WAIT: on the way to LONGEST_WAIT_DEACTIVATED it begins here.
_MOST_TRIPS_ACTIVE = 5
_MOST_DOUBLINGS = 20
_NOTHING = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """The columns of a `Circuit`."""

    state: str = Circuit.CLOSED
    window_started_at: datetime | None = None
    window_failures: int = 0
    window_successes: int = 0
    failing_since: datetime | None = None
    failures: int = 0
    warned_percent: int = 0
    opened_at: datetime | None = None
    next_probe_at: datetime | None = None
    trips: int = 0
    recovering_since: datetime | None = None
    recovering_claims: int = 0
    paused_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What became of some attempts at one receiver that ended one after the other."""

    successes: int = 0
    failures: int = 0
    """That speak for opening."""
    unrelieved: int = 0
    """Failures behind the last success, those among them by which a receiver only asked for patience."""
    probe: bool | None = None
    """How the probe went; None if none was among them."""
    pause: timedelta = _NOTHING
    """The longest that the receiver asked for."""
    is_unretried: bool = False
    """Whether failures are not retried, as the account wants it: there is nothing to protect the receiver from."""


def after(breaker: Breaker, tally: Tally, *, now: datetime, is_deactivated: bool = False) -> Breaker:
    """The breaker when these attempts have been counted."""
    breaker = _paused(_with_spell(_counted(breaker, tally, now), tally, now), tally, now)
    if tally.is_unretried and not is_deactivated:
        return closed(replace(breaker, failing_since=None, failures=0, warned_percent=0))
    if breaker.state == Circuit.OPEN:
        return _after_probe(breaker, tally, now, is_deactivated)
    if breaker.state == Circuit.RECOVERING:
        has_relapsed = tally.failures > 0 and _failing_share(breaker) >= RELAPSE_SHARE
        return (
            _opened(breaker, now, trips=breaker.trips + 1, is_deactivated=is_deactivated) if has_relapsed else breaker
        )
    is_tripping = (
        tally.failures > 0
        and breaker.window_failures + breaker.window_successes >= LEAST_ATTEMPTS
        and _failing_share(breaker) >= FAILING_SHARE
    )
    return _opened(breaker, now, trips=0, is_deactivated=is_deactivated) if is_tripping else breaker


def deactivated(breaker: Breaker, *, now: datetime, is_for_good: bool) -> Breaker:
    """When the receiver is given up on. For good: it is not even tried."""
    breaker = _opened(breaker, now, trips=min(breaker.trips, _MOST_TRIPS_ACTIVE), is_deactivated=True)
    return replace(breaker, next_probe_at=None) if is_for_good else breaker


def closed(breaker: Breaker) -> Breaker:
    """What was counted in the window stays, and so does since when it fails."""
    return replace(
        breaker,
        state=Circuit.CLOSED,
        opened_at=None,
        next_probe_at=None,
        trips=0,
        recovering_since=None,
        recovering_claims=0,
    )


def started(breaker: Breaker, *, now: datetime, due: int) -> tuple[Breaker, int]:
    """A recovering breaker, and how many of the `due` deliveries may be sent now: 1, 2, 4 ... in each second.

    Closed when that would be faster than FASTEST_START, or when nothing is left to send. The first second begins when
    the first is sent: time that passed before earned no trust.
    """
    since = (breaker.recovering_since if breaker.recovering_claims else None) or now
    seconds = max(0, int((now - since).total_seconds()))
    if not due or seconds >= FASTEST_START.bit_length():
        return closed(breaker), 0
    allowed = 2 ** (seconds + 1) - 1
    most = max(0, min(due, allowed - breaker.recovering_claims))
    return replace(breaker, recovering_since=since, recovering_claims=breaker.recovering_claims + most), most


def wait(trips: int, *, is_deactivated: bool = False) -> timedelta:
    """Until the next probe."""
    longest = LONGEST_WAIT_DEACTIVATED if is_deactivated else LONGEST_WAIT
    return min(FIRST_WAIT * (1 << min(trips, _MOST_DOUBLINGS)), longest)


def is_idle(breaker: Breaker, *, now: datetime) -> bool:
    """Whether it says no more than no breaker would."""
    return (
        breaker.state == Circuit.CLOSED
        and breaker.failing_since is None
        and (breaker.window_started_at is None or now - breaker.window_started_at >= WINDOW)
        and (breaker.paused_until is None or breaker.paused_until <= now)
    )


def _counted(breaker: Breaker, tally: Tally, now: datetime) -> Breaker:
    if not tally.successes and not tally.failures:
        return breaker
    if breaker.window_started_at is None or now - breaker.window_started_at >= WINDOW:
        # One that is closed counts from a failure on: as long as nothing fails there is nothing to decide.
        begins_at = now if tally.failures or breaker.state != Circuit.CLOSED else None
        breaker = replace(breaker, window_started_at=begins_at, window_failures=0, window_successes=0)
    if breaker.window_started_at is None:
        return breaker
    return replace(
        breaker,
        window_failures=breaker.window_failures + tally.failures,
        window_successes=breaker.window_successes + tally.successes,
    )


def _with_spell(breaker: Breaker, tally: Tally, now: datetime) -> Breaker:
    if tally.successes:
        breaker = replace(breaker, failing_since=None, failures=0, warned_percent=0)
    if tally.unrelieved:
        breaker = replace(
            breaker, failing_since=breaker.failing_since or now, failures=breaker.failures + tally.unrelieved
        )
    return breaker


def _paused(breaker: Breaker, tally: Tally, now: datetime) -> Breaker:
    if not tally.pause:
        return breaker
    until = now + min(tally.pause, LONGEST_PAUSE)
    until = max(until, breaker.paused_until or until)
    if breaker.state == Circuit.RECOVERING:
        # It starts anew behind the pause: time that passed without sending earned no trust.
        breaker = replace(breaker, recovering_since=until, recovering_claims=0)
    return replace(breaker, paused_until=until)


def _after_probe(breaker: Breaker, tally: Tally, now: datetime, is_deactivated: bool) -> Breaker:
    """Of an open breaker. What was under way when it opened changes nothing any more."""
    if tally.probe is None:
        return breaker
    if not tally.probe:
        return _opened(breaker, now, trips=breaker.trips + 1, is_deactivated=is_deactivated)
    return replace(
        breaker,
        state=Circuit.RECOVERING,
        next_probe_at=None,
        recovering_since=now,
        recovering_claims=0,
        window_started_at=now,
        window_failures=0,
        window_successes=0,
    )


def _opened(breaker: Breaker, now: datetime, *, trips: int, is_deactivated: bool) -> Breaker:
    return replace(
        breaker,
        state=Circuit.OPEN,
        opened_at=breaker.opened_at or now,
        next_probe_at=now + wait(trips, is_deactivated=is_deactivated),
        trips=trips,
        recovering_since=None,
        recovering_claims=0,
    )


def _failing_share(breaker: Breaker) -> float:
    attempts = breaker.window_failures + breaker.window_successes
    return breaker.window_failures / attempts if attempts else 0.0
