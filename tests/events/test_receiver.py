"""The callback receiver: what it verifies, remembers and prints, and how it misbehaves."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st

from events.received import Notification, lines_of
from events.receiver import Receiver
from events.signature_checks import verify_elements, verify_standard

KEY = "abcd1234efgh5678"
ROOT = Path(__file__).resolve().parents[2]
BODY = json.dumps(
    {
        "message": {
            "eventId": "35149",
            "events": [
                {"eventType": "CREATED", "objectType": "contacts", "objectId": "101", "date": "2018-07-31T19:39:46Z"},
                {"eventType": "UPDATED", "objectType": "contacts", "objectId": "7", "date": "2018-07-31T19:39:47Z"},
            ],
        }
    }
).encode()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver.start(key=KEY) as running:
        yield running


def signed(body: bytes, *, key: str = KEY, at: float | None = None) -> dict[str, str]:
    """Headers as a sender computes them, the second kind by an independent library."""
    moment = datetime.fromtimestamp(time.time() if at is None else at, UTC)
    secret = "whsec_" + base64.b64encode(key.encode()).decode()
    return {
        "Elements-Webhook-Signature": "sha256="
        + base64.b64encode(hmac.new(key.encode(), body, hashlib.sha256).digest()).decode(),
        "webhook-id": "evt_35149",
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": standardwebhooks.Webhook(secret).sign("evt_35149", moment, body.decode()),
    }


SIGNED = signed(BODY)
TWO_SIGNATURES = "v1,other= " + SIGNED["webhook-signature"]


def lowered(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def post(receiver: Receiver, body: bytes = BODY, headers: dict[str, str] | None = None) -> requests.Response:
    return requests.post(f"{receiver.url}/callback?a=1", data=body, headers=headers, timeout=10)


def test_notification_is_taken_verified_and_remembered(receiver):
    answer = post(receiver, headers=signed(BODY))

    assert (answer.status_code, answer.json()) == (200, {})
    (notification,) = receiver.notifications
    assert notification.raw_body == BODY
    assert notification.body == json.loads(BODY)
    assert notification.path == "/callback"
    assert notification.headers["webhook-id"] == "evt_35149"
    assert notification.verdicts == {"elements": "valid", "standard": "valid"}
    assert [entry["objectId"] for entry in notification.entries()] == ["101", "7"]


@pytest.mark.parametrize(
    "key, body, signature",
    [
        (
            "MySecretEventSignatureKey",
            b"<INSERT_EVENT_NOTIFICATION_RESPONSE_BODY>",
            "jHdbRx5EZAsOfTwAPJOGkNUzQMVVdu5VJlxcsk+G6jQ=",
        ),
        ("abcd1234efgh5678", b'{"message":{"eventId":"1"}}', "K85qmTIlvEkOr6S+WiOKj/yfELQSC8lsRD0RALn7fLE="),
    ],
)
def test_known_answers_of_the_elements_signature_hold(key, body, signature):
    assert verify_elements({"elements-webhook-signature": f"sha256={signature}"}, body, key.encode()) == "valid"
    assert verify_elements({"elements-webhook-signature": signature}, body, key.encode()) == "wrong"
    assert verify_elements({"elements-webhook-signature": f"sha256={signature}"}, body + b" ", key.encode()) == "wrong"


@pytest.mark.parametrize(
    "headers, body, key, verdicts",
    [
        ({}, BODY, KEY, ("missing", "missing")),
        (signed(BODY, key="another"), BODY, KEY, ("wrong", "wrong")),
        (signed(BODY), BODY + b" ", KEY, ("wrong", "wrong")),
        (signed(BODY), BODY, "", ("unchecked", "unchecked")),
        (signed(BODY) | {"webhook-id": "evt_2"}, BODY, KEY, ("valid", "wrong")),
        (signed(BODY) | {"webhook-timestamp": "1"}, BODY, KEY, ("valid", "wrong")),
        (signed(BODY) | {"webhook-timestamp": "soon"}, BODY, KEY, ("valid", "wrong")),
        (signed(BODY) | {"webhook-signature": "v1,é="}, BODY, KEY, ("valid", "wrong")),
        (
            signed(BODY) | {"webhook-signature": "v1,other= " + signed(BODY)["webhook-signature"]},
            BODY,
            KEY,
            ("valid", "valid"),
        ),
        (signed(BODY, at=time.time() - 900), BODY, KEY, ("valid", "expired")),
        (signed(BODY, at=time.time() + 900), BODY, KEY, ("valid", "expired")),
    ],
)
def test_verdicts_tell_what_is_wrong(headers, body, key, verdicts):
    found = lowered(headers)
    assert verify_elements(found, body, key.encode()) == verdicts[0]
    assert verify_standard(found, body, key.encode(), now=time.time()) == verdicts[1]


def test_half_of_the_standard_headers_is_missing():
    headers = lowered(signed(BODY))
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        rest = {key: value for key, value in headers.items() if key != name}
        assert verify_standard(rest, BODY, KEY.encode(), now=time.time()) == "missing"


@given(st.text(max_size=20).filter(bool), st.text(max_size=50))
def test_whatever_the_key_and_the_body_a_right_signature_is_valid(key, text):
    body = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").encode()
    key = key.encode("utf-8", "replace").decode()
    headers = lowered(signed(body, key=key, at=1_700_000_000))
    assert verify_elements(headers, body, key.encode()) == "valid"
    assert verify_standard(headers, body, key.encode(), now=1_700_000_000) == "valid"


@given(
    st.dictionaries(st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]), st.text()), st.binary()
)
def test_strange_headers_are_never_valid_and_break_nothing(headers, body):
    assert verify_standard(headers, body, b"key", now=0) in ("missing", "wrong")


# Misbehaving


def test_receiver_refuses_as_often_as_it_was_told(receiver):
    receiver.behave(status=503, times=2, headers={"Retry-After": "7"}, body="busy")
    answers = [post(receiver) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert (answers[0].headers["Retry-After"], answers[0].text) == ("7", "busy")
    assert [notification.status for notification in receiver.notifications] == [503, 503, 200]
    assert [notification.status for notification in receiver.accepted] == [200]
    assert receiver.requests_begun == 3


def test_moods_queue_up_and_one_without_end_can_be_cleared(receiver):
    receiver.behave(status=429)
    receiver.behave(status=500, times=None)
    assert [post(receiver).status_code for _ in range(4)] == [429, 500, 500, 500]
    receiver.behave_well()
    assert post(receiver).status_code == 200


def test_dropped_connections_are_remembered_as_such(receiver):
    receiver.behave(drop=True)
    with pytest.raises(requests.exceptions.ConnectionError):
        post(receiver)
    assert [notification.status for notification in receiver.notifications] == [0]
    assert receiver.accepted == []


def test_slow_answer_is_remembered_before_it_is_given(receiver):
    receiver.behave(delay=60)
    refused = []

    def ask() -> None:
        try:
            post(receiver)
        except requests.exceptions.ConnectionError as error:
            refused.append(error)

    client = threading.Thread(target=ask)
    client.start()
    assert len(receiver.wait_for(1, 10)) == 1
    receiver.stop()
    client.join(10)
    assert refused


# Waiting


def test_waiting_ends_with_the_last_notification(receiver):
    clients = [threading.Thread(target=post, args=(receiver,)) for _ in range(8)]
    for client in clients:
        client.start()
    assert len(receiver.wait_for(8, seconds=10)) == 8
    for client in clients:
        client.join()


def test_waiting_for_too_many_says_how_many_came(receiver):
    post(receiver)
    with pytest.raises(TimeoutError, match="1 of 2 notifications"):
        receiver.wait_for(2, seconds=0.05)


def test_waiting_for_accepted_ones_passes_over_refusals(receiver):
    receiver.behave(status=503)
    post(receiver)
    with pytest.raises(TimeoutError, match="0 of 1"):
        receiver.wait_for(1, seconds=0.05, accepted=True)
    post(receiver)
    assert len(receiver.wait_for(1, seconds=10, accepted=True)) == 1


# Over HTTP and on the terminal


def test_other_processes_read_and_steer_it(receiver):
    url = f"{receiver.url}/_receiver"
    assert requests.post(f"{url}/behave", json={"status": 503, "times": 1}, timeout=10).status_code == 204
    post(receiver, headers=signed(BODY))
    (told,) = requests.get(f"{url}/notifications", timeout=10).json()
    assert told["status"] == 503
    assert told["verdicts"] == {"elements": "valid", "standard": "valid"}
    assert told["body"] == json.loads(told["raw_body"]) == json.loads(BODY)
    assert told["headers"]["webhook-id"] == "evt_35149"

    assert requests.post(f"{url}/behave", json={"status": 500, "times": None}, timeout=10).status_code == 204
    assert requests.delete(f"{url}/behave", timeout=10).status_code == 204
    assert post(receiver).status_code == 200
    assert requests.delete(f"{url}/notifications", timeout=10).status_code == 204
    assert requests.get(f"{url}/notifications", timeout=10).json() == []
    assert requests.post(f"{url}/behave", json={"stats": 1}, timeout=10).status_code == 400
    assert requests.get(f"{url}/nothing", timeout=10).status_code == 404
    assert requests.get(f"{receiver.url}/callback", timeout=10).status_code == 405
    assert receiver.notifications == []


def notification(body: bytes, *, status: int = 200) -> Notification:
    return Notification(
        received_at=datetime(2026, 6, 9, 21, 59, 47, tzinfo=UTC),
        path="/",
        headers=lowered(signed(body, at=1)) if body.startswith(b'{"message": {"eventId"') else {},
        raw_body=body,
        status=status,
        key=KEY.encode(),
    )


def test_each_change_is_one_line():
    first, second = lines_of(notification(BODY))
    assert first == (
        "21:59:47  event 35149  CREATED contacts 101  2018-07-31T19:39:46Z"
        "  [Elements signature valid, Standard Webhooks expired; answered 200]"
    )
    assert "UPDATED contacts 7" in second


@pytest.mark.parametrize(
    "body", [b"", b"no json", b"[]", b"{}", b'{"message": null}', b'{"message": {"events": 5}}', b"\xff", b"[" * 10_000]
)
def test_body_of_another_kind_is_one_line(body):
    (line,) = lines_of(notification(body, status=0))
    assert f"{len(body)} bytes without events" in line
    assert "not answered" in line


def test_posted_notification_is_shown_by_its_topic_and_the_beginning_of_its_message():
    message = {"kind": "deactivated", "reason": "x" * 1000}
    body = {"id": 28, "topic": "switchyard.subscription.deactivated", "message": message}
    (line,) = lines_of(notification(json.dumps(body).encode()))
    assert '  notification 28  switchyard.subscription.deactivated  {"kind": "deactivated", "reason": "xxx' in line
    assert len(line) < 500


@pytest.mark.parametrize(
    "body",
    [
        {
            "message": {
                "eventId": "\x1b[2J",
                "events": [{"eventType": "a\nb", "objectType": "\u202e", "objectId": "\x07"}],
            }
        },
        {"id": "\x1b[2J", "topic": "a\nb", "message": "\u202e"},
    ],
)
def test_body_cannot_steer_the_terminal(body):
    (line,) = lines_of(notification(json.dumps(body).encode()))
    assert line.isprintable()


def test_command_prints_what_arrives_misbehaves_as_told_and_ends_on_sigterm():
    command = [sys.executable, "manage.py", "listen", "--port", "0", "--key", KEY, "--gone", "--recover-after", "1"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://\S+", process.stdout.readline())
            assert found is not None
            for _ in range(2):
                requests.post(found[0], data=BODY, headers=signed(BODY), timeout=10)
            lines = [process.stdout.readline() for _ in range(4)]
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert [re.search(r"contacts (\d+)", line)[1] for line in lines] == ["101", "7", "101", "7"]  # type: ignore[index]
    verdicts = "Elements signature valid, Standard Webhooks valid; answered "
    assert [line.rstrip("]\n").partition(verdicts)[2] for line in lines] == ["410", "410", "200", "200"]
