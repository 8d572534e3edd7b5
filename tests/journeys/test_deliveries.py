"""Deliveries while workers, the broker and the database die, freeze and come back: every single one is counted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import psutil
import pytest

from events.receiver import Receiver
from tests.journeys.conftest import Client
from tests.journeys.counting import SUBSCRIPTIONS, Feed
from tests.journeys.running import PROCESSES, QUICK, ROOT, Stack, eventually

pytestmark = pytest.mark.stack

LEASE_SECONDS = float(QUICK["DELIVERY_LEASE_SECONDS"])
FIRST_RETRY_SECONDS = 4.0
SPREAD_SECONDS = 5.0
"""By which retries are kept from coming all at once."""
LATE_SECONDS = 4.0
"""What a busy machine may add."""


@pytest.fixture
def feed(client: Client, stack: Stack, receiver: Receiver) -> Iterator[Feed]:
    feed = Feed(client, stack, receiver)
    yield feed
    feed.end()


@pytest.fixture
def narrow_feed(client: Client, stack: Stack, receiver: Receiver) -> Iterator[Feed]:
    """With one subscription."""
    feed = Feed(client, stack, receiver, subscriptions=1)
    yield feed
    feed.end()


def child_of(worker: int) -> int | None:
    return next((child.pid for child in psutil.Process(worker).children()), None)


def kill_a_child(stack: Stack) -> None:
    os.kill(eventually(lambda: child_of(stack.pid("delivery"))), signal.SIGKILL)


def kill_the_worker(stack: Stack) -> None:
    """Its child ends with it."""
    os.kill(stack.pid("delivery"), signal.SIGKILL)


def kill_its_group(stack: Stack) -> None:
    os.killpg(os.getpgid(stack.pid("delivery")), signal.SIGKILL)


def test_deliveries_survive_a_worker_killed_in_mid_request_again_and_again(stack, feed, receiver):
    lost: set[tuple[int, int]] = set()
    for kill in (kill_a_child, kill_the_worker, kill_its_group):
        before = len(receiver.notifications)
        feed.post(3)
        receiver.wait_for(before + 3 * SUBSCRIPTIONS, seconds=60)
        # Longer than it takes to see them come, shorter than an attempt may take.
        receiver.behave(delay=1.0, times=None)
        feed.post(5)
        receiver.wait_for(before + 4 * SUBSCRIPTIONS, seconds=60)
        kill(stack)
        lost |= feed.under_way()
        receiver.behave_well()
    # What was under way is sent again when its lease is over; what was written down is not.
    feed.settle(seconds=LEASE_SECONDS + 30)
    assert lost, "something was under way"
    feed.assert_told_once(Counter(number for number, _ in lost))
    eventually(lambda: stack.running() == PROCESSES)


@contextmanager
def second_worker(stack: Stack) -> Iterator[None]:
    """Beside that of the stack."""
    options = ("-Q", "delivery", "-n", "second@%h", "-c", "1", "--without-gossip", "--without-mingle", "-l", "ERROR")
    command = [sys.executable, "-m", "celery", "-A", "config.celery", "worker", *options]
    with subprocess.Popen(command, env=stack.environment, cwd=ROOT) as worker:
        try:
            yield
        finally:
            worker.kill()  # its child ends with it


def test_a_worker_that_wakes_up_after_its_lease_changes_nothing(stack, narrow_feed, receiver):
    receiver.behave(delay=1.0, status=500, times=1)
    narrow_feed.post(1)
    eventually(lambda: receiver.requests_begun == 1)
    frozen = [psutil.Process(stack.pid("delivery"))]
    frozen += frozen[0].children(recursive=True)
    for process in frozen:
        process.suspend()
    try:
        with second_worker(stack):
            eventually(narrow_feed.delivered)
            ((_, told),) = narrow_feed.deliveries().items()
            for process in frozen:
                process.resume()
            # The one that slept writes down its 500, which is logged and decides nothing any more.
            eventually(lambda: [one.attempts for one in narrow_feed.deliveries().values()] == [2])
    finally:
        for process in frozen:
            process.resume()
    ((number, kept),) = narrow_feed.settle().items()
    assert kept == replace(told, attempts=2)
    assert (kept.state, kept.claims, kept.is_leased) == ("delivered", 2, False)
    assert [one.status for one in receiver.notifications] == [500, 200]
    assert narrow_feed.arrivals() == {number: 2}


def test_a_broker_that_forgets_everything_and_goes_away_costs_nothing(stack, feed):
    with feed.posting(seconds_between=0.1):
        for _ in range(5):
            stack.flush_broker()
            feed.wait_for_more(3)
        with stack.without("valkey"):
            feed.wait_for_more(10)
        feed.wait_for_more(3)
    feed.settle(seconds=15)

    assert feed.refusals == [], "what is accepted needs no broker"
    feed.assert_told_once()


def test_a_retry_goes_out_once_and_when_it_is_due(stack, narrow_feed, receiver):
    """Messages are given out again after a second here: a retry is a row, and no message waits for it."""
    receiver.behave(status=500, times=1)
    narrow_feed.post(1)
    narrow_feed.settle()

    first, second = receiver.notifications
    waited = (second.received_at - first.received_at).total_seconds()
    assert FIRST_RETRY_SECONDS <= waited <= FIRST_RETRY_SECONDS + SPREAD_SECONDS + LATE_SECONDS
    assert [one.attempts for one in narrow_feed.deliveries().values()] == [2]


def test_a_database_that_restarts_at_once_under_load_costs_nothing(stack, feed):
    workers = {name: stack.pid(name) for name in ("delivery", "polling", "web", "beat")}
    with feed.posting(seconds_between=0.1):
        for _ in range(3):
            os.kill(stack.pid("postgres"), signal.SIGQUIT)  # an immediate shutdown: no goodbye, no checkpoint
            feed.wait_for_more(10)
    feed.settle()

    assert {answer.status_code for answer in feed.refusals} <= {503}
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in feed.refusals)
    # Outcomes wait for the database.
    feed.assert_told_once()
    eventually(lambda: stack.running() == PROCESSES)
    assert {name: stack.pid(name) for name in workers} == workers


def test_a_worker_that_is_asked_to_stop_ends_in_time_and_leaves_nothing_behind(stack, feed, receiver):
    receiver.behave(delay=1.0, times=None)
    feed.post(30)
    eventually(lambda: receiver.requests_begun >= 100)
    asked_at = time.monotonic()
    with stack.without("delivery"):
        assert time.monotonic() - asked_at < 15
        left = feed.deliveries()
        assert len(left) == 30 * SUBSCRIPTIONS
        assert not any(one.is_leased for one in left.values()), "what was not sent is free at once"
        feed.assert_told_once()
        receiver.behave_well()
    feed.settle()
    feed.assert_told_once()
