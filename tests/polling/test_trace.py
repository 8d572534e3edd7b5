"""Why did I (not) get it? Each answer as a story of what happened before somebody asked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.db.models.functions import Now

from events import deliver, standardize, traced_events, verification
from events.models import Callback, Circuit, Decision, Delivery, Event, Inbox, SeenChange, Subscription
from instances import provisioning
from instances.models import Instance, Organization, User
from instances.serializers import timestamp
from polling import schedule, trace
from polling.models import PollCursor, PollRun
from tests.api_client import Api
from tests.events.calling import Line
from tests.events.calling import connect as connect_desk
from tests.events.sink import Sink
from tests.polling.conftest import polling
from tests.polling.driving import cursor_of, poll

pytestmark = pytest.mark.django_db

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture
def sink():
    with Sink() as sink:
        yield sink


@pytest.fixture
def crm(connect, sandbox, sink):
    """Polls contacts and organizations; what changes from now on is an event."""
    instance = connect(sandbox, **polling("contacts", "organizations"), **{"event.notification.callback.url": sink.url})
    poll(instance)
    sandbox.clock.advance(MINUTE)
    return instance


@pytest.fixture
def desk(sandbox, sink, owner) -> Line:
    """Hears the provider's callbacks."""
    verification.KEYS.forget()
    return connect_desk(sandbox, sink.url, user=owner)


def asked(api: Api, instance: Instance, object_id: int | str = 3, object_type: str = "contacts") -> Any:
    answer = api.get(f"/instances/{instance.pk}/trace", objectType=object_type, objectId=str(object_id))
    assert answer.status_code == 200, answer.content
    return answer.json()


def decisions_of(found: Any) -> list[tuple[str, str]]:
    return [(entry["source"], entry["decision"]) for entry in found["entries"]]


