"""How callbacks get lost, doubled, late, tried again and given up, while the sandbox goes on answering."""

from __future__ import annotations

import socket
import threading
import time
from datetime import UTC, date, datetime, timedelta

import pytest

from connectors.sandbox import Sandbox
from connectors.sandbox.callbacks import is_hopeless
from connectors.sandbox.sending import Sender
from connectors.sandbox.server import Answer
from tests.connectors.sandbox.conftest import Caller


def tries(sandbox) -> list[tuple[int, int | None]]:
    return [(one.try_number, one.status) for one in sandbox.callbacks.sent]


# Trying again


@pytest.mark.parametrize("status", [404, 409, 419, 429])
def test_what_may_pass_is_tried_three_times_with_the_same_words(sandbox, listener, registered, status):
    sandbox.callbacks.retry_scale = 0.02
    listener.answer = Answer(status=status)
    sandbox.contacts.edit(1)
    listener.wait_for(1)
    sandbox.callbacks.rotate_key()
    sandbox.callbacks.wait_until_idle(10)

    assert tries(sandbox) == [(1, status), (2, status), (3, status)]
    assert len({request.body for request in listener.received}) == 1
    assert len({request.headers["x-content-signature"] for request in listener.received}) == 1
    first, second, third = listener.moments
    assert second - first >= 0.04
    assert third - second >= 0.08


def test_trying_again_ends_with_the_first_success(sandbox, listener, registered):
    sandbox.callbacks.retry_scale = 0.01
    listener.statuses = [429, 204]
    sandbox.contacts.edit(1)
    sandbox.callbacks.wait_until_idle(10)
    assert tries(sandbox) == [(1, 429), (2, 204)]
    assert [one.succeeded for one in sandbox.callbacks.sent] == [False, True]


@pytest.mark.parametrize("status", [200, 202, 301, 400, 401, 408, 413, 500, 502, 503, 504])
def test_nothing_else_is_tried_again(sandbox, listener, registered, status):
    sandbox.callbacks.retry_scale = 0.0
    listener.answer = Answer(status=status, headers=(("Location", f"{listener.server.url}/elsewhere"),))
    sandbox.contacts.edit(1)
    sandbox.callbacks.wait_until_idle(10)
    assert tries(sandbox) == [(1, status)]


@pytest.mark.parametrize(
    "answer, error",
    [
        (Answer(status=200, delay=30), "TimeoutError"),
        (Answer(status=200, body=b"x" * 1000, seconds_per_byte=0.05), "TimeoutError"),
        (Answer(status=200, is_dropped=True), "UnreadableAnswer"),
        (Answer(status=200, body=b"{}", cut_after=1), "UnreadableAnswer"),
    ],
)
def test_answer_that_does_not_come_whole_in_time_is_a_failure(sandbox, listener, registered, answer, error):
    sandbox.callbacks.timeout = 0.3
    sandbox.callbacks.retry_scale = 0.0
    listener.answer = answer
    begun = time.monotonic()
    sandbox.contacts.edit(1)
    sandbox.callbacks.wait_until_idle(10)
    assert time.monotonic() - begun < 5
    (sent,) = sandbox.callbacks.sent
    assert (sent.try_number, sent.status, sent.error.partition(":")[0]) == (1, None, error)


def test_refused_connection_is_not_tried_again(sandbox, call):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    call.register(f"http://127.0.0.1:{port}/?recordId=")
    sandbox.contacts.edit(1)
    sandbox.callbacks.wait_until_idle(10)
    (sent,) = sandbox.callbacks.sent
    assert (sent.status, sent.error.partition(":")[0]) == (None, "ConnectionRefusedError")


@pytest.mark.parametrize("url", [f"http://{'ü' * 80}.example/", "http://[::1/"])
def test_url_that_cannot_be_called_is_a_failure_of_the_callback_only(sandbox, url):
    sandbox.registrations.add(type="contact", url=url)
    sandbox.contacts.edit(1)
    sandbox.callbacks.wait_until_idle(10)
    assert [(one.status, bool(one.error)) for one in sandbox.callbacks.sent] == [(None, True)]


