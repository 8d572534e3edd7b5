"""Callbacks of a provider become events: what each of them comes to."""

from __future__ import annotations

from datetime import timedelta

import orjson
import pytest
from django.db import transaction
from django.db.models.functions import Now

from connectors.change import CREATED, UPDATED, Change
from events.models import Callback, Delivery, Event, Inbox, SeenChange
from events.record import record
from events.standardize import drain
from events.understanding import NOT_THERE
from instances.models import Instance
from tests.events.calling import Line, contents, make_due
from tests.events.conftest import POLLED_AT

pytestmark = pytest.mark.django_db


def wait_of(callback: Callback) -> float:
    """Seconds until it is due, from now."""
    row = Callback.objects.annotate(now=Now()).get(pk=callback.pk)
    return (row.next_attempt_at - row.now).total_seconds()


def ledger() -> list[tuple[str, str, str]]:
    return list(SeenChange.objects.order_by("pk").values_list("event_type", "object_id", "found_by"))


def found_by_poll(line: Line, number: int, *, version: str, event_type=UPDATED) -> None:
    change = Change(
        event_type=event_type,
        object_type="contacts",
        object_id=str(number),
        version=version,
        changed_at=POLLED_AT,
        raw=b"{}",
        content_hash=b"as it was read..",
    )
    with transaction.atomic():
        record(instance=line.instance, changes=[change], source=Event.POLL, polled_at=POLLED_AT)


class TestGenuineCallbacks:
    def test_one_becomes_one_event_with_the_providers_body_and_a_delivery(self, line):
        line.sandbox.contacts.edit(7, title="CFO")
        (callback,) = line.receive()

        drained = drain()

        event = Event.objects.get()
        message = orjson.loads(bytes(event.body))["message"]
        stamp = line.sandbox.contacts.get(7)["_info"]["lastUpdated"]
        (entry,) = message["events"]
        assert (drained.done, drained.changes) == (1, 1)
        assert (event.source, event.change_count) == (Event.WEBHOOK, 1)
        assert message["raw"] == orjson.loads(bytes(callback.body))
        assert entry == {
            "date": stamp,
            "elementKey": "connectwisehd",
            "hubKey": "helpdesk",
            "eventType": "UPDATED",
            "objectId": "7",
            "objectType": "contacts",
        }
        assert Delivery.objects.get().event_id == event.pk
        callback.refresh_from_db()
        assert (callback.state, callback.reason, bytes(callback.body)) == (Callback.DONE, "", b"")
        assert callback.message_id == message["raw"]["MessageId"]
        assert SeenChange.objects.get().version == stamp

    def test_every_type_and_action_becomes_what_it_says(self, line):
        made = line.sandbox.tickets.add(summary="new")
        line.sandbox.tickets.edit(made["id"], at=line.sandbox.clock.now() + timedelta(seconds=3), summary="newer")
        line.sandbox.companies.edit(2)
        line.sandbox.contacts.delete(3)
        line.receive()

        drain()

        number = str(made["id"])
        assert sorted(line.told()) == [
            ("CREATED", "incidents", number),
            ("DELETED", "contacts", "3"),
            ("UPDATED", "incidents", number),
            ("UPDATED", "organizations", "2"),
        ]

    def test_the_key_is_asked_for_once(self, line):
        for number in range(1, 11):
            line.sandbox.contacts.edit(number)
        line.receive()

        drain()

        assert len(line.told()) == 10
        assert line.key_requests() == 1

    def test_a_rotated_key_is_found_under_its_new_address(self, line):
        line.sandbox.contacts.edit(1)
        line.receive()
        drain()
        line.sandbox.callbacks.rotate_key()
        line.sandbox.contacts.edit(2)
        line.receive()

        drain()

        assert len(line.told()) == 2
        assert line.key_requests() == 2

    def test_a_key_that_was_replaced_is_asked_for_once_more(self, line):
        line.sandbox.contacts.edit(1)
        line.receive()
        drain()
        line.sandbox.callbacks.replace_key()
        for number in (2, 3, 4):
            line.sandbox.contacts.edit(number)
        line.receive()

        drain()

        assert len(line.told()) == 4
        assert line.key_requests() == 2

    def test_a_bell_that_nobody_heard_does_no_harm(self, line):
        assert drain().done == 0


