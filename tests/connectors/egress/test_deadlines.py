"""One time limit for several requests."""

from __future__ import annotations

import time

import pytest

from connectors.egress import deadline, fetch
from connectors.errors import TryLater
from tests.connectors.egress.sinks import silent


def get(url: str, **options) -> None:
    fetch("GET", url, headers={}, **options)


def test_a_request_ends_when_the_time_is_up(start):
    sink = start(silent)
    began = time.monotonic()

    with deadline(0.3), pytest.raises(TryLater, match=r"within 0\.3 seconds"):
        get(sink.url(), timeout=30.0)

    assert time.monotonic() - began < 5


def test_all_requests_together_have_that_long(start):
    silent_one, answering_one = start(silent), start()

    with deadline(0.2):
        with pytest.raises(TryLater):
            get(silent_one.url())
        with pytest.raises(TryLater, match="ran out"):
            get(answering_one.url())

    assert answering_one.received == []


def test_a_shorter_time_limit_of_the_request_still_counts(start):
    with deadline(60), pytest.raises(TryLater, match=r"within 0\.(1|0[0-9]+) seconds"):
        get(start(silent).url(), timeout=0.1)


def test_an_inner_deadline_is_never_later_than_the_outer_one(start):
    with deadline(0.1), deadline(60), pytest.raises(TryLater, match=r"within 0\.(1|0[0-9]+) seconds"):
        get(start(silent).url())


def test_behind_it_there_is_no_limit_left(start):
    with deadline(0.0), pytest.raises(TryLater):
        get(start().url())

    get(start().url())
