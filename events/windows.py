"""How many deliveries of one subscription may be under way, so that no slow receiver keeps the others waiting.

Decided per process, from how receivers have answered it. Nothing here reads a clock or the database. A claim is ahead
as long as it has been taken and not been started.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from events.claims import Ask, Claim
from events.lanes import Lane
from events.models import Delivery

BEGINNING = 4
LEAST = 2
QUICK_SECONDS = 1.0
SLOW_SECONDS = 2.0
TIMES_WHAT_IS_FREE = 4
"""Nobody has more under way than this many times the free places, so one stays free whoever hangs."""
AHEAD = 2
"""For each place, claims that wait for it: it is taken again at once, while the next are being claimed."""
REPLAYED = 0.1
"""The share of the places that replays have together."""
SLOW = 0.25
"""The share that those receivers have together whose last answer was slow or did not come, however many they are."""
MOST_RECEIVERS = 10_000


@dataclass(slots=True)
class Window:
    """What one subscription may have under way, and what it has."""

    size: int = BEGINNING
    started: int = 0
    ahead: int = 0
    answered_at: float = float("-inf")
    """The last time that it answered quickly."""
    is_slow: bool = False
    """Whether the last answer was slow, or did not come."""


def is_slow(*, seconds: float, is_timeout: bool) -> bool:
    return is_timeout or seconds > SLOW_SECONDS


def resized(size: int, *, seconds: float, is_timeout: bool, most: int) -> int:
    """After an attempt that took so long: a quick answer makes room for one more, a slow one or none takes half."""
    if is_slow(seconds=seconds, is_timeout=is_timeout):
        return max(LEAST, size // 2)
    return min(most, size + 1) if seconds <= QUICK_SECONDS else size


class Windows:
    """The places of one process, and who has them."""

    def __init__(self, places: int) -> None:
        self.places = places
        self.started = self.ahead = 0
        self._windows: dict[int, Window] = {}
        self._of_organization: Counter[int] = Counter()
        self._replayed = self._replayed_started = 0
        self._slow = self._slow_started = 0

    def asks(self, lanes: Sequence[Lane], *, now: float) -> list[Ask]:
        """How many to take of each lane now: evenly among organizations, and among the lanes of each.

        Slow receivers get what is left by the others, and replays what is left by what happens now.
        """
        room = (1 + AHEAD) * self.places - self.started - self.ahead
        asks: list[Ask] = []
        for number, slow, most in (
            (Delivery.LIVE, False, room),
            (Delivery.LIVE, True, (1 + AHEAD) * self._most_slow - self._slow),
            (Delivery.AGAIN, None, (1 + AHEAD) * self._most_replayed - self._replayed),
        ):
            wants = [
                (lane, self._may_claim(lane, now=now))
                for lane in lanes
                if lane.number == number and slow in (None, self._window(lane.subscription_id).is_slow)
            ]
            asks += _shared_out(wants, room=min(room - sum(ask.most for ask in asks), most))
        return asks

    def start(self, claim: Claim) -> bool:
        """Give this one a place, if there is one for its subscription, organization and lane."""
        window = self._windows[claim.subscription_id]
        most = TIMES_WHAT_IS_FREE * (self.places - self.started)
        if (
            window.started >= min(window.size, most)
            or self._of_organization[claim.organization_id] >= most
            or (claim.lane == Delivery.AGAIN and self._replayed_started >= self._most_replayed)
            or (window.is_slow and self._slow_started >= self._most_slow)
        ):
            return False
        window.ahead -= 1
        window.started += 1
        self._slow_started += window.is_slow
        self.ahead -= 1
        self.started += 1
        self._of_organization[claim.organization_id] += 1
        self._replayed_started += claim.lane == Delivery.AGAIN
        return True

    def took(self, claims: Sequence[Claim]) -> None:
        """These were claimed and wait."""
        self.ahead += len(claims)
        for claim in claims:
            window = self._window(claim.subscription_id)
            window.ahead += 1
            self._slow += window.is_slow
            self._replayed += claim.lane == Delivery.AGAIN

    def gave_back(self, claims: Sequence[Claim]) -> None:
        """These will not be started."""
        self.ahead -= len(claims)
        for claim in claims:
            window = self._windows[claim.subscription_id]
            window.ahead -= 1
            self._slow -= window.is_slow
            self._replayed -= claim.lane == Delivery.AGAIN

    def end(self, claim: Claim, *, seconds: float, is_timeout: bool, now: float) -> None:
        """This one has been answered, or has failed."""
        window = self._windows[claim.subscription_id]
        window.started -= 1
        self._slow -= window.is_slow
        self._slow_started -= window.is_slow
        window.size = resized(window.size, seconds=seconds, is_timeout=is_timeout, most=self.places)
        if seconds <= QUICK_SECONDS and not is_timeout:
            window.answered_at = now
            self._note(window, is_slow=False)
        elif is_slow(seconds=seconds, is_timeout=is_timeout):
            self._note(window, is_slow=True)
        self.started -= 1
        self._of_organization[claim.organization_id] -= 1
        if claim.lane == Delivery.AGAIN:
            self._replayed -= 1
            self._replayed_started -= 1

    def _note(self, window: Window, *, is_slow: bool) -> None:
        """Count what a receiver has among that of the slow ones, or among it no longer."""
        if window.is_slow != is_slow:
            sign = 1 if is_slow else -1
            window.is_slow = is_slow
            self._slow += sign * (window.started + window.ahead)
            self._slow_started += sign * window.started

    @property
    def _most_slow(self) -> int:
        return max(1, int(self.places * SLOW))

    @property
    def _most_replayed(self) -> int:
        return max(1, int(self.places * REPLAYED))

    def _may_claim(self, lane: Lane, *, now: float) -> int:
        """A receiver that answers may have some waiting; one that does not must not fill the queue."""
        window = self._window(lane.subscription_id)
        is_answering = now - window.answered_at <= QUICK_SECONDS
        return window.size * (1 + AHEAD if is_answering else 1) - window.started - window.ahead

    def _window(self, subscription_id: int) -> Window:
        window = self._windows.get(subscription_id)
        if window is None:
            if len(self._windows) >= MOST_RECEIVERS:
                self._windows = {key: kept for key, kept in self._windows.items() if kept.started or kept.ahead}
            window = self._windows[subscription_id] = Window()
        return window


def _shared_out(wants: Sequence[tuple[Lane, int]], *, room: int) -> list[Ask]:
    """`room` among organizations, what each gets among its lanes; whoever wants less leaves the rest to the others."""
    lanes_of: dict[int, list[tuple[Lane, int]]] = {}
    for lane, most in wants:
        if most > 0:
            lanes_of.setdefault(lane.organization_id, []).append((lane, most))
    totals = [sum(most for _, most in lanes) for lanes in lanes_of.values()]
    asks = []
    for lanes, share in zip(lanes_of.values(), evenly(totals, room=room), strict=True):
        for (lane, _), most in zip(lanes, evenly([most for _, most in lanes], room=share), strict=True):
            if most:
                asks.append(Ask(lane.number, lane.subscription_id, most))
    return asks


def evenly(wants: Sequence[int], *, room: int) -> list[int]:
    """Nobody gets more than they want, nor anybody less than another unless they want no more."""
    shares = [0] * len(wants)
    left = room
    smallest_first = sorted(range(len(wants)), key=wants.__getitem__)
    for done, index in enumerate(smallest_first):
        # Rounded up: what there is goes to somebody, be it less than one for each.
        shares[index] = min(wants[index], -(-max(0, left) // (len(wants) - done)))
        left -= shares[index]
    return shares
