"""From a change at the provider to the callback URL, and what the API tells of it."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from instances.models import Instance
from tests.contract.platform import CRM, HELP_DESK, KEY, Platform
from tests.polling.driving import poll


def signature(body: bytes) -> str:
    return "sha256=" + b64encode(hmac.digest(KEY.encode(), body, hashlib.sha256)).decode()


def polled(platform: Platform, key: str = CRM) -> None:
    poll(Instance.objects.get(pk=platform.instances[key]["id"]))


def notified(platform: Platform, key: str) -> list[dict[str, Any]]:
    """What the customer's receiver has got for this element since it was last asked."""
    platform.receive()
    found = [one for one in platform.sink.received if one.path.endswith(key)]
    for one in found:
        platform.sink.received.remove(one)
        assert one.headers["Elements-Webhook-Signature"] == signature(one.body)
        assert one.headers["Elements-Webhook-Id"] != ""
    return [one.json for one in found]


@pytest.fixture(autouse=True)
def heard(platform: Platform) -> None:
    """Nothing is under way when a test begins."""
    polled(platform)
    platform.receive()
    platform.sink.received.clear()


def test_a_changed_contact_arrives_standardized_and_signed(platform: Platform):
    contact = platform.sandbox.contacts.edit(platform.sandbox.contacts.ids()[3], lastName="Changed")
    polled(platform)

    [body] = notified(platform, CRM)

    instance = platform.instances[CRM]
    message = body["message"]
    assert body["topic"] == f"instance-{instance['id']}-{CRM}-events"
    assert (message["instance_id"], message["elementKey"]) == (instance["id"], CRM)
    assert message["raw"]["objectType"] == "contacts"
    assert [one["id"] for one in message["raw"]["contacts"]] == [contact["id"]]
    [entry] = message["events"]
    assert entry["objectId"] == str(contact["id"])
    assert (entry["eventType"], entry["objectType"], entry["hubKey"]) == ("UPDATED", "contacts", "crm")


def test_twenty_five_changes_of_one_poll_are_three_notifications(platform: Platform):
    for number in platform.sandbox.contacts.ids()[:25]:
        platform.sandbox.contacts.edit(number, title="All at once")
    polled(platform)

    bodies = notified(platform, CRM)

    assert [len(body["message"]["events"]) for body in bodies] == [10, 10, 5]
    assert [len(body["message"]["raw"]["contacts"]) for body in bodies] == [10, 10, 5]
    assert len({body["message"]["eventId"] for body in bodies}) == 3


@pytest.mark.row("POST /events/{elementKey}/{encodedInstanceId}")
def test_a_callback_of_the_provider_becomes_an_event(platform: Platform):
    ticket = platform.sandbox.tickets.edit(platform.sandbox.tickets.ids()[0], summary="Changed by hand")

    [body] = notified(platform, HELP_DESK)

    [entry] = body["message"]["events"]
    assert (entry["eventType"], entry["objectType"], entry["objectId"]) == ("UPDATED", "incidents", str(ticket["id"]))
    assert body["message"]["raw"]["ID"] == ticket["id"]


@pytest.mark.row("POST /events/{elementKey}/{encodedInstanceId}")
def test_receivers_are_addressed_by_an_encoded_id(platform: Platform):
    number = platform.instances[HELP_DESK]["id"]
    callback = orjson.dumps({"Action": "updated", "Type": "ticket", "ID": 1, "Entity": None})

    for address in (b64encode(str(number).encode()).decode(), str(number)):
        platform.call("POST", f"/events/{HELP_DESK}/{address}", data=callback, kinds="")
    platform.call("POST", f"/events/{HELP_DESK}/{b64encode(b'999999').decode()}", data=callback, kinds="", status=404)
    platform.call("POST", f"/events/nothing/{number}", data=callback, kinds="", status=404)
    assert notified(platform, HELP_DESK) == []  # nobody signed these


@pytest.mark.row("POST /events/{elementKey}")
@pytest.mark.row("GET /events/{elementKey}")
def test_receivers_find_instances_by_header(platform: Platform):
    named = {"Element-Instances": str(platform.instances[HELP_DESK]["id"])}

    platform.call("POST", f"/events/{HELP_DESK}", data=b"{}", headers=named, kinds="")
    platform.call("GET", f"/events/{HELP_DESK}?recordId=1&action=updated", headers=named, kinds="")
    platform.call(
        "POST", f"/events/{HELP_DESK}", data=b"{}", headers={"Element-Instances": "999999"}, kinds="", status=404
    )
    platform.call("POST", "/events/nothing", data=b"{}", kinds="", status=404)


