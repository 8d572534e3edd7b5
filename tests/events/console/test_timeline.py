"""The line of retries: places and words, from values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from events.console.timeline import FAILED, TAKEN, Tried, timeline
from instances.retry_schedules import DEFAULT, PRESETS, schedule_of

FAILED_AT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def seconds(count: float) -> datetime:
    return FAILED_AT + timedelta(seconds=count)


def tried(*offsets: float, is_success: bool = False) -> list[Tried]:
    return [Tried(started_at=seconds(one), is_success=is_success, said="HTTP 500") for one in offsets]


def test_steps_and_attempts_share_one_line_from_the_first_failure_to_the_last_step():
    line = timeline(
        first_failed_at=FAILED_AT,
        tried=tried(-0.1, 4.2, 17),
        attempts_made=3,
        schedule=schedule_of(DEFAULT),
        next_attempt_at=seconds(64),
        now=seconds(20),
    )

    assert [one.label for one in line.steps] == [
        *("4 s", "16 s", "1 min", "4 min", "17 min", "1 h", "5 h", "18 h", "3 d"),
    ]
    places = [one.place for one in line.steps]
    assert places == sorted(places)
    assert places[-1] == 100
    assert line.tried[0].place == 0
    assert line.next is not None
    assert line.next.place == line.steps[2].place
    assert line.now is not None
    assert line.tried[-1].place < line.now.place < line.next.place
    assert line.gives_up_at == FAILED_AT + PRESETS[DEFAULT].end
    assert line.summary == "3 attempts of at most 10"


def test_what_was_tried_before_it_was_begun_again_is_not_of_this_round():
    line = timeline(
        first_failed_at=FAILED_AT,
        tried=[*tried(-500, -400), *tried(-1), *tried(5, is_success=True)],
        attempts_made=2,
        schedule=schedule_of("10,60"),
        next_attempt_at=None,
        now=seconds(100_000),
    )

    assert [one.kind for one in line.tried] == [FAILED, TAKEN]
    assert (line.next, line.now) == (None, None)


def test_attempts_behind_the_schedule_are_on_the_line_still():
    line = timeline(
        first_failed_at=FAILED_AT,
        tried=tried(0, 1000),
        attempts_made=2,
        schedule=schedule_of("10"),
        next_attempt_at=seconds(2000),
        now=seconds(1001),
    )

    assert all(0 <= one.place <= 100 for one in (*line.tried, *line.steps))
    assert line.next is not None
    assert line.next.place == 100


def test_what_was_free_does_not_count_and_what_is_due_has_no_moment():
    def line(attempts_made: int, *, now: float):
        return timeline(
            first_failed_at=FAILED_AT,
            tried=tried(0, 5, 15),
            attempts_made=attempts_made,
            schedule=schedule_of("10,60"),
            next_attempt_at=seconds(30),
            now=seconds(now),
        )

    assert line(3, now=20).summary == "3 attempts of at most 3"
    assert line(2, now=20).summary == "2 attempts of at most 3, and 1 that does not count"
    assert line(1, now=20).summary == "1 attempt of at most 3, and 2 that do not count"
    assert [line(made, now=20).is_last for made in (1, 2)] == [False, True]
    assert [line(1, now=now).next is None for now in (20, 40)] == [False, True]
    assert [line(1, now=now).is_last for now in (40, 70)] == [False, True]