class TestWhatWasPolled:
    def test_it_is_told_from_the_poll_to_the_last_answer(self, api, crm, sandbox, sink):
        saved = sandbox.contacts.edit(3)
        poll(crm)
        sink.answer(500, body=b"out of order")
        deliver.drain()

        found = asked(api, crm)

        event, run = Event.objects.get(), PollRun.objects.get(instance=crm, resource="contacts", change_count=1)
        [entry] = found["entries"]
        assert (entry["source"], entry["decision"], entry["pollId"]) == ("poll", "updated", run.pk)
        assert (entry["eventId"], entry["at"]) == (str(event.pk), timestamp(event.created_at))
        assert saved["_info"]["lastUpdated"] in entry["detail"]
        [delivery] = entry["deliveries"]
        assert (delivery["status"], delivery["host"]) == ("retry", "127.0.0.1")
        assert delivery["nextAttemptDate"] == timestamp(Delivery.objects.get().next_attempt_at)
        [attempt] = delivery["attempts"]
        assert (attempt["number"], attempt["status"], attempt["budget"]) == (1, 500, "receiver")
        assert attempt["responseExcerpt"] == "out of order"
        assert "HTTP 500" in found["summary"]

        sink.answer(200)
        Delivery.objects.update(next_attempt_at=Now())
        deliver.drain()
        found = asked(api, crm)
        [delivery] = found["entries"][0]["deliveries"]
        assert [one["status"] for one in delivery["attempts"]] == [500, 200]
        assert (delivery["status"], delivery["nextAttemptDate"]) == ("delivered", None)
        assert f"event {event.pk}. Delivered to 127.0.0.1" in found["summary"]
        assert asked(api, crm, 4)["entries"] == []  # another contact

    def test_changes_stand_in_their_order_with_the_polls_that_found_them(self, api, crm, sandbox):
        for _ in range(2):
            sandbox.contacts.edit(3)
            poll(crm)
            sandbox.clock.advance(10 * MINUTE)
        new = sandbox.contacts.add()["id"]
        poll(crm)

        entries = asked(api, crm)["entries"]
        assert [entry["decision"] for entry in entries] == ["updated", "updated"]
        event_ids = [str(pk) for pk in Event.objects.order_by("pk").values_list("pk", flat=True)]
        assert [entry["eventId"] for entry in entries] == event_ids[:2]
        assert entries[0]["pollId"] < entries[1]["pollId"]
        assert decisions_of(asked(api, crm, new)) == [("poll", "created")]

    def test_what_was_saved_before_events_began_is_no_event(self, api, connect, sandbox):
        sandbox.clock.advance(MINUTE)
        sandbox.contacts.edit(3)
        sandbox.clock.advance(timedelta(seconds=30))
        instance = connect(sandbox)
        poll(instance)

        found = asked(api, instance)

        assert decisions_of(found) == [("poll", "baseline")]
        assert "as it was when events began" in found["summary"]
        assert "eventId" not in found["entries"][0]

    def test_records_without_an_id_are_named_to_whoever_misses_one(self, api, connect, sandbox):
        paged = {
            "contacts": {
                "url": "/hubs/crm/contacts?where=lastUpdated>'${gmtDate:yyyy-MM-dd'T'HH:mm:ss'Z'}'",
                "idField": "number",
                "datesConfiguration": {
                    f"{which}Date{part}": value
                    for which in ("updated", "created")
                    for part, value in (("Field", "_info.lastUpdated"), ("Format", "yyyy-MM-dd'T'HH:mm:ss'Z'"))
                },
            }
        }
        instance = connect(sandbox, **{"event.poller.configuration": paged})
        poll(instance)
        sandbox.clock.advance(MINUTE)
        sandbox.contacts.edit(3)
        poll(instance)

        found = asked(api, instance)

        [entry] = found["entries"]
        assert (entry["decision"], entry["source"]) == ("no_id", "poll")
        assert "1 of 1 records had no id that can be used at number" in entry["detail"]
        assert found["summary"].startswith("No poll or callback has shown contacts 3 since")

    def test_an_event_that_was_deleted_leaves_its_trace(self, api, crm, sandbox):
        sandbox.contacts.edit(3)
        poll(crm)
        event_id = Event.objects.get().pk
        api.delete(f"/notifications/{event_id}")

        [entry] = asked(api, crm)["entries"]
        assert (entry["decision"], entry["deliveries"]) == ("updated", [])
        assert f"event {event_id} has been deleted since" in entry["detail"]

    def test_the_ledger_tells_of_it_for_days_though_later_polls_trim_it(self, api, crm, sandbox):
        sandbox.contacts.edit(3)
        poll(crm)
        sandbox.clock.advance(timedelta(days=6))
        sandbox.contacts.edit(4)
        poll(crm)
        assert decisions_of(asked(api, crm)) == [("poll", "updated")]

        sandbox.clock.advance(timedelta(days=2))
        sandbox.contacts.edit(4)
        poll(crm)
        assert asked(api, crm)["entries"] == []

    def test_one_without_a_stamp_keeps_its_order_though_later_polls_meet_it(self, api, crm):
        for event_id in (None, 10**9):
            SeenChange.objects.create(
                instance=crm,
                object_type="contacts",
                object_id="3",
                version=f"~{event_id}",
                content_hash=b"",
                event_type="UPDATED" if event_id else "",
                event_id=event_id,
            )
        SeenChange.objects.filter(event_id=None).update(seen_at=Now())

        assert decisions_of(asked(api, crm)) == [("poll", "baseline"), ("poll", "updated")]

    def test_what_other_records_and_failed_polls_leave_behind_hides_nothing(self, api, crm, sandbox):
        sandbox.contacts.edit(3)
        poll(crm)
        rows = {"instance": crm, "object_type": "contacts", "source": "poll", "decision": "no_id"}
        Decision.objects.create(**rows | {"object_id": "3", "source": "webhook", "decision": "seen_before"})
        Decision.objects.bulk_create(Decision(**rows, object_id="") for _ in range(trace.MOST_ENTRIES))
        PollRun.objects.bulk_create(
            PollRun(instance=crm, resource="contacts", error=f"HTTP {number}") for number in range(trace.MOST_ENTRIES)
        )

        found = asked(api, crm)

        assert found["summary"].startswith("The last that is known of contacts 3 is of ")
        assert decisions_of(found)[:2] == [("poll", "updated"), ("webhook", "seen_before")]
        assert len(found["entries"]) == trace.MOST_ENTRIES

    def test_events_that_began_anew_are_named(self, api, crm, sandbox):
        sandbox.contacts.edit(3)
        poll(crm)
        sandbox.clock.advance(MINUTE)
        for is_on in (False, True):
            sandbox.contacts.edit(3)
            sandbox.clock.advance(MINUTE)
            provisioning.update(instance_id=crm.pk, configuration={"event.notification.enabled": is_on})

        said = (
            f"What was saved before {timestamp(cursor_of(crm).baseline_at)}, when events began anew, is not reported."
        )
        assert said in asked(api, crm)["summary"]