# Giving up

MONDAY = date(2026, 6, 8)


@pytest.mark.parametrize(
    "days, expected",
    [
        ([False, False, False], True),
        ([False, False, True], False),
        ([False, True, False], False),
        ([True, False, False], False),
        ([False, None, False], False),
        ([None, False, False], False),
    ],
)
def test_three_days_in_a_row_without_a_success_are_hopeless(days, expected):
    told = {MONDAY + timedelta(days=place): value for place, value in enumerate(days) if value is not None}
    assert is_hopeless(told, today=MONDAY + timedelta(days=2)) is expected


def edit_once_a_day(sandbox, *, days: int) -> list[bool]:
    """Whether the only registration was disabled after each day."""
    (registration,) = sandbox.registrations.ids()
    found = []
    for _ in range(days):
        sandbox.contacts.edit(1)
        sandbox.callbacks.wait_until_idle(10)
        found.append(sandbox.registrations.get(registration)["inactiveFlag"])
        sandbox.clock.advance(timedelta(days=1))
    return found


def test_registration_is_disabled_after_three_days_of_failures_and_can_be_enabled_again(
    sandbox, call, listener, registered
):
    sandbox.clock.freeze(datetime(2026, 6, 8, 23, 59, tzinfo=UTC))
    listener.answer = Answer(status=500)
    assert edit_once_a_day(sandbox, days=3) == [False, False, True]
    sandbox.contacts.edit(1)
    sandbox.callbacks.wait_until_idle(10)
    assert len(listener.received) == 3, "a disabled one is told nothing"

    call(
        "PATCH",
        f"/system/callbacks/{registered}",
        json=[{"op": "replace", "path": "inactiveFlag", "value": False}],
    )
    assert edit_once_a_day(sandbox, days=3) == [False, False, True]


def test_one_success_a_day_is_enough(sandbox, listener, registered):
    sandbox.clock.freeze(datetime(2026, 6, 8, 12, tzinfo=UTC))
    for _ in range(5):
        listener.statuses = [200]
        listener.answer = Answer(status=500)
        assert edit_once_a_day(sandbox, days=1) == [False]
        sandbox.clock.advance(timedelta(days=-1))
        assert edit_once_a_day(sandbox, days=1) == [False]


# Faults


def fates(seed: int) -> list[tuple[int, bool, bool]]:
    with Sandbox.start(contacts=60, companies=1, tickets=1, time_entries=1, seed=seed) as sandbox:
        sandbox.callbacks.pause()
        sandbox.callbacks.drop = sandbox.callbacks.double = 0.3
        sandbox.registrations.add(type="contact")
        for number in sandbox.contacts.ids():
            sandbox.contacts.edit(number)
        dropped = [(one.record_id, True, False) for one in sandbox.callbacks.sent]
        return [*dropped, (sandbox.callbacks.waiting, False, True)]


def test_same_seed_drops_and_doubles_the_same():
    assert fates(5) == fates(5) != fates(6)


def test_dropped_callbacks_are_in_the_log_and_nowhere_else(sandbox, listener, registered):
    sandbox.callbacks.drop = 1.0
    sandbox.contacts.edit(1)
    assert sandbox.callbacks.waiting == 0
    (sent,) = sandbox.callbacks.sent
    assert (sent.was_dropped, sent.try_number, sent.record_id, sent.status) == (True, 0, 1, None)
    assert listener.received == []


def test_doubled_callbacks_have_one_message_id(sandbox, listener, registered):
    sandbox.callbacks.double = 1.0
    sandbox.contacts.edit(1)
    sandbox.callbacks.wait_until_idle(10)
    assert len(listener.bodies) == 2
    assert len({body["MessageId"] for body in listener.bodies}) == 1
    assert sorted(one.is_second_copy for one in sandbox.callbacks.sent) == [False, True]


