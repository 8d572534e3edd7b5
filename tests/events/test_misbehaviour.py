"""How the receiver for developers goes wrong, and what it refuses to do."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest
import requests
from django.core.management import CommandError, call_command
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.sandbox.server import Answer
from events.misbehaviour import Impossible, Misbehaviour, asked_for
from events.receiver import Receiver
from tests.waiting import until


@pytest.mark.parametrize(
    "fields, status",
    [
        ({}, 500),
        ({"status": 418}, 418),
        ({"fail_every": 3}, 500),
        ({"delay": 2}, 200),
        ({"delay": 2, "status": 500}, 500),
        ({"slow_body": 5}, 200),
        ({"headers": {"X-Odd": "1"}}, 200),
        ({"gone": True}, 410),
        ({"redirect": "http://127.0.0.1/elsewhere"}, 302),
        ({"redirect": "http://127.0.0.1/elsewhere", "status": 308}, 308),
        ({"retry_after": 7}, 503),
        ({"retry_after": 7, "status": 429}, 429),
        ({"hang": True}, 0),
        ({"drop": True, "fail_every": 2}, 0),
    ],
)
def test_the_status_is_the_one_that_goes_with_the_rest(fields, status):
    assert Misbehaviour(**fields).answers == status


@pytest.mark.parametrize(
    "fields, name, reason",
    [
        ({"status": 99}, "status", "200 to 599"),
        ({"status": "500"}, "status", "200 to 599"),
        ({"status": True}, "status", "200 to 599"),
        ({"delay": -1}, "delay", "seconds from 0"),
        ({"delay": float("nan")}, "delay", "seconds from 0"),
        ({"slow_body": 1e9}, "slow_body", "seconds from 0"),
        ({"retry_after": 1.5}, "retry_after", "whole seconds"),
        ({"fail_every": 0}, "fail_every", "from 1 on"),
        ({"times": 0}, "times", "from 1 on"),
        ({"hang": 1}, "hang", "true or false"),
        ({"redirect": "ftp://127.0.0.1/"}, "redirect", "http:// or https://"),
        ({"redirect": "http://127.0.0.1/\r\nX: y"}, "redirect", "http:// or https://"),
        ({"headers": {"X": "a\nb"}}, "headers", "line breaks"),
        ({"headers": []}, "headers", "texts by name"),
        ({"body": 5}, "body", "a text"),
        ({"hang": True, "drop": True}, "drop", "with hang"),
        ({"gone": True, "retry_after": 1}, "retry_after", "with gone"),
        ({"hang": True, "delay": 1}, "delay", "no answer"),
        ({"drop": True, "status": 500}, "status", "no answer"),
        ({"gone": True, "status": 404}, "status", "410"),
        ({"redirect": "http://127.0.0.1/", "status": 200}, "status", "300 to 399"),
        ({"retry_after": 1, "status": 500}, "status", "429 or 503"),
        ({"stats": 1}, "stats", "there are status, delay"),
    ],
)
def test_what_cannot_be_is_refused_by_name(fields, name, reason):
    with pytest.raises(Impossible, match=reason) as refused:
        asked_for(fields)
    assert refused.value.name == name


ANYTHING: st.SearchStrategy[Any] = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just([])


@settings(max_examples=50)
@given(
    st.dictionaries(
        st.sampled_from(list(Misbehaviour.__dataclass_fields__)),
        ANYTHING | st.dictionaries(st.text(), st.text()) | st.just("http://127.0.0.1/"),
    )
)
def test_whatever_is_asked_for_becomes_an_answer_or_is_refused(fields):
    try:
        answer = asked_for(fields).answer()
    except Impossible:
        return
    assert isinstance(answer, Answer)
    assert all("\n" not in name + value and "\r" not in name + value for name, value in answer.headers)


# Over HTTP


@pytest.fixture(scope="module")
def running():
    with Receiver.start() as receiver:
        yield receiver


@pytest.fixture
def receiver(running: Receiver) -> Receiver:
    running.behave_well()
    running.clear()
    return running


def post(receiver: Receiver, **options: Any) -> requests.Response:
    return requests.post(receiver.url, data=b"{}", timeout=10, allow_redirects=False, **options)


def test_every_third_fails_until_it_has_recovered(receiver):
    receiver.behave(fail_every=3, times=2)

    assert [post(receiver).status_code for _ in range(9)] == [200, 200, 500, 200, 200, 500, 200, 200, 200]


def test_redirects_and_waits_are_told_in_headers(receiver):
    receiver.behave(redirect="http://127.0.0.1:9/elsewhere")
    receiver.behave(status=429, retry_after=7)

    moved, busy = post(receiver), post(receiver)

    assert (moved.status_code, moved.headers["Location"]) == (302, "http://127.0.0.1:9/elsewhere")
    assert (busy.status_code, busy.headers["Retry-After"]) == (429, "7")


def test_body_drips_in(receiver):
    receiver.behave(slow_body=0.2)
    began = time.monotonic()

    assert post(receiver).json() == {}

    assert time.monotonic() - began > 0.1


def test_who_hangs_keeps_the_connection_until_the_client_gives_up(receiver):
    receiver.behave(hang=True)
    port = int(receiver.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}")
        (notification,) = receiver.wait_for(1)
        client.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client.recv(1)

    assert notification.status == 0
    # Otherwise a thread and a socket would stay behind each request.
    until(lambda: not receiver._server._connections)


@pytest.mark.parametrize(
    "sent, said",
    [
        ("[]", "object"),
        ("no", "Expecting"),
        ("[" * 10_000, "recursion"),
        ('{"times": 0}', "times"),
        ('{"stats": 1}', "stats"),
        ('{"self": 1}', "self"),
    ],
)
def test_other_processes_are_told_what_cannot_be(receiver, sent, said):
    answer = requests.post(f"{receiver.url}/_receiver/behave", data=sent, timeout=10)

    assert answer.status_code == 400
    assert said in answer.json()["error"]


# By options of the command


@pytest.mark.parametrize(
    "options, said",
    [
        (["--status", "99"], "--status: send a status"),
        (["--retry-after", "5", "--status", "500"], "--status: Retry-After goes with"),
        (["--hang", "--drop"], "--drop: cannot be together with hang"),
        (["--fail-every", "0"], "--fail-every: "),
        (["--recover-after", "0"], "--recover-after: "),
        (["--delay", "soon"], "--delay: invalid float"),
        (["--port", "99999"], "--port 99999"),
    ],
)
def test_command_refuses_options_that_cannot_be(options, said):
    with pytest.raises(CommandError, match=said):
        call_command("listen", *options)