class TestWhereItWent:
    """Each with one event of contact 3."""

    @pytest.fixture(autouse=True)
    def event(self, crm, sandbox) -> Event:
        sandbox.contacts.edit(3)
        poll(crm)
        return Event.objects.get()

    def detail(self, api, crm):
        [delivery] = asked(api, crm)["entries"][0]["deliveries"]
        assert delivery["detail"] in asked(api, crm)["summary"]
        return delivery["detail"]

    def test_it_is_held_back_while_events_are_off(self, api, crm):
        provisioning.update(instance_id=crm.pk, configuration={"event.notification.enabled": False})
        deliver.drain()

        assert self.detail(api, crm) == "Held back from 127.0.0.1 because events are off"
        assert asked(api, crm)["summary"].endswith(
            "Events are off: nothing is noticed until event.notification.enabled is true."
        )
        assert asked(api, crm)["entries"][0]["deliveries"][0]["nextAttemptDate"] is None

    def test_it_waits_to_be_asked_for(self, api, crm, sink):
        Organization.objects.update(failure_policy=Organization.QUEUE)
        sink.answer(503)
        deliver.drain()

        assert self.detail(api, crm).startswith("Queued for 127.0.0.1 until somebody asks for it; the last attempt, ")

    def test_its_receiver_has_said_that_it_is_gone(self, api, crm, sink):
        sink.answer(410)
        deliver.drain()

        assert self.detail(api, crm).startswith("Queued for 127.0.0.1, whose subscription is deactivated: ")
        assert "410" in self.detail(api, crm)

    def test_its_receiver_has_been_failing(self, api, crm):
        assert "not tried yet" in self.detail(api, crm)

        Circuit.objects.create(subscription=Subscription.objects.get(), state=Circuit.OPEN, next_probe_at=Now())
        assert "it is tried with one event at a time, at 2" in self.detail(api, crm)

    def test_summaries_name_the_first_few_of_many_receivers(self, api, crm, owner):
        extra = [
            Subscription.objects.create(
                organization=owner.organization, topics=["t"], url=f"https://r{number}.example.com/?key=canary"
            )
            for number in range(4)
        ]
        event = Event.objects.get()
        Delivery.objects.bulk_create(
            Delivery(event=event, subscription=one, organization=owner.organization) for one in extra
        )

        found = asked(api, crm)

        assert [one["host"] for one in found["entries"][0]["deliveries"][1:]] == [
            f"r{number}.example.com" for number in range(4)
        ]
        assert "Due to r1.example.com" in found["summary"]
        assert "2 more subscriptions" in found["summary"]
        assert "canary" not in str(found)

    def test_an_attempt_that_ended_late_does_not_stand_for_the_one_that_was_accepted(self, api, crm):
        delivery = Delivery.objects.get()
        for status, error_class in ((200, ""), (500, "http_5xx")):
            delivery.attempts.create(number=1, started_at=Now(), duration_ms=1, status=status, error_class=error_class)
        Delivery.objects.update(state=Delivery.DELIVERED)

        assert "(HTTP 200)" in self.detail(api, crm)

    def test_its_receiver_asked_for_patience(self, api, crm):
        Circuit.objects.create(subscription=Subscription.objects.get(), paused_until=Now() + MINUTE)
        paused_until = Circuit.objects.get().paused_until
        assert paused_until is not None
        until = timestamp(paused_until)
        assert self.detail(api, crm).endswith(f"Its receiver asked to be left alone until {until}")

        Circuit.objects.update(paused_until=Now() - MINUTE)
        assert self.detail(api, crm).endswith("not tried yet")

    def test_of_very_many_deliveries_none_is_denied(self, api, crm, sandbox, monkeypatch):
        monkeypatch.setattr(traced_events, "MOST_DELIVERIES", 1)
        sandbox.clock.advance(MINUTE)
        sandbox.contacts.edit(3)
        poll(crm)

        older, newer = asked(api, crm)["entries"]
        assert "it is in event" in older["detail"]
        assert (len(older["deliveries"]), len(newer["deliveries"])) == (0, 1)

    def test_nobody_is_told(self, api, crm):
        Subscription.objects.all().delete()

        [entry] = asked(api, crm)["entries"]
        assert (entry["deliveries"], "nobody to go to" in entry["detail"]) == ([], True)


