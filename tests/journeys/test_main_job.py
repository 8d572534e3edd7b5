"""An instance polls ConnectWise, and its callback URL receives signed, standardized events, whatever dies."""

from __future__ import annotations

import base64
import threading
from functools import partial

import pytest
import standardwebhooks

from tests.journeys.conftest import KEY, Client
from tests.journeys.running import PROCESSES, eventually

pytestmark = pytest.mark.stack


def events_in(notifications) -> list[tuple[str, str, str]]:
    """What a receiver that drops repeats by `webhook-id` has been told, in no particular order."""
    told: dict[str, bytes] = {}
    for notification in notifications:
        again = told.setdefault(notification.headers["webhook-id"], notification.raw_body)
        assert again == notification.raw_body, "a repeat carries the same bytes"
    bodies = {n.headers["webhook-id"]: n.body for n in notifications}.values()
    return sorted(
        (entry["eventType"], entry["objectType"], entry["objectId"])
        for body in bodies
        for entry in body["message"]["events"]
    )


def has_status(client: Client, path: str, status: str) -> bool:
    return bool(client.get(path)["status"] == status)


def test_changes_at_the_provider_arrive_standardized_and_signed(polling_instance, client, sandbox, receiver):
    new = sandbox.contacts.add(firstName="Zoë", lastName="O'Brien")
    sandbox.contacts.edit(7, title="CTO")

    eventually(lambda: len(events_in(receiver.notifications)) == 2)
    assert events_in(receiver.notifications) == [("CREATED", "contacts", str(new["id"])), ("UPDATED", "contacts", "7")]
    for notification in receiver.notifications:
        message = notification.body["message"]
        assert message["raw"]["objectType"] == "contacts"
        assert [str(record["id"]) for record in message["raw"]["contacts"]] == [
            e["objectId"] for e in message["events"]
        ]
        secret = "whsec_" + base64.b64encode(KEY.encode()).decode()
        standardwebhooks.Webhook(secret).verify(notification.raw_body, dict(notification.headers))
        assert notification.verdicts == {"elements": "valid", "standard": "valid"}
        path = f"/instances/events/{message['eventId']}"
        eventually(partial(has_status, client, path, "NOTIFIED"))
        assert client.get(path)["id"] == message["eventId"]


def test_a_polling_worker_killed_in_the_middle_of_a_poll_costs_no_event(stack, polling_instance, sandbox, receiver):
    reached, released = threading.Event(), threading.Event()

    def hold(request) -> None:
        if request.path.endswith("/company/contacts"):
            reached.set()
            released.wait(30)

    eventually(lambda: any(r.path.endswith("/company/contacts") for r in sandbox.requests))
    sandbox.contacts.edit(3, title="before")
    sandbox.on_request = hold
    assert reached.wait(20)
    sandbox.contacts.edit(4, title="while it is read")
    stack.kill("polling")
    sandbox.on_request = None
    released.set()

    eventually(lambda: len(events_in(receiver.notifications)) >= 2)
    sandbox.contacts.edit(5, title="after")
    eventually(lambda: len(events_in(receiver.notifications)) >= 3)
    assert events_in(receiver.notifications) == [("UPDATED", "contacts", number) for number in ("3", "4", "5")]


def test_a_delivery_worker_killed_while_it_sends_costs_no_event(stack, polling_instance, sandbox, receiver):
    receiver.behave(delay=1.5, times=1)
    sandbox.contacts.edit(3, title="first")
    eventually(lambda: receiver.requests_begun >= 1)
    stack.kill("delivery")
    sandbox.contacts.edit(4, title="while nobody delivers")

    eventually(lambda: len(events_in(receiver.accepted)) >= 2)
    assert events_in(receiver.notifications) == [("UPDATED", "contacts", "3"), ("UPDATED", "contacts", "4")]


@pytest.mark.parametrize("name", ["beat", "valkey", "web", "postgres"])
def test_any_process_killed_costs_no_event(name, stack, polling_instance, sandbox, receiver):
    stack.kill(name)
    sandbox.contacts.edit(3, title="while it is dead")
    eventually(lambda: len(events_in(receiver.notifications)) >= 1)
    sandbox.contacts.edit(4, title="after")
    eventually(lambda: len(events_in(receiver.notifications)) >= 2)

    assert events_in(receiver.notifications) == [("UPDATED", "contacts", "3"), ("UPDATED", "contacts", "4")]
    eventually(lambda: stack.running() == PROCESSES and stack.answers())


def test_an_instance_is_created_while_there_is_no_broker(stack, client, sandbox, receiver, instance_body):
    with stack.without("valkey"):
        instance = client.post("/instances", instance_body)
        sandbox.contacts.edit(3, title="without a broker")

    eventually(lambda: len(events_in(receiver.notifications)) >= 1)
    assert events_in(receiver.notifications) == [("UPDATED", "contacts", "3")]
    client.delete(f"/instances/{instance['id']}")


def test_events_stop_when_they_are_switched_off_and_begin_anew_when_switched_on(
    polling_instance, client, sandbox, receiver
):
    path = f"/instances/{polling_instance['id']}"
    sandbox.contacts.edit(3, title="on")
    eventually(lambda: len(events_in(receiver.notifications)) == 1)
    client.patch(path, {"configuration": {"event.notification.enabled": "false"}})
    sandbox.clock.advance(seconds=300)
    sandbox.contacts.edit(4, title="off")
    sandbox.clock.advance(seconds=300)
    client.patch(path, {"configuration": {"event.notification.enabled": "true"}})
    sandbox.contacts.edit(5, title="on again")

    eventually(lambda: len(events_in(receiver.notifications)) >= 2)
    assert events_in(receiver.notifications) == [("UPDATED", "contacts", "3"), ("UPDATED", "contacts", "5")]
