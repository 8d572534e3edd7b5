"""Schedules of retries as somebody sends them."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instances.errors import InvalidRequest
from instances.retry_schedules import DEFAULT, LONGEST_SECONDS, MOST_STEPS, PRESETS, parse, schedule_of

KEY = "event.notification.retry.schedule"

growing = st.sets(st.integers(1, LONGEST_SECONDS), min_size=1, max_size=MOST_STEPS).map(sorted)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(alphabet="0123456789,[] -.e٣", max_size=30),
    lambda values: st.lists(values, max_size=4) | st.dictionaries(st.text(max_size=3), values, max_size=2),
    max_leaves=6,
)


def stored_steps(sent: object) -> tuple[timedelta, ...] | InvalidRequest:
    try:
        return schedule_of(parse(KEY, sent)).steps
    except InvalidRequest as refused:
        return refused


@given(growing, st.sampled_from([list, json.dumps, lambda steps: " , ".join(map(str, steps))]))
def test_growing_seconds_are_kept_however_they_are_written(seconds, written):
    stored = parse(KEY, written(seconds))

    assert schedule_of(stored).steps == tuple(timedelta(seconds=one) for one in seconds)
    assert parse(KEY, stored) == stored
    assert len(stored) <= 500


@given(anything)
def test_whatever_is_sent_is_stored_as_a_schedule_or_refused_by_the_name_of_its_key(sent):
    steps = stored_steps(sent)
    if isinstance(steps, InvalidRequest):
        assert str(steps).startswith(f"{KEY}: ")
        return
    assert timedelta(seconds=1) <= steps[0]
    assert list(steps) == sorted(set(steps))
    assert steps[-1] <= timedelta(days=30)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_go_by_their_names(name):
    assert parse(KEY, f" {name.upper()} ") == name
    assert schedule_of(name) is PRESETS[name]


@pytest.mark.parametrize(
    ("name", "steps", "hours"), [("elements-9", 9, 72.8), ("sap-5", 5, 9.1), ("standard-webhooks", 9, 75.6)]
)
def test_presets_last_as_long_as_they_are_known_for(name, steps, hours):
    assert len(PRESETS[name].steps) == steps
    assert PRESETS[name].end / timedelta(hours=1) == pytest.approx(hours, abs=0.1)
    assert DEFAULT in PRESETS


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        ("svix", "send elements-9, sap-5, standard-webhooks, or whole seconds after the first failure, such as"),
        ("", "send elements-9"),
        ("10,", "send elements-9"),
        ("[10", "send elements-9"),
        ("9" * 5000, "send elements-9"),
        ([], "send elements-9"),
        ([10, "60"], "send elements-9"),
        ([1.5], "send elements-9"),
        (True, "send elements-9"),
        ("0,10", "send seconds from 1 to 2592000"),
        ([-5, 10], "send seconds from 1 to 2592000"),
        ("10,2592001", "30 days"),
        ("60,10", "10 comes after 60"),
        ([10, 10], "10 comes after 10"),
        (list(range(1, 22)), "at most 20 retries, not 21"),
    ],
)
def test_what_is_no_schedule_is_told_what_is(sent, says):
    with pytest.raises(InvalidRequest) as refused:
        parse(KEY, sent)

    assert str(refused.value).startswith(f"{KEY}: ")
    assert says in str(refused.value)
