"""ConnectWise tells an instance of changes. What gets lost, doubled or forged on the way changes no promise."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from connectors.sandbox import Sandbox
from events.receiver import Receiver
from tests.journeys.conftest import Client
from tests.journeys.running import Stack, eventually

pytestmark = pytest.mark.stack

# An outage shorter and one longer than the six seconds through which ConnectWise tries again.
OUTAGES = [float(seconds) for seconds in os.environ.get("OUTAGE_SECONDS", "4,10").split(",")]


@pytest.fixture
def sandbox():
    with Sandbox.start(contacts=300, companies=60, tickets=200, time_entries=40) as running:
        yield running


def told(receiver: Receiver) -> Counter[tuple[str, str, str]]:
    """How many events told of each change; repeats of one notification (same `webhook-id`) count once."""
    bodies = {one.headers["webhook-id"]: one.body for one in receiver.notifications}
    return Counter(
        (entry["eventType"], entry["objectType"], entry["objectId"])
        for body in bodies.values()
        for entry in body["message"]["events"]
    )


def registered(sandbox: Sandbox) -> list[tuple[str, str]]:
    """Type and level of what is registered and active at the provider."""
    answer = requests.get(
        f"{sandbox.base_url}/system/callbacks?pageSize=1000",
        auth=(f"{sandbox.company}+{sandbox.public_key}", sandbox.private_key),
        timeout=10,
    )
    return sorted((one["type"].lower(), one["level"].lower()) for one in answer.json() if not one["inactiveFlag"])


EVERYTHING = sorted((one, "owner") for one in ("company", "contact", "ticket", "time"))


def test_callbacks_become_events_and_are_taken_back_with_the_instance(client, help_desk_body, sandbox, receiver):
    help_desk_body["configuration"]["event.poller.refresh_interval"] = "60"
    instance = client.post("/instances", help_desk_body)
    # The polls that cover the time before the registrations: what comes later comes by callback.
    eventually(lambda: client.get(f"/instances/{instance['id']}/registrations")["suspectSince"] is None)
    assert registered(sandbox) == EVERYTHING
    ids = instance["configuration"]["event.notification.subscription.id"]
    assert len(ids.split(",")) == 4

    new = sandbox.contacts.add(firstName="Zoë")
    sandbox.tickets.edit(7, summary="On fire")
    sandbox.companies.edit(3, city="Tampa")
    sandbox.contacts.delete(9)
    expected = {
        ("CREATED", "contacts", str(new["id"])): 1,
        ("UPDATED", "incidents", "7"): 1,
        ("UPDATED", "organizations", "3"): 1,
        ("DELETED", "contacts", "9"): 1,
    }
    eventually(lambda: len(told(receiver)) >= len(expected))
    assert told(receiver) == expected
    for notification in receiver.notifications:
        assert notification.verdicts == {"elements": "valid", "standard": "valid"}
        message = notification.body["message"]
        assert (message["elementKey"], message["events"][0]["hubKey"]) == ("connectwisehd", "helpdesk")
        assert str(message["raw"]["ID"]) == message["events"][0]["objectId"], "raw is the provider's own body"

    client.delete(f"/instances/{instance['id']}")
    assert registered(sandbox) == []


def test_what_callbacks_lose_double_and_reorder_arrives_once(client, help_desk, sandbox, receiver):
    faults = sandbox.callbacks
    faults.drop, faults.double, faults.jitter = 0.2, 0.2, 1.5
    contacts, tickets, companies = sandbox.contacts, sandbox.tickets, sandbox.companies
    changes = [("UPDATED", contacts, "contacts", number) for number in contacts.ids()[:200]]
    changes += [("UPDATED", tickets, "incidents", number) for number in tickets.ids()[:150]]
    changes += [("UPDATED", companies, "organizations", number) for number in companies.ids()[:50]]
    changes += [("CREATED", contacts, "contacts", None)] * 100
    random.Random(7).shuffle(changes)
    expected = {}
    for event_type, collection, object_type, number in changes:
        record = collection.add() if number is None else collection.edit(number)
        expected[event_type, object_type, str(record["id"])] = 1
    assert len(expected) == 500

    eventually(lambda: told(receiver).keys() >= expected.keys())
    assert faults.wait_until_idle(30)
    # A last change without faults, after two more polls: whatever was still to be told has been told by then.
    faults.drop = faults.double = faults.jitter = 0.0
    polls = polls_of(sandbox, "/company/contacts")
    eventually(lambda: polls_of(sandbox, "/company/contacts") >= polls + 2)
    contacts.edit(250)
    eventually(lambda: ("UPDATED", "contacts", "250") in told(receiver))

    assert told(receiver) == expected | {("UPDATED", "contacts", "250"): 1}
    state = client.get(f"/instances/{help_desk['id']}/registrations")
    assert (state["callbacks"]["waiting"], state["callbacks"]["parked"]) == (0, 0)


def polls_of(sandbox: Sandbox, endpoint: str) -> int:
    return sum(one.endpoint == endpoint and one.method == "GET" for one in sandbox.requests)


def signed(body: bytes, key: str) -> dict[str, str]:
    digest = hmac.new(hashlib.sha256(key.encode()).digest(), body, hashlib.sha256).digest()
    return {"x-content-signature": base64.b64encode(digest).decode(), "Content-Type": "application/json"}


def test_a_forged_callback_is_no_event_and_its_sender_is_not_called(client, help_desk, sandbox, receiver):
    path = f"/instances/{help_desk['id']}/registrations"
    address = client.get(path)["address"]
    with Receiver.start() as forgers_host:
        sandbox.contacts.edit(3, title="genuine")
        eventually(lambda: told(receiver).total() >= 1)
        genuine = next(one for one in sandbox.callbacks.sent if one.status == 200)
        body = json.loads(genuine.body)

        key_url = body["Metadata"]["key_url"]
        elsewhere = body | {
            "ID": 4,
            "MessageId": "1",
            "Metadata": {"key_url": key_url.replace(sandbox.url, forgers_host.url)},
        }
        other_company = body | {
            "ID": 5,
            "MessageId": "2",
            "Metadata": {"key_url": key_url.replace(sandbox.company, "evilcorp")},
        }
        wrong_key = body | {"ID": 6, "MessageId": "3"}
        forged = [json.dumps(one).encode() for one in (elsewhere, other_company, wrong_key)]
        for text in forged:
            assert (
                requests.post(f"{address}?recordId=4", text, headers=signed(text, "evil"), timeout=10).status_code
                == 200
            )
        altered = genuine.body.replace(b'"ID":3', b'"ID":8')
        assert altered != genuine.body
        headers = {"x-content-signature": genuine.signature, "Content-Type": "application/json"}
        requests.post(f"{address}?recordId=8", altered, headers=headers, timeout=10)
        # Replayed as it was, it is a repeat, whatever the address says; without a signature it proves nothing.
        requests.post(f"{address}?recordId=8", genuine.body, headers=headers, timeout=10)
        requests.post(address, genuine.body, headers={"Content-Type": "application/json"}, timeout=10)

        eventually(lambda: client.get(path)["callbacks"]["refused"] >= 5)
        eventually(lambda: client.get(path)["callbacks"]["waiting"] == 0)
        sandbox.contacts.edit(20, title="the last one")
        eventually(lambda: told(receiver).total() >= 2)
        assert forgers_host.requests_begun == 0
    assert told(receiver) == {("UPDATED", "contacts", "3"): 1, ("UPDATED", "contacts", "20"): 1}
    assert client.get(path)["callbacks"]["refused"] == 5


def test_switching_events_a_hundred_times_ends_with_exactly_what_is_wanted(client, help_desk, sandbox, receiver):
    path = f"/instances/{help_desk['id']}"

    def toggle(start: int) -> None:
        for number in range(start, 100, 4):
            client.call("PATCH", path, {"configuration": {"event.notification.enabled": number % 2 == 0}})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(toggle, range(4)))
    client.patch(path, {"configuration": {"event.notification.enabled": True}})
    eventually(lambda: registered(sandbox) == EVERYTHING)
    eventually(lambda: client.get(f"{path}/registrations")["problem"] in (None, ""))
    sandbox.contacts.edit(3, title="after all that")
    eventually(lambda: told(receiver).total() >= 1)
    assert told(receiver) == {("UPDATED", "contacts", "3"): 1}

    client.patch(path, {"configuration": {"event.notification.enabled": False}})
    eventually(lambda: registered(sandbox) == [])


@pytest.mark.parametrize("seconds", OUTAGES)
def test_a_database_that_is_away_while_callbacks_come_costs_none(
    seconds, stack: Stack, client: Client, help_desk, sandbox, receiver
):
    expected = set()
    ended = threading.Event()

    def keep_changing() -> None:
        for number in sandbox.contacts.ids()[:200]:
            if ended.wait(0.1):
                return
            sandbox.contacts.edit(number)
            expected.add(("UPDATED", "contacts", str(number)))

    with ThreadPoolExecutor(1) as pool:
        changing = pool.submit(keep_changing)
        eventually(lambda: told(receiver).total() >= 3)
        with stack.without("postgres"):
            begun = time.monotonic()
            eventually(lambda: time.monotonic() - begun > seconds, seconds=seconds + 5)
        eventually(stack.answers)
        ended.set()
        changing.result()
    eventually(lambda: told(receiver).keys() >= expected, seconds=90)
    assert told(receiver) == dict.fromkeys(expected, 1)


def test_a_worker_killed_while_it_standardizes_costs_no_event(stack, help_desk, sandbox, receiver):
    numbers = sandbox.contacts.ids()[:60]
    for position, number in enumerate(numbers):
        sandbox.contacts.edit(number)
        if position in (20, 40):
            stack.kill("polling")
    expected = {("UPDATED", "contacts", str(number)) for number in numbers}
    eventually(lambda: told(receiver).keys() >= expected)
    assert told(receiver) == dict.fromkeys(expected, 1)
