"""Cutting time into buckets."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.buckets import INTERVALS, MOST_BUCKETS, Span, cut, span
from instances.errors import InvalidRequest

NOW = datetime(2026, 11, 22, 10, 20, 30, 400_000, tzinfo=UTC)
moments = st.datetimes(timezones=st.just(UTC))


def made(begins: str, ends: str, interval: str = ""):
    return cut(span(begins=begins, ends=ends, now=NOW), interval=interval)


@pytest.mark.parametrize(
    "begins, ends, interval, count, first, last",
    [
        ("2026-05-01T10:00:00Z", "2026-05-01T11:00:00Z", "minute", 61, "2026-05-01T10:00", "2026-05-01T11:00"),
        ("2026-05-01T10:00:59Z", "2026-05-01T10:01:00Z", "minute", 2, "2026-05-01T10:00", "2026-05-01T10:01"),
        ("2026-05-01T10:00:00Z", "2026-05-01T10:00:00Z", "second", 1, "2026-05-01T10:00", "2026-05-01T10:00"),
        ("2026-05-01T10:30:00Z", "2026-05-02T09:00:00Z", "day", 2, "2026-05-01T00:00", "2026-05-02T00:00"),
        ("2026-05-01", "2026-05-04", "week", 2, "2026-04-27T00:00", "2026-05-04T00:00"),
        ("2024-12-31", "2026-01-01", "month", 14, "2024-12-01T00:00", "2026-01-01T00:00"),
        ("2024-11-01", "2025-04-01", "quarter", 3, "2024-10-01T00:00", "2025-04-01T00:00"),
        ("0001-01-01", "9999-12-31T23:59:59Z", "year", 9999, "0001-01-01T00:00", "9999-01-01T00:00"),
        ("2026-05-01T10:00:00+02:00", "2026-05-01T10:00:00 01:00", "hour", 2, "2026-05-01T08:00", "2026-05-01T09:00"),
    ],
)
def test_both_ends_have_a_bucket(begins, ends, interval, count, first, last):
    buckets = made(begins, ends, interval)
    starts = list(buckets.starts())

    assert len(starts) == len(buckets) == count
    assert [f"{start:%Y-%m-%dT%H:%M}".zfill(16) for start in (starts[0], starts[-1])] == [first, last]


@settings(max_examples=60)
@given(moments, st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=4000)), st.sampled_from(INTERVALS))
def test_every_moment_of_a_span_is_in_one_bucket(begins, length, interval):
    begins = min(begins, datetime.max.replace(tzinfo=UTC) - length)
    try:
        starts = list(cut(Span(begins_at=begins, ends_at=begins + length), interval=interval).starts())
    except InvalidRequest:
        return

    assert starts == sorted(set(starts))
    assert starts[0] <= begins
    assert starts[-1] <= begins + length
    assert len(starts) == 1 or starts[1] > begins


@settings(max_examples=60)
@given(moments, moments)
def test_whatever_is_asked_for_without_an_interval_has_buckets_but_not_too_many(one, other):
    buckets = cut(Span(begins_at=min(one, other), ends_at=max(one, other)), interval="")

    assert 1 <= len(buckets) <= MOST_BUCKETS


@pytest.mark.parametrize(
    "length, interval",
    [
        (timedelta(seconds=90), "second"),
        (timedelta(hours=1), "minute"),
        (timedelta(days=1), "hour"),
        (timedelta(days=7), "hour"),
        (timedelta(days=31), "day"),
        (timedelta(days=365), "week"),
        (timedelta(days=3653), "month"),
        (timedelta(days=36525), "year"),
    ],
)
def test_the_length_chooses_the_interval(length, interval):
    assert made((NOW - length).isoformat(), NOW.isoformat()).interval == interval


def test_without_ends_it_is_the_day_up_to_now():
    whole = span(begins="", ends="", now=NOW)

    assert (whole.ends_at, whole.ends_at - whole.begins_at) == (
        NOW.replace(microsecond=999_999),
        timedelta(days=1, microseconds=999_999),
    )


def test_the_beginning_of_the_calendar_has_no_day_before():
    assert span(begins="", ends="0001-01-01T00:00:00Z", now=NOW).begins_at.year == 1


@pytest.mark.parametrize(
    "begins, ends, interval, named",
    [
        ("2026-05-02", "2026-05-01", "", "to is before from"),
        ("2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z", "second", "interval"),
        ("2026-05-01", "2026-05-02", "decade", "interval"),
        ("0001-01-01T00:00:00+01:00", "2026-05-02", "", "from"),
        ("2026-05-01", "9999-12-31T23:59:59-01:00", "", "to"),
        ("yesterday", "", "", "from"),
        ("", "2026-13-01", "", "to"),
        ("\x00", "", "", "from"),
        ("1525171200000", "", "", "from"),
    ],
)
def test_what_cannot_be_cut_is_refused_by_name(begins, ends, interval, named):
    with pytest.raises(InvalidRequest, match=named):
        made(begins, ends, interval)


@settings(max_examples=60)
@given(st.text(), st.text(), st.text())
def test_no_text_breaks_it(begins, ends, interval):
    with suppress(InvalidRequest):
        made(begins, ends, interval)
