"""The body that goes to the callback URL."""

from __future__ import annotations

import orjson

from connectors.change import CREATED, Change
from events.models import Event
from events.record import record
from instances.models import Instance
from tests.events.conftest import POLLED_AT, change, changes, make_instance


def record_polled(instance, noticed, **other) -> list[dict]:
    ids = record(instance=instance, changes=noticed, source="poll", polled_at=POLLED_AT, **other)
    return [orjson.loads(bytes(event.body)) for event in Event.objects.filter(pk__in=ids).order_by("pk")]


def test_polled_notification_has_every_member_in_its_place(instance, owner):
    noticed = change(101, event_type=CREATED, _info={"lastUpdated": "2026-11-22T09:58:19Z"})

    (body,) = record_polled(instance, [noticed])

    event = Event.objects.get()
    entry = {
        "date": "2026-11-22T09:58:19Z",
        "pollDate": "2026-11-22T10:00:00Z",
        "elementKey": "connectwisecrmrest",
        "hubKey": "crm",
        "eventType": "CREATED",
        "objectId": "101",
        "objectType": "contacts",
    }
    topic = f"instance-{instance.pk}-connectwisecrmrest-events"
    assert body == {
        "id": event.pk,
        "from": topic,
        "topic": topic,
        "severity": "low",
        "createdDate": event.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "message": {
            "eventId": str(event.pk),
            "instance_id": instance.pk,
            "instanceId": instance.pk,
            "instanceName": instance.name,
            "instanceTags": instance.tags,
            "elementKey": "connectwisecrmrest",
            "accountId": owner.organization_id,
            "companyId": owner.organization_id,
            "userId": owner.pk,
            "events": [entry],
            "raw": {
                "objectType": "contacts",
                "instance_id": instance.pk,
                "contacts": [{"id": 101, "firstName": "Ann 101", "_info": {"lastUpdated": "2026-11-22T09:58:19Z"}}],
                "events": [entry],
            },
        },
    }


def test_a_record_goes_out_as_the_bytes_it_came_in(instance):
    peculiar = b'{"id":1, "big": 1e400, "twice":1,"twice":2, "text":"\\ud83d\\ude00 \\u0000"}'
    (only,) = changes(1)
    noticed = Change(**{name: getattr(only, name) for name in Change.__slots__} | {"raw": peculiar})

    record(instance=instance, changes=[noticed], source="poll", polled_at=POLLED_AT)

    assert peculiar in bytes(Event.objects.get().body)


def test_names_in_any_script_are_kept(owner, sink):
    instance = make_instance(owner, sink.url)
    Instance.objects.filter(pk=instance.pk).update(name='Żółw "& Söhne" 亀', tags=["é", "\\"])
    instance.refresh_from_db()

    (body,) = record_polled(instance, changes(1))

    assert body["message"]["instanceName"] == 'Żółw "& Söhne" 亀'
    assert body["message"]["instanceTags"] == ["é", "\\"]


def test_raw_holds_the_notifications_own_records(instance):
    first, second, third = record_polled(instance, changes(25))

    assert [len(body["message"]["events"]) for body in (first, second, third)] == [10, 10, 5]
    for body in (first, second, third):
        raw = body["message"]["raw"]
        assert [str(contact["id"]) for contact in raw["contacts"]] == [
            entry["objectId"] for entry in body["message"]["events"]
        ]
        assert raw["events"] == body["message"]["events"]


def test_raw_in_full_holds_all_records_that_are_recorded_together_and_all_events(owner, sink):
    instance = make_instance(owner, sink.url, raw="full")

    bodies = record_polled(instance, changes(25))

    assert [len(body["message"]["events"]) for body in bodies] == [10, 10, 5]
    for body in bodies:
        assert len(body["message"]["raw"]["contacts"]) == 25
        assert len(body["message"]["raw"]["events"]) == 25


def test_a_change_without_a_stamp_is_dated_by_the_poll(instance):
    (only,) = changes(1)
    noticed = Change(**{name: getattr(only, name) for name in Change.__slots__} | {"changed_at": None})

    (body,) = record_polled(instance, [noticed])

    assert body["message"]["events"][0]["date"] == "2026-11-22T10:00:00Z"


def test_a_callbacks_notification_holds_the_providers_body_and_no_poll_date(instance):
    sent = b'{"ID": 7, "Action": "updated"}'
    (only,) = changes(1)
    noticed = Change(**{name: getattr(only, name) for name in Change.__slots__} | {"raw": sent})

    record(instance=instance, changes=[noticed], source="webhook", polled_at=None)

    message = orjson.loads(bytes(Event.objects.get().body))["message"]
    assert message["raw"] == {"ID": 7, "Action": "updated"}
    assert "pollDate" not in message["events"][0]
