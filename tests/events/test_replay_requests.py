"""What can be asked to be replayed, and what is said about the rest."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import InvalidQuery
from events.replay_requests import DEFAULT_RATE, HIGHEST_RATE, Wanted, parse, parse_change
from instances.errors import InvalidRequest

STATES = ("paused", "running", "cancelled")


def test_everything_that_can_be_said_is_understood():
    asked = parse(
        {
            "instanceId": 7,
            "subscriptionId": 3,
            "statuses": ["queued", "delivered", "queued"],
            "from": "2026-11-22T10:00:00.75+01:00",
            "to": "2026-11-22T11:00:00",
            "eventIds": ["12", 11, 12],
            "deliveryIds": [5],
            "where": "channel='webhook'",
            "rate": HIGHEST_RATE,
            "reactivate": True,
        }
    )

    assert (asked.rate, asked.reactivates) == (HIGHEST_RATE, True)
    assert asked.wanted == Wanted(
        instance_id=7,
        subscription_id=3,
        statuses=("delivered", "queued"),
        begins_at=datetime(2026, 11, 22, 9, tzinfo=UTC),
        ends_at=datetime(2026, 11, 22, 11, tzinfo=UTC),
        event_ids=(11, 12),
        delivery_ids=(5,),
        where="channel='webhook'",
    )


def test_what_is_not_said_has_a_default():
    asked = parse({"instanceId": 7, "from": None})

    assert asked.wanted == Wanted(instance_id=7, statuses=("delivered", "queued", "abandoned"))
    assert (asked.rate, asked.reactivates) == (DEFAULT_RATE, False)


def test_a_status_may_stand_in_where():
    assert parse({"where": "status='retry'"}).wanted.statuses == ("retry",)
    assert parse({"where": "status='retry'", "statuses": ["retry"]}).wanted.statuses == ("retry",)


@pytest.mark.parametrize(
    "sent, named",
    [
        ([], "JSON object"),
        ({}, "Say what to replay"),
        ({"rate": 5, "reactivate": True}, "Say what to replay"),
        ({"instanceId": None}, "Say what to replay"),
        ({"status": ["queued"]}, "status is not known"),
        ({"instanceId": "seven"}, "instanceId"),
        ({"instanceId": True}, "instanceId"),
        ({"subscriptionId": 2**63}, "subscriptionId"),
        ({"statuses": []}, "statuses"),
        ({"statuses": "queued"}, "statuses"),
        ({"statuses": ["created"]}, "created is on its way"),
        ({"statuses": [["queued"]]}, "statuses"),
        ({"from": "yesterday"}, "from"),
        ({"to": 5}, "to"),
        ({"from": "2026-11-22T10:00:01Z", "to": "2026-11-22T10:00:00Z"}, "to is before from"),
        ({"eventIds": []}, "eventIds"),
        ({"eventIds": list(range(1, 1002))}, "eventIds"),
        ({"eventIds": [0]}, "eventIds"),
        ({"deliveryIds": [1.5]}, "deliveryIds"),
        ({"where": 5}, "where"),
        ({"where": " "}, "where"),
        ({"where": "id='5'"}, "where"),
        ({"where": "status='created'"}, "created is on its way"),
        ({"where": "status='queued'", "statuses": ["delivered"]}, "name it once"),
        ({"instanceId": 7, "rate": 0}, "rate"),
        ({"instanceId": 7, "rate": 1001}, "rate"),
        ({"instanceId": 7, "rate": "fast"}, "rate"),
        ({"instanceId": 7, "reactivate": "yes"}, "reactivate"),
    ],
)
def test_other_requests_are_refused_by_name(sent, named):
    with pytest.raises(InvalidRequest, match=named):
        parse(sent)


@given(
    sent=st.dictionaries(
        st.sampled_from(["instanceId", "statuses", "from", "to", "eventIds", "where", "rate", "reactivate"]),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text(max_size=20)
        | st.lists(st.integers() | st.text(max_size=8), max_size=3),
    )
)
def test_whatever_is_sent_is_understood_or_refused(sent: dict[str, Any]):
    with suppress(InvalidRequest, InvalidQuery):
        asked = parse(sent)
        assert Wanted.from_json(asked.wanted.to_json()) == asked.wanted


@pytest.mark.parametrize(
    "sent, state, rate",
    [
        ({"state": "paused"}, "paused", None),
        ({"rate": 5}, None, 5),
        ({"state": "running", "rate": 1000}, "running", 1000),
    ],
)
def test_a_change_names_a_state_or_a_rate_or_both(sent, state, rate):
    change = parse_change(sent, states=STATES)

    assert (change.state, change.rate) == (state, rate)


@pytest.mark.parametrize(
    "sent", ["paused", {}, {"state": None}, {"state": "finished"}, {"state": 1}, {"rate": 0}, {"total": 5}]
)
def test_other_changes_are_refused(sent):
    with pytest.raises(InvalidRequest):
        parse_change(sent, states=STATES)
