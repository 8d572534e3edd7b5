"""Every delivery that the database knows of, against what arrived: the promise that all these journeys share."""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import requests

from events.receiver import Receiver
from tests.journeys.conftest import Client
from tests.journeys.running import Stack, eventually

SUBSCRIPTIONS = 10
"""So many URLs of one receiver hear of each post: one of them alone would not have a hundred requests under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What the database says of one delivery."""

    event: int
    state: str
    claims: int
    """How often it was taken, and so the most that it may have been sent."""
    attempts: int
    """How many were written down."""
    successes: int
    is_leased: bool
    changed_at: datetime


class Feed:
    """A topic of its own with subscriptions at one receiver: posts, and what became of each."""

    def __init__(self, client: Client, stack: Stack, receiver: Receiver, *, subscriptions: int = SUBSCRIPTIONS) -> None:
        self.topic = uuid.uuid4().hex
        self.accepted: list[int] = []
        """The events that the platform said it had."""
        self.refusals: list[requests.Response] = []
        self._client, self._stack, self._receiver = client, stack, receiver
        self._lock = threading.Lock()
        self.subscriptions: list[int] = [
            client.post(
                "/notifications/subscriptions",
                {"channel": "webhook", "topics": [self.topic], "config": {"url": f"{receiver.url}/{number}"}},
            )["id"]
            for number in range(subscriptions)
        ]

    def post(self, count: int) -> None:
        """Post so often, from four clients at once. Whatever is refused is kept, not tried again."""
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: self._post(), range(count)))

    @contextmanager
    def posting(self, *, seconds_between: float = 0.05) -> Iterator[None]:
        """Post again and again while the block runs."""
        ended = threading.Event()

        def keep_posting() -> None:
            while not ended.wait(seconds_between):
                self._post()

        with ThreadPoolExecutor(2) as pool:
            running = [pool.submit(keep_posting) for _ in range(2)]
            try:
                yield
            finally:
                ended.set()
            for one in running:
                one.result()

    def wait_for_more(self, count: int) -> None:
        """Until so many more posts were accepted."""
        wanted = len(self.accepted) + count
        eventually(lambda: len(self.accepted) >= wanted)

    def _post(self) -> None:
        body = {"topic": self.topic, "message": "x" * 200}
        answer = requests.post(f"{self._client.url}/notifications", json=body, headers=self._client.headers, timeout=30)
        with self._lock:
            if answer.status_code == 200:
                self.accepted.append(answer.json()["id"])
            else:
                self.refusals.append(answer)

    def deliveries(self) -> dict[int, Kept]:
        """By id, as they are now."""
        with self._stack.database() as database:
            rows = database.execute(
                "SELECT delivery.id, event_id, state, epoch, count(attempt.id),"
                " count(attempt.id) FILTER (WHERE error_class = ''), leased_until IS NOT NULL, updated_at"
                " FROM events_delivery AS delivery LEFT JOIN events_deliveryattempt AS attempt"
                " ON attempt.delivery_id = delivery.id"
                " WHERE subscription_id = ANY(%s) GROUP BY delivery.id",
                [self.subscriptions],
            ).fetchall()
        return {
            number: Kept(
                event=event,
                state=state,
                claims=claims,
                attempts=attempts,
                successes=successes,
                is_leased=is_leased,
                changed_at=changed_at,
            )
            for number, event, state, claims, attempts, successes, is_leased, changed_at in rows
        }

    def delivered(self) -> set[int]:
        return {number for number, one in self.deliveries().items() if one.state == "delivered"}

    def arrivals(self) -> Counter[int]:
        """How often each delivery arrived, whatever it was answered."""
        return Counter(int(one.headers["elements-webhook-id"]) for one in self._receiver.notifications)

    def is_delivered(self) -> bool:
        return all(one.state == "delivered" for one in self.deliveries().values())

    def settle(self, *, seconds: float = 60) -> dict[int, Kept]:
        """Wait until nothing is left to deliver, and hold what was promised against what arrived."""
        eventually(self.is_delivered, seconds=seconds)
        kept, arrivals = self.deliveries(), self.arrivals()
        of_events = Counter(one.event for one in kept.values())
        assert set(self.accepted) <= of_events.keys(), "what was accepted is stored"
        assert set(of_events.values()) <= {len(self.subscriptions)}, "and owed to every subscription"
        assert kept.keys() == arrivals.keys(), "every delivery arrived, and nothing else did"
        too_often = {number: arrivals[number] for number, one in kept.items() if arrivals[number] > one.claims}
        assert too_often == {}, "nothing is sent more often than it was taken"
        self._assert_repeats_are_the_same()
        return kept

    def assert_told_once(self, lost: Counter[int] | None = None) -> None:
        """Whatever arrived was written down, and each success is the only one.

        But for `lost`: how often each delivery was under way when who sent it was killed.
        """
        lost = lost or Counter()
        kept, arrivals = self.deliveries(), self.arrivals()
        unwritten = {number: arrivals[number] - one.attempts for number, one in kept.items()}
        assert {number: count for number, count in unwritten.items() if not 0 <= count <= lost[number]} == {}
        assert {number: one for number, one in kept.items() if one.successes > 1} == {}

    def under_way(self) -> set[tuple[int, int]]:
        """What somebody has taken and not written down yet, with how often it has been taken."""
        return {(number, one.claims) for number, one in self.deliveries().items() if one.is_leased}

    def _assert_repeats_are_the_same(self) -> None:
        bodies: dict[str, bytes] = {}
        for one in self._receiver.notifications:
            before = bodies.setdefault(one.headers["elements-webhook-id"], one.raw_body)
            assert one.raw_body == before, "a repeat carries the same bytes"

    def end(self) -> None:
        for subscription in self.subscriptions:
            self._client.delete(f"/notifications/subscriptions/{subscription}")