class TestRepeats:
    def test_a_doubled_callback_counts_once(self, line):
        line.sandbox.contacts.edit(7)
        first, second = line.receive(copies=2)

        drain()

        assert len(line.told()) == 1
        assert contents() == {first.pk: ("done", ""), second.pk: ("done", "repeat")}

    def test_a_copy_that_comes_later_is_known_by_its_message(self, line):
        line.store_signed(line.words())
        drain()
        SeenChange.objects.all().delete()
        again = line.store_signed(line.words())

        drain()

        assert len(line.told()) == 1
        assert contents()[again.pk] == ("done", "repeat")

    def test_two_registrations_for_one_save_are_one_event(self, line):
        line.store_signed(line.words(MessageId="one"))
        line.store_signed(line.words(MessageId="two"))

        drain()

        assert line.told() == [("UPDATED", "contacts", "7")]

    @pytest.mark.parametrize("together", [True, False])
    def test_another_save_within_the_same_second_is_another_event(self, line, together):
        entity = {"id": 7, "firstName": "Zoe", "_info": {"lastUpdated": "2026-06-09T21:59:47Z"}}
        line.store_signed(line.words())
        if not together:
            drain()
        line.store_signed(line.words(MessageId="other", Entity=orjson.dumps(entity).decode()))
        drain()
        line.store_signed(line.words(MessageId="once more", Entity=orjson.dumps(entity).decode()))
        drain()

        assert line.told() == [("UPDATED", "contacts", "7")] * 2
        plain, other = SeenChange.objects.order_by("pk")
        assert plain.version == "2026-06-09T21:59:47Z"
        assert other.version == f"{plain.version}#{bytes(other.content_hash).hex()[:16]}"

    def test_nothing_is_created_twice(self, line):
        line.sandbox.contacts.add(firstName="Ann")
        (created,) = line.sent()
        later = orjson.loads(created.body) | {"MessageId": "another"}
        entity = orjson.loads(later["Entity"])
        entity["_info"]["lastUpdated"] = "2027-01-01T00:00:00Z"
        line.store(created.body, created.signature)
        line.store_signed(later | {"Entity": orjson.dumps(entity).decode()})

        drain()

        assert [told[0] for told in line.told()] == ["CREATED"]

    @pytest.mark.parametrize("order", [("deleted", "updated"), ("updated", "deleted")])
    def test_a_deletion_and_a_save_are_both_told_in_whatever_order(self, line, order):
        for action in order:
            line.store_signed(line.words(action=action))
            drain()

        assert [told[0] for told in line.told()] == [action.upper() for action in order]

    def test_an_object_is_deleted_once(self, line):
        line.store_signed(line.words(action="deleted"))
        line.store_signed(line.words(action="deleted", MessageId="again"))

        drain()

        assert line.told() == [("DELETED", "contacts", "7")]


class TestPollsBeside:
    def test_what_a_poll_had_found_is_a_repeat_found_by_both(self, line):
        found_by_poll(line, 7, version="2026-06-09T21:59:47Z")
        callback = line.store_signed(line.words())

        drain()

        assert Event.objects.get().source == Event.POLL
        assert contents()[callback.pk] == ("done", "repeat")
        assert ledger() == [("UPDATED", "7", "both")]

    def test_what_a_poll_finds_afterwards_is_no_second_event(self, line):
        line.store_signed(line.words())
        drain()

        found_by_poll(line, 7, version="2026-06-09T21:59:47Z")

        assert Event.objects.get().source == Event.WEBHOOK
        assert ledger() == [("UPDATED", "7", "webhook")]

    def test_what_a_poll_told_as_created_is_not_created_again(self, line):
        found_by_poll(line, 7, version="2026-06-09T22:00:00Z", event_type=CREATED)
        line.store_signed(line.words(action="added"))

        drain()

        assert line.told() == [("CREATED", "contacts", "7")]


