"""Somebody who guesses passwords is stopped, at the console and over the API; whoever the account belongs to is not."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
import time_machine
from axes.models import AccessAttempt
from django.core.serializers import serialize
from django.test import Client
from django.utils import timezone

from tests.factories import PASSWORD

HOME, OFFICE = "203.0.113.7", "198.51.100.1"


@pytest.fixture
def person(owner) -> str:
    return str(owner.email)


def over_the_api(email: str, password: str, *, at: str = HOME, **headers: str) -> Any:
    return Client(headers=headers, REMOTE_ADDR=at).post(
        "/elements/api-v2/authentication",
        {"username": email, "password": password},
        content_type="application/json",
    )


def at_the_console(email: str, password: str, *, at: str = HOME, **headers: str) -> Any:
    return Client(headers=headers, REMOTE_ADDR=at).post("/console/login/", {"username": email, "password": password})


@pytest.mark.parametrize("tried", [over_the_api, at_the_console])
def test_the_fifth_failure_shuts_the_door_for_a_while_even_for_the_right_password(person, tried, caplog):
    statuses = [tried(person, f"canary-{number}").status_code for number in range(5)]

    refused = tried(person.upper(), PASSWORD)
    assert statuses[-1] == refused.status_code == 429
    assert 429 not in statuses[:4]
    assert int(refused["Retry-After"]) == 900
    assert "Too many attempts to sign in have failed. Try again in 15 minutes" in refused.content.decode()
    assert tried(person, PASSWORD, at=OFFICE).status_code in (200, 302)
    with time_machine.travel(timezone.now() + timedelta(minutes=15, seconds=1)):
        assert tried(person, PASSWORD).status_code in (200, 302)
    assert "canary" not in caplog.text + serialize("json", AccessAttempt.objects.all())
    assert person not in serialize("json", AccessAttempt.objects.all())


def test_both_doors_are_one_and_an_answer_of_the_api_is_in_its_shape(person):
    for _ in range(4):
        at_the_console(person, "wrong")
    over_the_api(person, "wrong")

    refused = over_the_api(person, PASSWORD)
    assert set(refused.json()) == {"requestId", "message"}
    assert at_the_console(person, PASSWORD).status_code == 429


def test_an_address_that_nobody_has_is_shut_out_just_the_same(db):
    answers = [over_the_api("nobody@example.com", "wrong") for _ in range(5)]

    assert [answer.status_code for answer in answers] == [401, 401, 401, 401, 429]


@pytest.mark.parametrize("tried", [over_the_api, at_the_console])
def test_getting_in_begins_the_count_anew(person, tried):
    for password in ("wrong",) * 4 + (PASSWORD,) + ("wrong",) * 4:
        assert tried(person, password).status_code != 429

    assert tried(person, PASSWORD).status_code in (200, 302)


def test_trying_on_while_shut_out_does_not_make_it_longer(person):
    for _ in range(5):
        over_the_api(person, "wrong")
    with time_machine.travel(timezone.now() + timedelta(minutes=10)):
        assert over_the_api(person, "wrong").status_code == 429

    with time_machine.travel(timezone.now() + timedelta(minutes=15, seconds=1)):
        assert over_the_api(person, PASSWORD).status_code == 200


def test_guessing_from_many_addresses_has_an_end_too(person):
    for number in range(50):
        over_the_api(person, "wrong", at=f"198.51.100.{number // 4}")

    assert over_the_api(person, PASSWORD, at=HOME).status_code == 429


def test_getting_in_forgives_nobody_elsewhere(person):
    for _ in range(4):
        over_the_api(person, "wrong", at=OFFICE)

    assert over_the_api(person, PASSWORD, at=HOME).status_code == 200
    assert over_the_api(person, "wrong", at=OFFICE).status_code == 429


def test_who_says_to_come_from_elsewhere_is_not_believed(person):
    for number in range(5):
        over_the_api(person, "wrong", **{"X-Forwarded-For": f"192.0.2.{number}"})

    assert over_the_api(person, PASSWORD, **{"X-Forwarded-For": OFFICE}).status_code == 429


def test_visitors_behind_a_proxy_of_ours_are_told_apart(person, settings):
    settings.TRUSTED_PROXIES = [ip_network("10.0.0.0/8")]
    for _ in range(5):
        over_the_api(person, "wrong", at="10.0.0.1", **{"X-Forwarded-For": HOME})

    assert over_the_api(person, PASSWORD, at="10.0.0.1", **{"X-Forwarded-For": HOME}).status_code == 429
    assert over_the_api(person, PASSWORD, at="10.0.0.1", **{"X-Forwarded-For": OFFICE}).status_code == 200


@pytest.mark.parametrize("email", ["a\x00b", "x" * 5000, "\ud83d"])
def test_what_no_address_can_be_is_refused_like_any_other(db, email):
    assert over_the_api(email, "wrong").status_code in (400, 401)