class TestNothingWasEverSeen:
    def test_polls_say_up_to_where_they_have_read(self, api, crm):
        found, cursor = asked(api, crm, 999_999), cursor_of(crm)

        assert found["entries"] == []
        assert cursor.last_polled_at is not None
        for said in (
            f"No poll or callback has shown contacts 999999 since {timestamp(cursor.created_at)}.",
            f"contacts are polled every 1 min, last at {timestamp(cursor.last_polled_at)}, next at "
            f"{timestamp(cursor.next_poll_at)}; they are read up to {timestamp(cursor.watermark)}",
            "Polls ask for /hubs/crm/contacts?where=lastUpdated>'",
            f"What was saved before {timestamp(cursor.baseline_at)}, when events began, is not reported.",
        ):
            assert said in found["summary"]

    def test_it_is_not_polled(self, api, crm):
        summary = asked(api, crm, 3, "incidents")["summary"]

        assert "incidents are not polled: event.poller.configuration names contacts, organizations." in summary

    def test_nothing_is_noticed(self, api, crm):
        cursor = cursor_of(crm)
        PollCursor.objects.filter(pk=cursor.pk).update(is_active=False, stopped_reason=schedule.CREDENTIALS_REFUSED)
        assert f"Polling of contacts is stopped: {schedule.CREDENTIALS_REFUSED}" in asked(api, crm)["summary"]

        provisioning.disable(instance_id=crm.pk)
        assert asked(api, crm)["summary"].endswith("The instance is disabled: nothing is noticed until it is enabled.")
        crm.refresh_from_db()
        crm.is_disabled, crm.is_events_enabled = False, False
        crm.save()
        assert "Events are off" in asked(api, crm)["summary"]

    def test_polls_have_failed(self, api, crm, sandbox):
        for _ in range(3):
            sandbox.behave(status=500)
            poll(crm, "contacts")
        sandbox.behave(status=403)
        poll(crm, "contacts")

        found = asked(api, crm)

        failed = [run for run in PollRun.objects.order_by("pk") if run.error]
        assert decisions_of(found) == [("poll", "poll_failed")] * 2
        assert [entry["at"] for entry in found["entries"]] == [
            timestamp(failed[0].began_at),
            timestamp(failed[3].began_at),
        ]
        assert [run.budget for run in failed] == ["provider_read"] * 3 + ["credentials"]
        assert found["entries"][0]["detail"].startswith("3 polls failed between ")
        assert "The last poll of contacts failed: " in found["summary"]
        assert asked(api, crm, 3, "organizations")["entries"] == []

    def test_callbacks_tell_of_it_and_are_not_registered(self, api, desk):
        assert "Callbacks of the provider tell of contacts." in asked(api, desk.instance)["summary"]

        Instance.objects.update(registration_problem="ConnectWise refuses.", callback_types="contact:company:5")
        summary = asked(api, desk.instance)["summary"]
        assert "as far as event.callback.types says: contact:company:5." in summary
        assert "Callbacks are not registered as they should be: ConnectWise refuses." in summary


