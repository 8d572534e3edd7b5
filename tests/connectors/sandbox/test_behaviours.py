"""Scripted misbehaviour, hooks and the clock, as a client meets them."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest
import requests

from connectors.sandbox import Sandbox, SandboxFailed

CONTACTS, TICKETS = "/company/contacts", "/service/tickets"


@pytest.mark.parametrize(
    "status, content_type, said",
    [
        (401, "application/json", "Incorrect public/private key"),
        (403, "application/json", "You do not have security permission to perform this action."),
        (404, "text/html", "404 - File or directory not found."),
        (429, "application/json", "Too many requests. Please try again in 30 seconds."),
        (500, "application/json", "A timeout has occured. Please try again."),
        (502, "text/html", "502 Bad Gateway"),
        (503, "text/html", "503 Service Unavailable"),
        (409, "application/json", "Conflict"),
    ],
)
def test_status_alone_brings_the_usual_body(sandbox, call, status, content_type, said):
    sandbox.behave(status=status)
    answer = call.get(CONTACTS)
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith(content_type)
    assert said in answer.text
    assert answer.headers["Date"]
    assert call.get(CONTACTS).status_code == 200


def test_429_says_error_instead_of_code_and_when_to_come_back(sandbox, call):
    sandbox.behave(status=429)
    answer = call.get(CONTACTS)
    assert answer.headers["Retry-After"] == "30"
    assert answer.json()["error"] == "ConnectWiseAPI"
    assert "code" not in answer.json()

    sandbox.behave(status=429, headers={"retry-after": "7"})
    assert call.get(CONTACTS).headers["Retry-After"] == "7"


def test_script_holds_for_its_path_method_and_number_of_requests(sandbox, call):
    script = sandbox.behave(path=CONTACTS, method="GET", times=2, status=503)
    assert call.get(TICKETS).status_code == 200
    assert call("POST", CONTACTS, json={"firstName": "Ann"}).status_code == 201
    assert [call.get(path).status_code for path in (CONTACTS, f"{CONTACTS}/1", CONTACTS)] == [503, 503, 200]
    assert script.uses == 2


def test_script_without_end_holds_until_it_is_cleared(sandbox, call):
    sandbox.behave(times=None, status=500)
    assert {call.get(CONTACTS).status_code for _ in range(5)} == {500}
    sandbox.behave_well()
    assert call.get(CONTACTS).status_code == 200


def test_scripts_are_used_in_the_order_they_were_given(sandbox, call):
    sandbox.behave(status=500)
    sandbox.behave(status=429, times=2)
    assert [call.get(CONTACTS).status_code for _ in range(4)] == [500, 429, 429, 200]


@pytest.mark.parametrize("body", [b"\xff\x00", "plain", {"a": 1}, [1]])
def test_body_may_be_anything(sandbox, call, body):
    sandbox.behave(status=200, body=body)
    answer = call.get(CONTACTS)
    assert answer.content == body if isinstance(body, bytes) else answer.text == body or answer.json() == body


def test_html_instead_of_json(sandbox, call):
    sandbox.behave(body="<html>maintenance</html>")
    answer = call.get(CONTACTS)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")


def test_true_answer_under_a_wrong_content_type(sandbox, call):
    sandbox.behave(content_type="text/plain", headers={"X-Odd": "1"})
    answer = call.get(f"{CONTACTS}/1")
    assert (answer.headers["Content-Type"], answer.headers["X-Odd"]) == ("text/plain", "1")
    assert json.loads(answer.content) == sandbox.contacts.get(1)


def test_body_cut_short_of_its_promised_length(sandbox, call):
    sandbox.behave(cut_after=100)
    answer = call("GET", CONTACTS, stream=True)
    assert int(answer.headers["Content-Length"]) > 100
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        _ = answer.content


def test_dropped_connection(sandbox, call):
    sandbox.behave(drop=True)
    with pytest.raises(requests.exceptions.ConnectionError):
        call.get(CONTACTS)
    assert call.get(CONTACTS).status_code == 200


def test_answer_may_be_late(sandbox, call):
    sandbox.behave(delay=0.2)
    began = time.monotonic()
    assert call.get(CONTACTS).status_code == 200
    assert time.monotonic() - began >= 0.2


def test_answer_may_trickle(sandbox, call):
    sandbox.behave(body="12345", seconds_per_byte=0.02)
    began = time.monotonic()
    assert call.get(CONTACTS).text == "12345"
    assert time.monotonic() - began >= 0.1


def test_stopping_waits_for_no_slow_answer():
    sandbox = Sandbox.start(contacts=1, companies=1, tickets=1)
    arrived = threading.Event()
    sandbox.on_request = lambda _request: arrived.set()
    sandbox.behave(delay=60)
    refused = []

    def ask() -> None:
        try:
            requests.get(sandbox.base_url + CONTACTS, timeout=30)
        except requests.exceptions.ConnectionError as error:
            refused.append(error)

    client = threading.Thread(target=ask)
    client.start()
    assert arrived.wait(10)
    began = time.monotonic()
    sandbox.stop()
    client.join(10)
    assert time.monotonic() - began < 5
    assert refused


def test_scripts_reach_paths_outside_the_api(sandbox, call):
    sandbox.behave(path="/login", status=404)
    assert call.get(f"{sandbox.url}/login/companyinfo/acme").status_code == 404


# The hook


def test_hook_sees_each_request_before_its_answer(sandbox, call):
    asked = []

    def delete_between_pages(request) -> None:
        asked.append(request.query["page"])
        if request.query["page"] == "2":
            sandbox.contacts.delete(1)

    sandbox.on_request = delete_between_pages
    found = call.ids(CONTACTS, pageSize=5, page=1) + call.ids(CONTACTS, pageSize=5, page=2)
    assert asked == ["1", "2"]
    assert found == [1, 2, 3, 4, 5, 7, 8, 9, 10, 11]  # the deletion shifted 6 to the page that was read before


def test_hook_that_fails_is_told_when_the_sandbox_stops():
    sandbox = Sandbox.start(contacts=1, companies=1, tickets=1)

    def fail(_request) -> None:
        raise AssertionError("the test was wrong")

    sandbox.on_request = fail
    assert requests.get(sandbox.base_url + CONTACTS, timeout=10).status_code == 500
    with pytest.raises(SandboxFailed, match="the test was wrong"):
        sandbox.stop()


def test_no_credentials_are_in_the_log_of_requests(sandbox, call):
    call.get(CONTACTS)
    sandbox.requests.clear()
    call.get(TICKETS)
    assert [request.endpoint for request in sandbox.requests] == [TICKETS]
    assert "authorization" not in sandbox.requests[0].headers


# The clock


def date_of(answer: requests.Response) -> datetime:
    return parsedate_to_datetime(answer.headers["Date"])


def test_date_header_is_the_sandbox_s_clock(sandbox, call):
    sandbox.clock.freeze(datetime(2026, 6, 9, 21, 59, 47, 900_000, tzinfo=UTC))
    assert call.get(CONTACTS).headers["Date"] == "Tue, 09 Jun 2026 21:59:47 GMT"
    sandbox.clock.advance(timedelta(minutes=10))
    assert date_of(call.get(CONTACTS)) == datetime(2026, 6, 9, 22, 9, 47, tzinfo=UTC)
    sandbox.clock.advance(seconds=-60)
    assert date_of(call.get(CONTACTS)) == datetime(2026, 6, 9, 22, 8, 47, tzinfo=UTC)


def test_running_clock_may_be_off(sandbox, call):
    sandbox.clock.offset = timedelta(minutes=-10)
    off = datetime.now(UTC) - date_of(call.get(CONTACTS))
    assert timedelta(minutes=10) <= off + timedelta(seconds=1) < timedelta(minutes=10, seconds=30)
    sandbox.clock.advance(timedelta(minutes=5))
    assert sandbox.clock.offset == timedelta(minutes=-5)


def test_frozen_clock_resumes_where_the_real_one_is(sandbox):
    sandbox.clock.freeze(datetime(2020, 1, 1, tzinfo=UTC))
    sandbox.clock.resume()
    assert abs(sandbox.clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