@pytest.mark.row("GET /instances/{id}/events; GET /instances/events")
@pytest.mark.row("GET /instances/events/{eventId}, /instances/{id}/events/{eventId}")
@pytest.mark.parametrize("key", [CRM, HELP_DESK])
def test_what_was_sent_is_found_among_the_events(platform: Platform, key):
    platform.sandbox.contacts.edit(platform.sandbox.contacts.ids()[4], title=f"For {key}")
    polled(platform)
    [body] = notified(platform, key)
    instance, number = platform.instances[key], body["message"]["eventId"]
    by_token = {"kinds": "UOE", "token": instance["token"]}

    [newest] = platform.get(f"/instances/{instance['id']}/events?pageSize=1")
    assert platform.get("/instances/events?pageSize=1", **by_token) == [newest]
    for event in (
        newest,
        platform.get(f"/instances/events/{number}"),
        platform.get(f"/instances/{instance['id']}/events/{number}"),
    ):
        assert (event["id"], event["status"]) == (number, "NOTIFIED")
        assert isinstance(event["eventDate"], str)
        assert orjson.loads(event["providerData"]) == body["message"]["raw"]
        assert event["notifiedData"] == [body]
    platform.call("GET", f"/instances/events/{-1}", status=404)
    platform.call("GET", "/instances/-1/events", status=404)
    platform.stranger.call("GET", f"/instances/events/{number}", status=404)
    platform.stranger.call("GET", f"/instances/{instance['id']}/events", status=404)


def test_the_callback_url_that_was_patched_gets_the_next_notification(platform: Platform):
    instance = platform.instances[CRM]
    entry = "event.notification.callback.url"
    url = instance["configuration"][entry]

    for moved, through in ((f"{url}/moved", {}), (url, {"kinds": "UOE", "token": instance["token"]})):
        path = "/instances" if through else f"/instances/{instance['id']}"
        platform.call("PATCH", path, {"configuration": {entry: moved}}, **through)
        platform.sandbox.contacts.edit(platform.sandbox.contacts.ids()[5], title=moved[-20:])
        polled(platform)
        platform.receive()
        assert [one.path for one in platform.sink.received if CRM in one.path] == ["/" + moved.split("/", 3)[3]]
        platform.sink.received.clear()


def period(**more: str) -> str:
    now = datetime.now(UTC)
    asked = {"from": f"{now - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}", "to": f"{now:%Y-%m-%dT%H:%M:%SZ}"} | more
    return "&".join(f"{name}={value}" for name, value in asked.items())


@pytest.mark.row("GET /instances/events/analytics, .../analytics/instances, .../analytics/accounts")
def test_events_are_counted_in_buckets(platform: Platform):
    platform.sandbox.contacts.edit(platform.sandbox.contacts.ids()[6], title="Counted")
    polled(platform)
    notified(platform, CRM)

    whole = platform.get(f"/instances/events/analytics?{period(interval='minute')}")
    assert len(whole) == 61
    assert sum(one["count"] for one in whole) > 0
    assert all(isinstance(one["timestamp"], str) for one in whole)
    for of, name in (("instances", "instanceId"), ("accounts", "accountId")):
        buckets = platform.get(f"/instances/events/analytics/{of}?{period(interval='hour')}")
        assert all(one["count"] == one["total"] for one in buckets)
        records = [record for one in buckets for record in one["records"]]
        assert sum(record["success"] for record in records) > 0
        assert all({name, "count", "success", "failed"} <= record.keys() for record in records)
    for wrong in (
        period(**{"from": "2030-01-01T00:00:00Z", "to": "2029-01-01T00:00:00Z"}),
        period(**{"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "interval": "second"}),
        period(interval="fortnight"),
        "from=yesterday",
    ):
        platform.call("GET", f"/instances/events/analytics?{wrong}", status=400)
    platform.call("GET", "/instances/events/analytics/accounts?accountIds[]=0", status=403)
    assert sum(one["count"] for one in platform.stranger.get(f"/instances/events/analytics?{period()}")) == 0


@pytest.mark.row("GET /instances/events/dispositions")
def test_what_became_of_events_is_told(platform: Platform):
    platform.sandbox.contacts.edit(platform.sandbox.contacts.ids()[7], title="Refused first")
    polled(platform)
    platform.sink.answer(500)
    platform.receive()
    platform.sink.answer(200)

    told = platform.get("/instances/events/dispositions")

    messages = [data["message"] for one in told for data in one["notificationData"]]
    assert any("Error delivering event" in message for message in messages)
    assert all(isinstance(one["eventId"], str) and isinstance(one["elementInstanceId"], int) for one in told)
    platform.call("GET", "/instances/events/dispositions?from=yesterday", status=400)
