"""Who may have how much under way, over many receivers and histories."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from events import windows
from events.claims import Ask, Claim
from events.lanes import Lane
from events.models import Delivery
from events.windows import AHEAD, BEGINNING, LEAST, Windows, evenly, resized

FEW = settings(max_examples=60, deadline=None)


def claim(subscription_id: int, *, organization_id: int = 1, lane: int = Delivery.LIVE) -> Claim:
    return Claim(
        delivery_id=1,
        epoch=1,
        attempts_made=0,
        failing_for=None,
        event_id=1,
        instance_id=None,
        body=b"",
        subscription_id=subscription_id,
        url="",
        is_wanted=True,
        signing_keys_encrypted="",
        is_legacy_signed_by_old=False,
        failure_policy="retry",
        organization_id=organization_id,
        lane=lane,
        retry_schedule="",
        is_ordered=False,
        is_watched=False,
        read_at=datetime(2026, 11, 22, tzinfo=UTC),
        claimed_at=0.0,
    )


def fill(places: Windows, of: Claim) -> int:
    """Start as many as may be."""
    count = 0
    places.took([of])
    while places.start(of):
        places.took([of])
        count += 1
    places.gave_back([of])
    return count


def answer(places: Windows, of: Claim, *, times: int, seconds: float = 0.01) -> None:
    for _ in range(times):
        places.took([of])
        assert places.start(of)
        places.end(of, seconds=seconds, is_timeout=False, now=0.0)


@given(st.lists(st.integers(0, 60), max_size=12), st.integers(0, 200))
def test_shares_are_as_even_as_wishes_allow_and_use_all_there_is(wants, room):
    shares = evenly(wants, room=room)

    assert sum(shares) == min(room, sum(wants))
    assert all(share <= want for share, want in zip(shares, wants, strict=True))
    for share, want in zip(shares, wants, strict=True):
        assert share == want or share >= max(shares) - 1


@given(st.lists(st.tuples(st.floats(0, 30), st.booleans()), max_size=60), st.integers(LEAST, 400))
def test_a_window_stays_within_its_bounds_and_moves_as_the_receiver_does(attempts, most):
    size = min(BEGINNING, most)
    for seconds, is_timeout in attempts:
        before, size = size, resized(size, seconds=seconds, is_timeout=is_timeout, most=most)

        assert LEAST <= size <= most
        if is_timeout or seconds > windows.SLOW_SECONDS:
            assert size == max(LEAST, before // 2)
        else:
            assert before <= size <= before + 1


@FEW
@given(st.integers(8, 400), st.integers(0, 400))
def test_whoever_hangs_leaves_a_place_for_somebody_else(places, answers):
    table = Windows(places)
    greedy = claim(1, organization_id=1)
    answer(table, greedy, times=answers)

    fill(table, greedy)

    assert fill(table, claim(2, organization_id=2)) >= 1


def test_an_organization_has_no_more_than_one_subscription_may_have():
    table = Windows(200)
    for subscription_id in range(1, 51):
        fill(table, claim(subscription_id, organization_id=1))

    assert table.started == 160
    assert fill(table, claim(99, organization_id=2)) == BEGINNING


def test_receivers_that_hang_have_a_quarter_together_however_many_they_are():
    table = Windows(100)
    hanging = [claim(number, organization_id=number) for number in range(1, 200)]
    for one in hanging:
        table.took([one])
        assert table.start(one)
        table.end(one, seconds=10.0, is_timeout=True, now=0.0)
    lanes = [Lane(Delivery.LIVE, one.subscription_id, one.organization_id) for one in hanging]

    assert sum(ask.most for ask in table.asks(lanes, now=20.0)) == 25 * (1 + AHEAD)
    assert sum(fill(table, one) for one in hanging) == 25
    assert table.asks([*lanes, Lane(Delivery.LIVE, 999, 999)], now=20.0)[0].subscription_id == 999
    table.end(hanging[0], seconds=0.01, is_timeout=False, now=21.0)
    assert (fill(table, hanging[0]), fill(table, hanging[50])) == (LEAST, LEAST)


def test_a_new_receiver_gets_few_at_first_and_more_with_each_quick_answer():
    table = Windows(200)

    assert fill(table, claim(1)) == BEGINNING
    answer(table, claim(2), times=10)
    assert fill(table, claim(2)) == BEGINNING + 10


def test_a_receiver_that_does_not_answer_has_nothing_waiting_behind_what_it_holds():
    table = Windows(200)
    lane = Lane(Delivery.LIVE, 1, 1)
    fill(table, claim(1))
    assert table.asks([lane], now=0.0) == []

    table.end(claim(1), seconds=0.1, is_timeout=False, now=0.0)
    assert table.asks([lane], now=0.5) == [Ask(Delivery.LIVE, 1, (1 + AHEAD) * (BEGINNING + 1) - (BEGINNING - 1))]
    assert table.asks([lane], now=5.0) == [Ask(Delivery.LIVE, 1, 2)]


def test_a_backlog_of_one_organization_leaves_another_its_share():
    table = Windows(20)
    lanes = [Lane(Delivery.LIVE, number, 1) for number in range(1, 31)] + [Lane(Delivery.LIVE, 50, 2)]

    asked = {ask.subscription_id: ask.most for ask in table.asks(lanes, now=0.0)}

    assert asked[50] == BEGINNING
    assert sum(asked.values()) == 20 * (1 + AHEAD)


def test_replays_get_a_tenth_and_only_what_is_left():
    table = Windows(100)
    again = [Lane(Delivery.AGAIN, number, number) for number in range(1, 11)]
    live = [Lane(Delivery.LIVE, number, number) for number in range(1, 90)]

    assert sum(ask.most for ask in table.asks(again, now=0.0)) == 10 * (1 + AHEAD)
    assert {ask.lane for ask in table.asks([*live, *again], now=0.0)} == {Delivery.LIVE}
    assert sum(fill(table, claim(number, lane=Delivery.AGAIN)) for number in range(1, 11)) == 10


@FEW
@given(st.lists(st.tuples(st.integers(1, 4), st.sampled_from((0.01, 1.5, 5.0))), max_size=40))
def test_what_ends_or_is_given_back_leaves_nothing_behind(history):
    table = Windows(10)
    for number, seconds in history:
        one = claim(number, lane=number % 2)
        table.took([one, one])
        if table.start(one):
            table.end(one, seconds=seconds, is_timeout=False, now=0.0)
            table.gave_back([one])
        else:
            table.gave_back([one, one])

    assert (table.started, table.ahead) == (0, 0)
    assert fill(table, claim(9, organization_id=9)) == fill(Windows(10), claim(9))


def test_receivers_that_have_nothing_under_way_are_forgotten_when_they_are_many(monkeypatch):
    monkeypatch.setattr(windows, "MOST_RECEIVERS", 10)
    table = Windows(100)
    table.took([claim(1)])
    for number in range(2, 50):
        answer(table, claim(number), times=1)

    assert len(table._windows) <= 11
    assert table.start(claim(1))
