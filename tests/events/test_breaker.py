"""When a receiver is left alone, tried and trusted again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events import breaker
from events.breaker import FASTEST_START, FIRST_WAIT, LONGEST_PAUSE, LONGEST_WAIT, WINDOW, Breaker, Tally
from events.models import Circuit

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def failed(count: int = 1, **more) -> Tally:
    return Tally(failures=count, unrelieved=count, **more)


def succeeded(count: int = 1, **more) -> Tally:
    return Tally(successes=count, **more)


def opened(**columns) -> Breaker:
    return replace(breaker.after(Breaker(), failed(10), now=NOW), **columns)


class TestOpening:
    @pytest.mark.parametrize(
        ("failures", "successes", "state"),
        [(9, 0, Circuit.CLOSED), (10, 0, Circuit.OPEN), (7, 3, Circuit.OPEN), (69, 31, Circuit.CLOSED)],
    )
    def test_it_takes_ten_attempts_of_which_seven_in_ten_fail(self, failures, successes, state):
        after = breaker.after(Breaker(), failed(1), now=NOW)
        after = breaker.after(after, succeeded(successes), now=NOW)
        after = breaker.after(after, failed(failures - 1), now=NOW + timedelta(seconds=1))

        assert after.state == state

    def test_what_failed_in_an_earlier_window_does_not_count(self):
        after = breaker.after(Breaker(), failed(9), now=NOW)
        after = breaker.after(after, failed(9), now=NOW + WINDOW)

        assert (after.state, after.window_failures) == (Circuit.CLOSED, 9)
        assert (after.failures, after.failing_since) == (18, NOW)

    def test_who_asks_for_patience_is_no_failure_of_the_window_but_fails_all_the_same(self):
        after = breaker.after(Breaker(), Tally(unrelieved=50, pause=HOUR), now=NOW)

        assert (after.state, after.window_failures) == (Circuit.CLOSED, 0)
        assert (after.failing_since, after.failures) == (NOW, 50)
        assert after.paused_until == NOW + LONGEST_PAUSE

    def test_the_longest_pause_asked_for_counts(self):
        after = breaker.after(Breaker(), Tally(unrelieved=1, pause=timedelta(minutes=9)), now=NOW)
        after = breaker.after(after, Tally(unrelieved=1, pause=timedelta(seconds=1)), now=NOW)

        assert after.paused_until == NOW + timedelta(minutes=9)

    def test_a_success_ends_the_spell_and_what_fails_after_it_begins_another(self):
        after = breaker.after(Breaker(warned_percent=70), failed(3), now=NOW)
        later = NOW + HOUR
        after = breaker.after(after, Tally(successes=1, failures=3, unrelieved=2), now=later)

        assert (after.failing_since, after.failures, after.warned_percent) == (later, 2, 0)

    def test_where_nothing_is_retried_it_stays_closed(self):
        assert breaker.after(opened(), Tally(is_unretried=True), now=NOW).state == Circuit.CLOSED


class TestProbing:
    def test_the_wait_doubles_with_each_probe_that_fails_up_to_a_quarter_of_an_hour(self):
        current, waits = opened(), []
        for _ in range(8):
            assert current.next_probe_at is not None
            waits.append((current.next_probe_at - NOW) / FIRST_WAIT)
            current = breaker.after(current, failed(probe=False), now=NOW)

        assert waits == [1, 2, 4, 8, 16, 30, 30, 30]

    def test_of_a_deactivated_subscription_it_goes_on_doubling_up_to_six_hours(self):
        current, waits = breaker.deactivated(opened(trips=200), now=NOW, is_for_good=False), []
        for _ in range(7):
            assert current.next_probe_at is not None
            waits.append((current.next_probe_at - NOW) / HOUR)
            current = breaker.after(current, failed(probe=False), now=NOW, is_deactivated=True)

        assert waits == [16 / 60, 32 / 60, 64 / 60, 128 / 60, 256 / 60, 6, 6]

    def test_what_was_under_way_when_it_opened_neither_opens_nor_closes_it(self):
        after = breaker.after(opened(), Tally(successes=5, failures=90, unrelieved=0), now=NOW + HOUR)

        assert (after.state, after.trips, after.next_probe_at) == (Circuit.OPEN, 0, NOW + FIRST_WAIT)

    def test_given_up_on_for_good_it_is_never_probed(self):
        assert breaker.deactivated(opened(), now=NOW, is_for_good=True).next_probe_at is None


class TestRecovering:
    def recovering(self) -> Breaker:
        return breaker.after(opened(trips=3), succeeded(probe=True), now=NOW)

    def test_it_starts_with_one_then_two_then_four_a_second(self):
        current, sent = self.recovering(), []
        for seconds in range(9):
            current, most = breaker.started(current, now=NOW + timedelta(seconds=seconds), due=10_000)
            sent.append(most)

        assert sent == [1, 2, 4, 8, 16, 32, 64, 128, FASTEST_START]
        current, _ = breaker.started(current, now=NOW + timedelta(seconds=9), due=10_000)
        assert (current.state, current.trips) == (Circuit.CLOSED, 0)

    def test_asking_twice_gives_no_more(self):
        current, first = breaker.started(self.recovering(), now=NOW, due=10)

        assert (first, breaker.started(current, now=NOW, due=10)[1]) == (1, 0)

    def test_time_in_which_nothing_could_be_sent_earns_no_trust(self):
        current, first = breaker.started(self.recovering(), now=NOW + HOUR, due=1000)

        assert (first, breaker.started(current, now=NOW + HOUR, due=1000)[1]) == (1, 0)

    def test_it_is_closed_when_nothing_is_left(self):
        assert breaker.started(self.recovering(), now=NOW, due=0)[0].state == Circuit.CLOSED

    def test_one_failure_among_many_is_no_relapse(self):
        current = breaker.after(self.recovering(), succeeded(6), now=NOW)

        assert breaker.after(current, failed(1), now=NOW).state == Circuit.RECOVERING

    def test_a_relapse_waits_twice_as_long_as_before(self):
        relapsed = breaker.after(self.recovering(), failed(1), now=NOW)

        assert (relapsed.state, relapsed.trips) == (Circuit.OPEN, 4)
        assert relapsed.next_probe_at == NOW + FIRST_WAIT * 16

    def test_after_a_pause_it_starts_slowly_again(self):
        current, _ = breaker.started(self.recovering(), now=NOW + timedelta(seconds=5), due=1000)
        paused = breaker.after(current, Tally(unrelieved=1, pause=timedelta(seconds=60)), now=NOW)

        assert breaker.started(paused, now=NOW + timedelta(seconds=60), due=1000)[1] == 1


def test_it_is_idle_only_when_it_says_no_more_than_none():
    current = breaker.after(breaker.after(Breaker(), failed(), now=NOW), succeeded(), now=NOW)

    assert not breaker.is_idle(current, now=NOW)
    assert breaker.is_idle(current, now=NOW + WINDOW)
    assert not breaker.is_idle(breaker.after(current, failed(), now=NOW), now=NOW + 2 * WINDOW)
    assert not breaker.is_idle(opened(failing_since=None), now=NOW + HOUR)


_TALLIES = st.builds(
    lambda successes, failures, throttled, pause, probe: Tally(
        successes=successes,
        failures=failures,
        unrelieved=failures + throttled,
        pause=timedelta(seconds=pause) if throttled else timedelta(0),
        probe=probe,
    ),
    *[st.integers(0, 12)] * 3,
    st.integers(0, 3600),
    st.sampled_from([None, None, True, False]),
)


@given(
    steps=st.lists(st.tuples(st.integers(0, 2000), _TALLIES, st.integers(0, 300)), max_size=25),
    is_deactivated=st.booleans(),
)
def test_whatever_happens_it_is_in_one_of_three_states_and_each_leads_on(steps, is_deactivated):
    current, now = Breaker(), NOW
    for seconds, tally, due in steps:
        now += timedelta(seconds=seconds)
        before, current = current, breaker.after(current, tally, now=now, is_deactivated=is_deactivated)
        if before.state == Circuit.OPEN and tally.probe is None:
            assert current.state == Circuit.OPEN
            assert current.next_probe_at == before.next_probe_at
        if current.state == Circuit.OPEN:
            # Never at once, never never.
            assert current.next_probe_at is not None
            if before.state != Circuit.OPEN or tally.probe is False:
                longest = breaker.LONGEST_WAIT_DEACTIVATED if is_deactivated else LONGEST_WAIT
                assert FIRST_WAIT <= current.next_probe_at - now <= longest
        else:
            assert current.next_probe_at is None
        if current.state == Circuit.RECOVERING:
            since = current.recovering_since
            current, most = breaker.started(current, now=now, due=due)
            assert 0 <= most <= due
            assert since is not None
            if current.state == Circuit.RECOVERING:
                assert current.recovering_claims <= 2 ** (max(0, int((now - since).total_seconds())) + 1) - 1
        if tally.successes and not tally.unrelieved:
            assert (current.failing_since, current.failures) == (None, 0)
        assert (current.failing_since is None) == (current.failures == 0)
        assert current.paused_until is None or current.paused_until - now <= LONGEST_PAUSE