def test_shares_are_about_what_was_asked_for(sandbox, listener, registered):
    sandbox.callbacks.pause()
    sandbox.callbacks.drop = sandbox.callbacks.double = 0.2
    for _ in range(500):
        sandbox.contacts.edit(1)
    dropped = len(sandbox.callbacks.sent)
    assert 60 < dropped < 140
    assert 40 < sandbox.callbacks.waiting - (500 - dropped) < 120


def test_jitter_delays_and_a_seed_begins_anew(sandbox, listener, registered):
    sandbox.callbacks.jitter = 3600.0
    sandbox.contacts.edit(1)
    sandbox.callbacks.jitter = 0.0
    sandbox.contacts.edit(2)
    listener.wait_for(1)
    assert sandbox.callbacks.waiting >= 1
    with pytest.raises(TimeoutError):
        sandbox.callbacks.wait_until_idle(0.01)

    ids: list[str] = []
    for _ in range(2):
        sandbox.callbacks.seed = 7
        sandbox.contacts.edit(3)
        listener.wait_for(2 + len(ids))
        ids.append(listener.bodies[-1]["MessageId"])
    assert ids[0] == ids[1]
    assert [body["ID"] for body in listener.bodies] == [2, 3, 3]


def test_paused_callbacks_wait(sandbox, listener, registered):
    sandbox.callbacks.pause()
    sandbox.contacts.edit(1)
    sandbox.contacts.edit(2)
    assert (sandbox.callbacks.waiting, listener.received) == (2, [])
    sandbox.callbacks.resume()
    sandbox.callbacks.wait_until_idle(10)
    assert sorted(body["ID"] for body in listener.bodies) == [1, 2]


# In the background


def test_burst_arrives_whole_and_sixteen_at_a_time(sandbox, listener, registered):
    for number in range(300):
        sandbox.contacts.edit(number % 20 + 1)
    sandbox.callbacks.wait_until_idle(20)
    assert len({body["MessageId"] for body in listener.bodies}) == 300
    assert len([one for one in threading.enumerate() if one.name == "sandbox-callbacks"]) <= 16


def test_slow_listeners_do_not_slow_the_sandbox(sandbox, call, listener, registered):
    listener.answer = Answer(status=200, delay=60)
    for number in range(1, 21):
        sandbox.contacts.edit(number)
    listener.wait_for(16)
    begun = time.monotonic()
    assert len(call.ids("/company/contacts")) == 20
    call("PATCH", "/company/contacts/1", json=[{"op": "replace", "path": "title", "value": "CFO"}])
    assert time.monotonic() - begun < 4


def test_stopping_cuts_what_is_open_and_forgets_what_waits(listener):
    listener.answer = Answer(status=200, delay=60)
    sandbox = Sandbox.start(contacts=20, companies=1, tickets=1)
    caller = Caller(sandbox)
    caller.register(listener.url)
    caller.session.close()
    for number in range(1, 21):
        sandbox.contacts.edit(number)
    listener.wait_for(16)
    begun = time.monotonic()
    sandbox.stop()
    assert time.monotonic() - begun < 4
    assert [one for one in threading.enumerate() if one.name == "sandbox-callbacks"] == []
    sandbox.contacts.edit(1)  # tells nobody, and does not fail
    assert len(listener.received) == 16


def test_jobs_that_are_due_go_before_those_that_are_not():
    sender, late, now = Sender(), threading.Event(), threading.Event()
    try:
        sender.submit(late.set, delay=3600)
        sender.submit(now.set)
        assert now.wait(10)
        assert not late.is_set()
    finally:
        sender.stop()


def test_job_that_fails_is_kept_and_the_thread_goes_on():
    sender, ended = Sender(), threading.Event()
    try:
        sender.submit(lambda: 1 / 0)
        sender.wait_until_idle(10)
        sender.submit(ended.set)
        assert ended.wait(10)
        assert [type(failure) for failure in sender.failures] == [ZeroDivisionError]
    finally:
        sender.stop()
