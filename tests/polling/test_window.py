from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.poller import DateField, ResourcePoller
from polling.window import CALLBACK_MEMORY, LEDGER_MARGIN, ledger_horizon, next_known_id, next_watermark, window_of

NOON = datetime(2018, 1, 15, 12, tzinfo=UTC)
STAMP = DateField("_info.lastUpdated", "yyyy-MM-dd'T'HH:mm:ss'Z'")
OVERLAP = timedelta(seconds=120)


def poller(**changes) -> ResourcePoller:
    return ResourcePoller(resource="contacts", url="/contacts", id_field="id", updated=STAMP, created=STAMP, **changes)


@pytest.mark.parametrize("delay, seconds_before", [(timedelta(0), 120), (timedelta(seconds=30), 150)])
def test_a_window_begins_an_overlap_and_the_poll_delay_before_the_watermark(delay, seconds_before):
    window = window_of(
        watermark=NOON,
        baseline_at=NOON - timedelta(days=1),
        is_baseline_read=True,
        known_id=7,
        poller=poller(poll_delay=delay),
        overlap=OVERLAP,
    )

    assert window.since == NOON - timedelta(seconds=seconds_before)
    assert (window.baseline_at, window.is_first, window.known_id) == (NOON - timedelta(days=1), False, 7)


def test_a_window_before_all_calendars_begins_at_the_first_day():
    first_day = datetime(1, 1, 1, tzinfo=UTC)

    window = window_of(
        watermark=first_day,
        baseline_at=first_day,
        is_baseline_read=False,
        known_id=None,
        poller=poller(),
        overlap=OVERLAP,
    )

    assert window.since == first_day
    assert window.is_first


@pytest.mark.parametrize(
    "greatest_stamp, first_page_at, expected",
    [
        (None, NOON + timedelta(hours=1), NOON),  # nothing found proves nothing
        (NOON + timedelta(minutes=3), NOON + timedelta(hours=1), NOON + timedelta(minutes=3)),
        (NOON + timedelta(minutes=3), NOON + timedelta(minutes=2), NOON + timedelta(minutes=2)),  # while paging
        (datetime(2099, 1, 1, tzinfo=UTC), NOON + timedelta(minutes=2), NOON + timedelta(minutes=2)),
        (NOON - timedelta(minutes=1), NOON + timedelta(hours=1), NOON),  # only repeats out of the overlap
        (NOON + timedelta(minutes=3), NOON - timedelta(minutes=10), NOON),  # a Date that goes back
    ],
)
def test_the_watermark_follows_the_stamps_up_to_the_provider_s_clock_and_never_back(
    greatest_stamp, first_page_at, expected
):
    assert next_watermark(watermark=NOON, greatest_stamp=greatest_stamp, first_page_at=first_page_at) == expected


def horizon(**wanted):
    usual: dict[str, Any] = {"watermark": NOON, "clock": NOON, "traced": timedelta(0), "hears_callbacks": False}
    return ledger_horizon(poller=poller(poll_delay=timedelta(seconds=30)), overlap=OVERLAP, **usual | wanted)


def test_the_ledger_reaches_further_back_than_the_next_window():
    assert horizon() == NOON - timedelta(seconds=150) - LEDGER_MARGIN
    # The watermark may stand still for long.
    week, year = timedelta(days=7), timedelta(days=365)
    assert horizon(traced=week, clock=NOON + year) == NOON - timedelta(seconds=150) - LEDGER_MARGIN


def test_the_ledger_remembers_what_somebody_may_ask_about_and_what_callbacks_may_tell_again():
    week, year = timedelta(days=7), timedelta(days=365)

    assert horizon(traced=week) == NOON - week
    assert horizon(traced=week, hears_callbacks=True) == NOON - CALLBACK_MEMORY
    assert horizon(traced=year, hears_callbacks=True) == NOON - year
    assert horizon(traced=timedelta(days=10**6)).year == 1  # whatever the setting says


@pytest.mark.parametrize(
    "known_id, greatest_forgotten, expected", [(5, 9, 9), (9, 5, 9), (5, None, 5), (None, 9, None), (None, None, None)]
)
def test_ids_that_the_ledger_forgets_stay_known(known_id, greatest_forgotten, expected):
    assert next_known_id(known_id=known_id, greatest_forgotten=greatest_forgotten) == expected