class TestCallbacks:
    def test_one_that_told_of_it_and_its_repeat(self, api, desk):
        first = desk.store_signed(desk.words(3))
        standardize.drain()
        again = desk.store_signed(desk.words(3))
        standardize.drain()

        found = asked(api, desk.instance)

        assert decisions_of(found) == [("webhook", "updated"), ("webhook", "seen_before")]
        told, repeat = found["entries"]
        assert told["detail"].startswith("A callback told of it, saved at 2026-06-09T21:59:47Z; it is in event ")
        assert (repeat["callbackId"], again.pk > first.pk) == (again.pk, True)
        assert f"Before that, event {told['eventId']} of {told['at']} told of it." in found["summary"]

    def test_what_a_poll_met_later_was_found_by_both(self, api, desk):
        desk.store_signed(desk.words(3))
        standardize.drain()
        SeenChange.objects.update(found_by=SeenChange.BOTH)

        [entry] = asked(api, desk.instance)["entries"]
        assert (entry["source"], "(a poll met it, too)" in entry["detail"]) == ("webhook", True)

    def test_what_polls_note_to_compare_with_is_not_told(self, api, desk):
        for found_by, version in ((SeenChange.WEBHOOK, "a#1"), (SeenChange.BOTH, "b#1"), (SeenChange.BOTH, "c")):
            SeenChange.objects.create(
                instance=desk.instance,
                object_type="contacts",
                object_id="3",
                version=version,
                content_hash=b"",
                found_by=found_by,
            )

        # The last one was there when events began, and a callback came that told of it.
        assert decisions_of(asked(api, desk.instance)) == [("poll", "baseline")]

    def test_of_a_type_that_is_not_wanted(self, api, desk):
        Instance.objects.update(callback_types="ticket")
        callback = desk.store_signed(desk.words(3))
        standardize.drain()

        found = asked(api, desk.instance)

        [entry] = found["entries"]
        assert (entry["decision"], entry["callbackId"]) == ("not_wanted", callback.pk)
        assert "not wanted by event.callback.types" in found["summary"]

    def test_too_old(self, api, desk):
        callback = desk.store_signed(desk.words(3))
        Callback.objects.update(received_at=Now() - timedelta(days=30))
        standardize.drain()

        assert [(one["decision"], one["callbackId"]) for one in asked(api, desk.instance)["entries"]] == [
            ("too_old", callback.pk)
        ]

    def test_parked_because_its_record_cannot_be_read(self, api, desk, sandbox):
        callback = desk.store_signed(desk.words(3, Entity=None), attempts_made=19)
        sandbox.contacts.edit(3)
        desk.sent()
        sandbox.on_request = lambda request: sandbox.behave(status=500) if "contacts" in request.endpoint else None
        standardize.drain()

        [entry] = asked(api, desk.instance)["entries"]
        assert (entry["decision"], entry["callbackId"]) == ("parked", callback.pk)
        assert "the record cannot be read" in entry["detail"]

    def test_one_that_nothing_proves_to_be_genuine_is_named_and_not_shown(self, api, desk):
        callback = desk.store(desk.words(3), signature="forged")
        desk.store(desk.words(4, MessageId="other"), signature="forged")
        waiting = asked(api, desk.instance)["entries"]
        assert [(one["decision"], one["callbackId"]) for one in waiting] == [("waiting", callback.pk)]

        standardize.drain()

        found = asked(api, desk.instance)
        assert [(one["decision"], one["callbackId"]) for one in found["entries"]] == [("refused", callback.pk)]
        assert "was refused: " in found["summary"]
        assert not Decision.objects.exists()  # anybody can send these

    def test_bodies_of_any_kind_are_passed_over(self, api, desk):
        for body in (b"", b"[]", b"\xff", b"[" * 50_000, b'{"ID": 1e999}', b'{"Type": {}, "ID": []}', b" " * 70_000):
            desk.store(body, signature="forged", state=Callback.REFUSED)
        kept = desk.store(desk.words(3), signature="forged", state=Callback.REFUSED)

        assert [entry["callbackId"] for entry in asked(api, desk.instance)["entries"]] == [kept.pk]

    def test_events_were_off_when_it_was_looked_at(self, api, desk):
        desk.store_signed(desk.words(3))
        Instance.objects.update(is_events_enabled=False)
        Inbox.objects.update(is_open=True)
        standardize.drain()

        found = asked(api, desk.instance)
        assert decisions_of(found) == [("webhook", "events_off")]
        assert not Callback.objects.exists()


