"""The controls over HTTP, and the command that runs the sandbox in a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

CONTACTS = "/company/contacts"
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def control(sandbox):
    def ask(method: str, path: str, body: object = None, *, status: int = 200):
        answer = requests.request(method, f"{sandbox.url}/_sandbox{path}", json=body, timeout=10)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    return ask


def test_records_are_changed_without_credentials(sandbox, control):
    made = control("POST", "/contacts", {"firstName": "Zoë", "at": "2024-05-01T12:00:00Z"}, status=201)
    assert made == sandbox.contacts.get(made["id"]) == control("GET", f"/contacts/{made['id']}")
    assert (made["firstName"], made["_info"]["lastUpdated"]) == ("Zoë", "2024-05-01T12:00:00Z")

    edited = control("PATCH", f"/contacts/{made['id']}", {"title": "CTO", "at": None})
    assert edited["title"] == "CTO"
    assert "lastUpdated" not in edited["_info"]

    control("DELETE", f"/contacts/{made['id']}", status=204)
    assert control("GET", "/contacts") == sandbox.contacts.ids()


def test_records_of_every_kind_are_made_by_hand(sandbox, control):
    for name in sandbox.collections:
        made = control("POST", f"/{name}", {}, status=201)
        assert made["id"] in control("GET", f"/{name}")
        assert control("GET", "")[name] == len(sandbox.collections[name])


def test_hidden_records_are_revealed(sandbox, control):
    made = control("POST", "/tickets", {"is_hidden": True}, status=201)
    assert made["id"] not in sandbox.tickets.ids()
    control("POST", f"/tickets/{made['id']}/reveal", status=204)
    assert made["id"] in sandbox.tickets.ids()


def test_misbehaviour_is_ordered_and_cleared(control, call):
    control(
        "POST", "/behave", {"path": CONTACTS, "times": None, "status": 429, "headers": {"Retry-After": "3"}}, status=204
    )
    assert call.get(CONTACTS).headers["Retry-After"] == "3"
    control("DELETE", "/behave", status=204)
    assert call.get(CONTACTS).status_code == 200


def test_requests_are_listed_and_forgotten_without_the_controls(control, call):
    call.get(CONTACTS, pageSize=3)
    (logged,) = control("GET", "/requests")
    assert (logged["method"], logged["endpoint"], logged["query"]) == ("GET", CONTACTS, {"pagesize": "3"})
    assert "authorization" not in logged["headers"]
    control("DELETE", "/requests", status=204)
    assert control("GET", "/requests") == []


def test_clock_is_set(control, call):
    control("POST", "/clock", {"freeze": "2026-06-09T21:59:47Z", "advance": 60}, status=204)
    assert call.get(CONTACTS).headers["Date"] == "Tue, 09 Jun 2026 22:00:47 GMT"
    control("POST", "/clock", {"resume": True, "offset": -600}, status=204)
    assert call.get(CONTACTS).headers["Date"] != "Tue, 09 Jun 2026 22:00:47 GMT"


def test_credentials_and_counts_are_told(sandbox, control):
    assert control("GET", "/credentials")["baseUrl"] == sandbox.base_url
    counts = control("GET", "")
    assert (counts["contacts"], counts["companies"], counts["tickets"]) == (20, 5, 10)


def test_callbacks_are_spoiled_listed_and_forgotten(sandbox, control, listener):
    registration = control("POST", "/registrations", {"url": listener.url, "type": "time"}, status=201)
    assert control("GET", "/registrations") == [registration["id"]]
    state = control("PATCH", "/callbacks", {"double": 1, "without_signature": True, "key_url": "http://x/", "seed": 7})
    assert (state["double"], state["waiting"], state["is_paused"]) == (1, 0, False)
    assert sandbox.callbacks.without_signature is True

    control("POST", "/callbacks/pause", status=204)
    control("PATCH", "/time_entries/1", {"notes": "Zoë"})
    assert control("GET", "/callbacks")["waiting"] == 2
    control("POST", "/callbacks/resume", status=204)
    sandbox.callbacks.wait_until_idle(10)
    sent = control("GET", "/callbacks/sent")
    assert [(one["type"], one["record_id"], one["status"]) for one in sent] == [("time", 1, 200)] * 2
    assert "Zoë" in sent[0]["body"]
    control("DELETE", "/callbacks/sent", status=204)
    assert control("GET", "/callbacks/sent") == []


def test_keys_are_changed(sandbox, control):
    before = sandbox.callbacks.keys.key_id, sandbox.callbacks.keys.key
    control("POST", "/callbacks/replace_key", status=204)
    assert control("GET", "/callbacks")["key_id"] == before[0]
    assert sandbox.callbacks.keys.key != before[1]
    control("POST", "/callbacks/rotate_key", status=204)
    assert control("GET", "/callbacks")["key_id"] != before[0]


@pytest.mark.parametrize(
    "method, path, body, status",
    [
        ("GET", "/nothing", None, 404),
        ("GET", "/contacts/99999", None, 404),
        ("PATCH", "/contacts/99999", {}, 404),
        ("POST", "/contacts/1/reveal", None, 404),
        ("GET", "/contacts/x", None, 400),
        ("POST", "/contacts", {"id": 1}, 400),
        ("POST", "/contacts", [1], 400),
        ("POST", "/behave", {"stats": 500}, 400),
        ("POST", "/clock", {"freeze": "soon"}, 400),
        ("PATCH", "/callbacks", {"dorp": 0.5}, 400),
        ("PATCH", "/callbacks", {"drop": "all"}, 400),
        ("PATCH", "/callbacks", {"without_entity": 1}, 400),
        ("POST", "/callbacks/stop", {}, 405),
        ("PUT", "/contacts", {}, 405),
        ("POST", "/requests", {}, 405),
    ],
)
def test_mistakes_are_told(control, method, path, body, status):
    if status == 405 and path == "/requests":
        status = 404  # no collection has this name
    assert control(method, path, body, status=status)["error"]


def test_command_prints_its_credentials_answers_and_ends_on_sigterm():
    command = [sys.executable, "-m", "connectors.sandbox", "--port", "0", "--contacts", "3", "--companies", "1"]
    command += ["--tickets", "1", "--time-entries", "2", "--public-key", "p", "--private-key", "q"]
    command += ["--notes", "0", "--configurations", "4", "--opportunities", "0", "--schedule-entries", "0"]
    command += ["--integrator-username", "i", "--integrator-password", "j"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            answer = requests.get(told["baseUrl"] + CONTACTS, auth=("acme+p", "q"), timeout=10)
            assert len(answer.json()) == 3
            counts = requests.get(f"{told['url']}/_sandbox", timeout=10).json()
            assert (counts["configurations"], counts["notes"]) == (4, 0)
            headers = {"x-cw-usertype": "integrator"}
            answer = requests.get(f"{told['baseUrl']}/time/entries", auth=("acme+i", "j"), headers=headers, timeout=10)
            assert len(answer.json()) == 2
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_sandbox_needs_no_django():
    code = "import sys, connectors.sandbox, events.receiver; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
