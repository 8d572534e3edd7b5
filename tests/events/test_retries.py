"""The schedule of retries, decided from values."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events import retries
from events.models import Delivery
from events.retries import ErrorClass, Try, Verdict, judge
from instances.models import Organization
from instances.retry_schedules import DEFAULT, PRESETS, Schedule, schedule_of

STEPS, END = PRESETS[DEFAULT].steps, PRESETS[DEFAULT].end
SECOND = timedelta(seconds=1)
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
chances = st.floats(min_value=0, max_value=1, exclude_max=True)
failures = st.sampled_from([error for error in ErrorClass if error not in (ErrorClass.NONE, ErrorClass.INTERNAL)])


def failed(*, attempts_made: int = 0, failing_for: timedelta | None = None, status: int | None = 500, **other) -> Try:
    fields: dict[str, Any] = {
        "error_class": ErrorClass.HTTP_5XX,
        "failure_policy": Organization.RETRY,
        "schedule": PRESETS[DEFAULT],
    } | other
    return Try(status=status, attempts_made=attempts_made, failing_for=failing_for, **fields)


def schedule(*, chance: float = 0.0, took: timedelta = timedelta(0), **other) -> list[tuple[timedelta, Verdict]]:
    """Every attempt of a receiver that never takes it: when it ends, since the first failure, and the verdict."""
    verdicts: list[tuple[timedelta, Verdict]] = []
    moment, made = timedelta(0), 0
    while True:
        verdict = judge(failed(attempts_made=made, failing_for=moment if verdicts else None, **other), chance=chance)
        verdicts.append((moment, verdict))
        if verdict.state != Delivery.PENDING or len(verdicts) > 5000:
            return verdicts
        moment, made = moment + verdict.wait + took, verdict.attempts_made


def test_retries_are_due_at_powers_of_four_seconds_after_the_first_failure():
    moments = [moment.total_seconds() for moment, _ in schedule()]

    assert moments == [0, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144]


@given(
    steps=st.sets(st.integers(1, 2_592_000), min_size=1, max_size=20).map(sorted),
    chance=chances,
    took=st.integers(0, 15),
)
def test_any_schedule_is_kept_step_by_step_and_comes_to_its_end(steps, chance, took):
    wanted = schedule_of(",".join(map(str, steps)))
    attempts = schedule(schedule=wanted, chance=chance, took=took * SECOND)

    assert 2 <= len(attempts) <= len(steps) + 1
    assert all(moment >= step for (moment, _), step in zip(attempts[1:], wanted.steps, strict=False))
    assert attempts[-1][1].deactivates
    assert len(attempts) == len(steps) + 1 or attempts[-1][0] >= wanted.end


@pytest.mark.parametrize("attempts_made", range(9))
def test_the_schedule_ends_by_time_too_however_few_attempts_were_made(attempts_made):
    assert judge(failed(attempts_made=attempts_made, failing_for=END), chance=0.0).deactivates
    assert not judge(failed(attempts_made=attempts_made, failing_for=END - SECOND), chance=0.0).deactivates


def test_a_schedule_that_was_shortened_meanwhile_is_over():
    shorter = Schedule((4 * SECOND, 60 * SECOND))

    assert judge(failed(attempts_made=5, failing_for=10 * SECOND, schedule=shorter), chance=0.0).deactivates


def test_after_the_last_retry_the_subscription_is_deactivated_and_the_delivery_queued():
    _, last = schedule()[-1]

    assert last.state == Delivery.QUEUED
    assert "HTTP 500" in last.deactivates


def test_the_reason_says_what_went_wrong_where_there_was_no_answer():
    _, last = schedule(status=None, error_class=ErrorClass.PROTOCOL, error="Empty reply from server")[-1]

    assert last.deactivates.endswith("the last one: Empty reply from server")


@given(chance=chances, attempts_made=st.integers(0, 8))
def test_jitter_makes_a_retry_later_by_a_tenth_or_some_seconds_and_never_earlier(chance, attempts_made):
    attempt = failed(attempts_made=attempts_made, failing_for=STEPS[attempts_made - 1] if attempts_made else None)
    due = judge(attempt, chance=0.0).wait

    assert due <= judge(attempt, chance=chance).wait <= due + min(max(due / 10, min(due, 5 * SECOND)), 900 * SECOND)


def test_ten_thousand_deliveries_that_fail_at_once_do_not_come_back_at_once():
    draw, count = random.Random(7), 10_000
    moments = [0.0] * count
    for made, step in enumerate(STEPS[:3]):
        for index, moment in enumerate(moments):
            failing_for = timedelta(seconds=moment) if made else None
            attempt = failed(attempts_made=made, failing_for=failing_for)
            moments[index] += judge(attempt, chance=draw.random()).wait.total_seconds()
        first = min(moments)
        seconds = Counter(int(moment - first) for moment in moments)
        width = max(seconds) + 1
        assert step.total_seconds() <= first
        assert width >= 4
        assert max(seconds.values()) <= 3 * count / width


@given(
    attempts_made=st.integers(0, 12),
    failing_seconds=st.integers(0, 400_000),
    retry_after=st.none() | st.integers(0, 10**6),
    status=st.sampled_from([400, 404, 408, 429, 500, 502, 503]),
    chance=chances,
)
def test_every_wait_is_bounded_and_no_verdict_is_earlier_than_the_schedule(
    attempts_made, failing_seconds, retry_after, status, chance
):
    failing_for = timedelta(seconds=failing_seconds)
    asked = None if retry_after is None else timedelta(seconds=retry_after)
    verdict = judge(
        failed(attempts_made=attempts_made, failing_for=failing_for, status=status, retry_after=asked), chance=chance
    )

    if verdict.state == Delivery.QUEUED:
        assert verdict.deactivates
        return
    assert timedelta(0) < verdict.wait <= END * 1.1
    if verdict.attempts_made > attempts_made:
        assert failing_for + verdict.wait >= STEPS[attempts_made]
    if asked is not None and status in (429, 503):
        assert verdict.wait >= min(asked, END - failing_for)


def test_a_receiver_that_asks_for_patience_gets_it_and_loses_no_attempt():
    verdict = judge(failed(status=429, retry_after=timedelta(minutes=10)), chance=0.0)

    assert (verdict.wait, verdict.attempts_made, verdict.state) == (timedelta(minutes=10), 0, Delivery.PENDING)


def test_429_without_retry_after_costs_an_attempt():
    assert judge(failed(status=429), chance=0.0).attempts_made == 1


def test_503_is_tried_when_the_receiver_wants_and_costs_an_attempt():
    verdict = judge(failed(status=503, retry_after=timedelta(minutes=10)), chance=0.0)

    assert (verdict.wait, verdict.attempts_made) == (timedelta(minutes=10), 1)


def test_retry_after_of_other_answers_is_not_heard():
    assert judge(failed(status=500, retry_after=timedelta(minutes=10)), chance=0.0).wait == STEPS[0]


def test_retry_after_never_makes_a_retry_earlier_than_the_schedule():
    asked = timedelta(seconds=1)
    verdict = judge(
        failed(status=503, attempts_made=4, failing_for=timedelta(seconds=256), retry_after=asked), chance=0.0
    )

    assert verdict.wait == timedelta(seconds=1024 - 256)


@given(asked=st.integers(0, 3600), chance=chances)
def test_asking_for_patience_for_ever_ends_with_the_schedule_after_a_bounded_number_of_attempts(asked, chance):
    verdicts = schedule(status=429, retry_after=timedelta(seconds=asked), chance=chance)

    assert len(verdicts) < 1000
    assert verdicts[-1][1].deactivates
    assert END <= verdicts[-1][0] <= END + timedelta(minutes=15)


@pytest.mark.parametrize("status", [429, 503])
def test_asking_for_more_than_the_schedule_has_left_gets_what_is_left(status):
    verdict = judge(failed(status=status, attempts_made=2, failing_for=END / 2, retry_after=END), chance=0.0)

    assert verdict.wait == END / 2


def test_steps_missed_while_no_worker_ran_are_not_made_up_for_in_a_burst():
    verdict = judge(failed(attempts_made=5, failing_for=timedelta(days=2)), chance=0.0)

    assert verdict.wait == (STEPS[5] - STEPS[4]) / 2


@given(error_class=failures, attempts_made=st.integers(0, 9))
def test_under_the_queue_policy_the_first_failure_queues_and_deactivates_nothing(error_class, attempts_made):
    attempt = failed(
        status=None, error_class=error_class, attempts_made=attempts_made, failure_policy=Organization.QUEUE
    )

    verdict = judge(attempt, chance=0.5)

    assert (verdict.state, verdict.deactivates) == (Delivery.QUEUED, "")


@pytest.mark.parametrize("policy", [Organization.RETRY, Organization.QUEUE])
def test_our_own_faults_cost_the_receiver_nothing(policy):
    attempt = failed(status=None, error_class=ErrorClass.INTERNAL, attempts_made=3, failure_policy=policy)

    verdict = judge(attempt, chance=0.5)

    assert verdict == Verdict(state=Delivery.PENDING, attempts_made=3, wait=verdict.wait)
    assert retries.OWN_FAULT_WAIT < verdict.wait < retries.OWN_FAULT_WAIT * 1.1


def test_gone_means_gone():
    verdict = judge(failed(status=410, error_class=ErrorClass.HTTP_4XX), chance=0.0)

    assert verdict.state == Delivery.QUEUED
    assert "410" in verdict.deactivates


@pytest.mark.parametrize(
    "status, error_class",
    [
        (200, ErrorClass.NONE),
        (204, ErrorClass.NONE),
        (299, ErrorClass.NONE),
        (301, ErrorClass.REDIRECT),
        (308, ErrorClass.REDIRECT),
        (400, ErrorClass.HTTP_4XX),
        (429, ErrorClass.HTTP_4XX),
        (500, ErrorClass.HTTP_5XX),
        (599, ErrorClass.HTTP_5XX),
    ],
)
def test_any_2xx_is_success_and_nothing_else(status, error_class):
    assert retries.error_class_of(status) == error_class


@pytest.mark.parametrize(
    "text, expected",
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("0", timedelta(0)),
        (" 120 ", timedelta(minutes=2)),
        ("9" * 400, timedelta(days=30)),
        ("Sun, 22 Nov 2026 10:05:00 GMT", timedelta(minutes=5)),
        ("Sun, 22 Nov 2026 09:00:00 GMT", timedelta(0)),
        ("Sun, 99 Nov 2026 09:00:00 GMT", None),
        ("Sun, 22 Nov 99999999999999999999 09:00:00 GMT", None),
        ("Sun, 22 Nov 2026 09:00:00 +99999999999999999999", None),
    ],
)
def test_retry_after_is_read_in_seconds_and_as_a_date(text, expected):
    assert retries.parse_retry_after(text, now=NOW) == expected


@given(
    text=st.text(max_size=60)
    | st.from_regex(r"Sun, [0-9]{1,3} Nov [0-9]{1,30} [0-9]{1,3}:[0-9]{1,3}:00 [+-][0-9]{1,30}", fullmatch=True)
)
def test_no_retry_after_breaks_anything(text):
    wait = retries.parse_retry_after(text, now=NOW)

    assert wait is None or wait >= timedelta(0)