class TestAsking:
    def test_what_can_be_asked_is_named(self, api, crm):
        path = f"/instances/{crm.pk}/trace"
        for query, words in (
            ({}, "objectType: ask about one of configurations, contacts, "),
            ({"objectType": "contact", "objectId": "3"}, "objectType: ask about one of configurations, contacts, "),
            ({"objectType": "contacts"}, "objectId is missing"),
            ({"objectType": "contacts", "objectId": " "}, "objectId is missing"),
            ({"objectType": "contacts", "objectId": "3\x00"}, "objectId: an id is a text"),
            ({"objectType": "con\x00tacts", "objectId": "3"}, "objectType: ask about"),
            ({"objectType": "contacts", "objectId": "3" * 256}, "objectId: an id is a text"),
        ):
            answer = api.get(path, **query)
            assert (answer.status_code, answer.json()["message"][: len(words)]) == (400, words)

    def test_the_token_names_the_instance_too(self, api, crm, sandbox):
        sandbox.contacts.edit(3)
        poll(crm)

        by_token = api.through(crm).get("/instances/trace", objectType="contacts", objectId="3")

        assert by_token.json()["entries"] == asked(api, crm)["entries"] != []
        assert api.get("/instances/trace", objectType="contacts", objectId="3").status_code == 401

    def test_viewers_see_it_without_what_receivers_answered(self, api, crm, sandbox, sink, colleague, stranger):
        sandbox.contacts.edit(3)
        poll(crm)
        sink.answer(500, body=b"canary")
        deliver.drain()
        User.objects.filter(pk=colleague.pk).update(role=User.VIEWER)

        found = asked(Api(colleague), crm)

        assert "canary" not in str(found)
        assert "responseExcerpt" not in found["entries"][0]["deliveries"][0]["attempts"][0]
        assert "canary" in str(asked(api, crm))
        unknown = Api(stranger).get(f"/instances/{crm.pk}/trace", objectType="contacts", objectId="3")
        assert unknown.status_code == 404

    def test_it_ends_with_the_newest_two_hundred(self, api, crm):
        SeenChange.objects.bulk_create(
            SeenChange(
                instance=crm,
                object_type="contacts",
                object_id="3",
                version=str(number),
                content_hash=b"",
                event_type="UPDATED",
                event_id=10**9 + number,
            )
            for number in range(trace.MOST_ENTRIES + 1)
        )
        SeenChange.objects.update(seen_at=Now() + F("event_id") * timedelta(milliseconds=1))

        entries = asked(api, crm)["entries"]

        assert (len(entries), entries[0]["eventId"]) == (trace.MOST_ENTRIES, str(10**9 + 1))