class TestWithoutEntity:
    def test_the_record_is_read_to_learn_its_stamp(self, line):
        line.sandbox.callbacks.without_entity = True
        line.sandbox.contacts.edit(7)
        line.sandbox.contacts.edit(7)
        line.receive()

        drain()

        assert line.told() == [("UPDATED", "contacts", "7")]
        assert SeenChange.objects.get().version == line.sandbox.contacts.get(7)["_info"]["lastUpdated"]

    def test_the_body_of_old_versions_is_understood(self, line):
        line.sandbox.callbacks.old_shape = line.sandbox.callbacks.without_entity = True
        line.sandbox.contacts.edit(7)
        line.receive()

        drain()

        assert line.told() == [("UPDATED", "contacts", "7")]

    def test_a_record_that_is_gone_was_deleted_if_it_is_still_gone_a_little_later(self, line):
        callback = line.store_signed(line.words(99, Entity=None))
        drain()
        assert line.told() == []
        assert 4 < wait_of(callback) <= 5
        assert contents()[callback.pk] == ("waiting", NOT_THERE)
        line.store_signed(line.words(98, Entity=None))
        make_due()

        drain()
        line.store_signed(line.words(99, action="deleted"))
        drain()

        assert line.told() == [("DELETED", "contacts", "99")]

    def test_a_record_that_is_there_a_little_later_was_not_deleted(self, line):
        answer = {"code": "NotFound", "message": "not yet"}
        line.sandbox.behave(path="/company/contacts", status=404, body=answer)
        line.store_signed(line.words(7, Entity=None))
        drain()
        make_due()

        drain()

        assert line.told() == [("UPDATED", "contacts", "7")]

    @pytest.mark.parametrize("type_", ["contact", "ticket"])
    def test_404_for_another_reason_deletes_nothing(self, line, type_):
        line.sandbox.behave(status=404, body="<html>not found", content_type="text/html", path="/company", times=None)
        line.sandbox.behave(status=404, body="<html>not found", content_type="text/html", path="/service", times=None)
        callback = line.store_signed(line.words(7, Type=type_, Entity=None), attempts_made=17)
        for _ in range(3):
            make_due()
            drain()

        assert line.told() == []
        state, reason = contents()[callback.pk]
        assert state == "parked"
        assert "has nothing at" in reason

    def test_nobody_can_delete_without_a_signature(self, line):
        Inbox.objects.update(accepts_unsigned=True)
        line.store(line.words(99))
        line.store(line.words(99, Entity=None, MessageId=None))
        line.store(line.words(99, Entity=None, MessageId=None))

        drain()

        assert line.told() == [("UPDATED", "contacts", "99")] * 2
        assert SeenChange.objects.get(version__startswith="~").version != "~"

    def test_who_simulates_events_may_invent_ids(self, line):
        Inbox.objects.update(accepts_unsigned=True)
        line.store(line.words(ID="mine", Entity=None))

        drain()

        assert line.told() == [("UPDATED", "contacts", "mine")]

    def test_types_that_the_hub_has_not_are_told_apart_by_their_message(self, line):
        Instance.objects.update(callback_types="agreement")
        for message in ("one", "one", "two"):
            line.store_signed(line.words(Type="agreement", Entity=None, MessageId=message))

        drain()

        assert line.told() == [("UPDATED", "agreement", "7")] * 2

    def test_while_the_record_cannot_be_read_it_waits(self, line):
        line.sandbox.behave(path="/company/contacts", status=429, headers={"Retry-After": "70"})
        callback = line.store_signed(line.words(Entity=None))
        other = line.store_signed(line.words(8, Entity=None))

        drain()

        assert 60 < wait_of(callback) < 71
        assert contents()[callback.pk][0] == contents()[other.pk][0] == "waiting"
        assert sum(request.endpoint.startswith("/company/contacts") for request in line.sandbox.requests) == 1
        make_due()
        assert drain().changes == 2

    def test_after_many_attempts_it_is_parked_with_the_reason_and_can_be_retried(self, line):
        line.sandbox.behave(path="/company/contacts", status=500, times=None)
        callback = line.store_signed(line.words(Entity=None), attempts_made=19)

        drain()

        state, reason = contents()[callback.pk]
        assert state == "parked"
        assert "500" in reason
        assert Event.objects.count() == 0
