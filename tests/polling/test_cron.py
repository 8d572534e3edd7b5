"""When jobs are due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instances.errors import InvalidRequest
from polling import cron

NOW = datetime(2026, 11, 22, 7, 0, 30, tzinfo=UTC)
"""A Sunday."""


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 * * * * ?", "2026-11-22 07:01:00"),
        ("0 * * * * *", "2026-11-22 07:01:00"),
        ("0 0/15 8-18 ? * MON-FRI", "2026-11-23 08:00:00"),
        ("0 0 0 ? * 1", "2026-11-29 00:00:00"),  # 1 is Sunday
        ("0 0 0 ? * 7", "2026-11-28 00:00:00"),
        ("0 0 0 ? * L", "2026-11-28 00:00:00"),
        ("0 0 0 L * ?", "2026-11-30 00:00:00"),
        ("0 0 12 ? * 6L", "2026-11-27 12:00:00"),
        ("0 0 12 ? * fri#3", "2026-12-18 12:00:00"),
        ("5 0 22-2 ? * * *", "2026-11-22 22:00:05"),
        ("0 0 3 1/10 * ? *", "2026-12-01 03:00:00"),
        ("0 30 4 29 FEB ? 2027-2029", "2028-02-29 04:30:00"),
        ("0 10,20 7 * * ?", "2026-11-22 07:10:00"),
        ("0 0 0 1 JAN ? 2020", None),
        ("0 0 0 30 2 ?", None),
    ],
)
def test_the_next_moment_of_an_expression(expression, expected):
    found = cron.next_run(expression, after=NOW)

    assert (found and f"{found:%Y-%m-%d %H:%M:%S}") == expected


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("", "is no Quartz expression"),
        ("*/5 * * * *", "is no Quartz expression"),
        ("0 0 0 1 1 ? 2027 1", "is no Quartz expression"),
        ("* * * * * ?", "once a minute"),
        ("0/30 * * * * ?", "once a minute"),
        ("0 0 0 1 * 2", "exactly one"),
        ("0 0 0 ? * ?", "exactly one"),
        ("0 60 * * * ?", "minutes: '60' is not between 0 and 59"),
        ("0 0 0 0 * ?", "day of month: '0'"),
        ("0 0 0 ? * 8", "day of week: '8'"),
        ("0 0 0 15W * ?", "day of month: '15W'"),
        ("0 0 0 * FOO ?", "month: 'FOO'"),
        ("0 1-x * * * ?", "minutes: 'X'"),
        ("0 1,,2 * * * ?", "minutes: ''"),
        ("0 */0 * * * ?", "minutes: '*/0' cannot be read"),
        ("0 0 0 30 2 ?", "no moment that is still to come"),
    ],
)
def test_what_is_no_expression_is_refused_by_its_field(expression, message):
    with pytest.raises(InvalidRequest, match=r"^trigger\.cron: ") as refused:
        cron.check(expression, now=NOW)
    assert message in str(refused.value)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text("0123456789*?/-,LW#SUNMO", min_size=1, max_size=4), min_size=5, max_size=8))
def test_any_text_is_refused_or_due_at_least_a_minute_apart(parts):
    expression = " ".join(parts)
    try:
        first = cron.next_run(expression, after=NOW)
    except InvalidRequest:
        return
    if first is not None and (second := cron.next_run(expression, after=first)) is not None:
        assert second - first >= timedelta(minutes=1)
