"""What has to be done at the provider, decided without asking it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.callbacks import RegisteredCallback, WantedCallback
from connectors.errors import CredentialsRefused, PermissionRefused, RateLimited, RequestRefused, TryLater
from events.agreement import Pause, concerns_one, is_ours, pause_after, plan

URL = "https://hooks.example.com/elements/api-v2/events/connectwisehd/token?recordId="
TICKETS, TIMES = (WantedCallback(type=name, level="owner", object_id="1") for name in ("ticket", "time"))
CHECK = timedelta(minutes=15)


def entry(
    number: int, wanted: WantedCallback = TICKETS, *, url: str = URL, is_active: bool = True
) -> RegisteredCallback:
    return RegisteredCallback(provider_id=str(number), wanted=wanted, url=url, is_active=is_active)


def test_what_is_as_it_is_wanted_stays():
    found = plan(wanted=[TICKETS, TIMES], found=[entry(2, TIMES), entry(1)], url=URL)

    assert (found.kept, found.disabled, found.superfluous, found.missing) == ((entry(1), entry(2, TIMES)), (), (), ())


def test_what_is_not_there_is_missing_and_what_is_not_wanted_superfluous():
    found = plan(wanted=[TICKETS], found=[entry(1, TIMES)], url=URL)

    assert (found.missing, found.superfluous) == ((TICKETS,), (entry(1, TIMES),))


def test_under_another_address_it_is_made_anew():
    old = entry(1, url=URL.replace("hooks", "old"))

    found = plan(wanted=[TICKETS], found=[old], url=URL)

    assert (found.missing, found.superfluous) == ((TICKETS,), (old,))


def test_a_host_that_the_provider_spells_otherwise_is_the_same_address():
    assert plan(wanted=[TICKETS], found=[entry(1, url=URL.replace("hooks", "HOOKS"))], url=URL).missing == ()


def test_of_equal_ones_the_oldest_active_one_stays():
    found = plan(wanted=[TICKETS], found=[entry(10), entry(3, is_active=False), entry(9)], url=URL)

    assert found.kept == (entry(9),)
    assert found.superfluous == (entry(10), entry(3, is_active=False))


def test_the_only_one_is_armed_again():
    disabled = entry(1, is_active=False)

    assert plan(wanted=[TICKETS], found=[disabled], url=URL).disabled == (disabled,)


@pytest.mark.parametrize(
    "url, expected",
    [
        (URL, True),
        ("http://old.example.com:8000/below/events/connectwisehd/token", True),
        ("https://relay.example.com/?to=" + URL, False),
        ("https://relay.example.com/#/events/connectwisehd/token", False),
        (URL.replace("token", "token/more"), False),
        (URL.replace("token", "another-token"), False),
        (URL.replace("connectwisehd", "connectwisecrm"), False),
        ("https://[broken/events/connectwisehd/token", False),
    ],
)
def test_the_path_of_its_address_says_whose_it_is(url, expected):
    assert is_ours(entry(1, url=url), element_key="connectwisehd", token="token") is expected


kinds = st.sampled_from(
    [WantedCallback(type=name, level=level, object_id="1") for name in ("a", "b", "c") for level in ("owner", "board")]
)
entries = st.lists(
    st.builds(
        RegisteredCallback,
        provider_id=st.integers(1, 20).map(str),
        wanted=kinds,
        url=st.sampled_from([URL, URL + "x"]),
        is_active=st.booleans(),
    ),
    max_size=8,
    unique_by=lambda one: one.provider_id,
)


@given(wanted=st.lists(kinds, max_size=6, unique=True), found=entries)
def test_carried_out_a_plan_leaves_exactly_what_is_wanted(wanted, found):
    made = plan(wanted=wanted, found=found, url=URL)

    assert sorted((*made.kept, *made.disabled, *made.superfluous), key=str) == sorted(found, key=str)
    left = [one for one in found if one not in made.superfluous]
    assert all(one.url == URL for one in left)
    assert sorted([one.wanted for one in left] + list(made.missing), key=str) == sorted(wanted, key=str)


@pytest.mark.parametrize(
    "error, failures, expected",
    [
        (TryLater("down"), 0, Pause(length=timedelta(0))),
        (TryLater("down"), 1, Pause(length=timedelta(seconds=30))),
        (TryLater("down"), 2, Pause(length=timedelta(minutes=1))),
        (TryLater("down"), 5, Pause(length=timedelta(minutes=8))),
        (TryLater("down"), 6, Pause(length=timedelta(minutes=15))),
        (TryLater("down"), 10_000, Pause(length=timedelta(minutes=15))),
        (TryLater("busy", retry_after=timedelta(minutes=2)), 0, Pause(length=timedelta(minutes=2))),
        (TryLater("busy", retry_after=timedelta(days=30)), 0, Pause(length=timedelta(days=1))),
        (RateLimited("slow"), 4, Pause(length=timedelta(seconds=30), is_failure=False)),
        (
            RateLimited("slow", retry_after=timedelta(minutes=9)),
            0,
            Pause(length=timedelta(minutes=9), is_failure=False),
        ),
        (CredentialsRefused("no"), 0, Pause(length=timedelta(hours=1))),
        (PermissionRefused("no"), 0, Pause(length=CHECK)),
        (ValueError("who knows"), 3, Pause(length=CHECK)),
    ],
)
def test_the_provider_is_left_alone_for(error, failures, expected):
    assert pause_after(error, failures=failures, check_interval=CHECK) == expected


@pytest.mark.parametrize(
    "error, expected",
    [
        (PermissionRefused("no", status=403), True),
        (RequestRefused("no", status=400), True),
        (TryLater("broken", status=500), True),
        (TryLater("no answer"), False),
        (RateLimited("slow", status=429), False),
        (CredentialsRefused("no", status=401), False),
    ],
)
def test_whether_the_next_registration_may_fare_better(error, expected):
    assert concerns_one(error) is expected
