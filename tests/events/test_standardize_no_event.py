"""Genuine callbacks that come to no event: too late, not wanted, known, or more than there is room for."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F
from django.db.models.functions import Now

from events import standardize, understanding
from events.callback_upkeep import DONE_KEPT, SEEN_KEPT, retry_parked
from events.models import Callback, Inbox
from events.standardize import drain
from events.understanding import KNOWN_FOR, NOT_WANTED, TOO_OLD
from instances.models import Instance
from polling.window import CALLBACK_MEMORY
from tests.events.calling import contents, make_due

pytestmark = pytest.mark.django_db

MONTH = timedelta(days=30)


def age(callback: Callback, span: timedelta) -> None:
    Callback.objects.filter(pk=callback.pk).update(received_at=Now() - span)


class TestTooLate:
    def test_what_polls_have_told_of_meanwhile_is_no_event(self, line):
        waited = line.store_signed(line.words())
        unstamped = line.store_signed(line.words(8, Entity=None))
        parked = line.store_signed(line.words(9), state=Callback.PARKED)
        for callback in (waited, unstamped, parked):
            age(callback, MONTH)
        retry_parked()

        drain()

        assert line.told() == []
        assert set(contents().values()) == {("done", TOO_OLD)}
        assert not any(request.endpoint.startswith("/company/contacts") for request in line.sandbox.requests)

    def test_what_the_ledger_still_knows_of_is_told(self, line):
        age(line.store_signed(line.words()), KNOWN_FOR - timedelta(minutes=5))

        drain()

        assert line.told() == [("UPDATED", "contacts", "7")]

    def test_what_no_poll_tells_of_is_told_however_late(self, line):
        Instance.objects.update(callback_types="contact, agreement, ticket:board:12")
        age(line.store_signed(line.words(action="deleted")), MONTH)
        age(line.store_signed(line.words(Type="agreement", MessageId="agreement")), MONTH)
        age(line.store_signed(line.words(Type="ticket", MessageId="ticket")), MONTH)

        drain()

        assert line.told() == [
            ("DELETED", "contacts", "7"),
            ("UPDATED", "agreement", "7"),
            ("UPDATED", "incidents", "7"),
        ]

    def test_the_ledger_remembers_longer_than_callbacks_are_told(self):
        assert KNOWN_FOR + timedelta(days=1) <= min(CALLBACK_MEMORY, DONE_KEPT, SEEN_KEPT)


class TestNotWanted:
    def test_a_type_that_is_not_wanted_is_no_event(self, line):
        Instance.objects.update(callback_types="company, ticket:board:12")
        unwanted = line.store_signed(line.words())
        line.store_signed(line.words(Type="company", MessageId="company"))
        line.store_signed(line.words(Type="ticket", MessageId="ticket"))

        drain()

        assert sorted(line.told()) == [("UPDATED", "incidents", "7"), ("UPDATED", "organizations", "7")]
        assert contents()[unwanted.pk] == ("done", NOT_WANTED)

    def test_who_simulates_events_is_told_of_whatever_type(self, line):
        Inbox.objects.update(accepts_unsigned=True)
        line.store(line.words(Type="agreement"))

        drain()

        assert line.told() == [("UPDATED", "agreement", "7")]

    def test_types_that_change_while_a_callback_is_looked_at_count(self, line, monkeypatch):
        callback = line.store_signed(line.words())

        def change_them(self, claim):
            result = understood(self, claim)
            Instance.objects.update(callback_types="company")
            return result

        understood = understanding.Understanding.of
        monkeypatch.setattr(understanding.Understanding, "of", change_them)
        drain()
        assert (line.told(), contents()[callback.pk][0]) == ([], "waiting")
        make_due()
        drain()

        assert contents()[callback.pk] == ("done", NOT_WANTED)


class TestWithoutStampAndMessage:
    BODY = b'{"Action":"updated","Type":"opportunity","ID":5}'

    def test_what_is_sent_again_at_once_is_one_change_and_days_later_another(self, line):
        Inbox.objects.update(accepts_unsigned=True)
        for hours in (48, 24, 0):
            for seconds in (60, 0):
                age(line.store(self.BODY), timedelta(hours=hours, seconds=seconds))
        drain()

        assert line.told() == [("UPDATED", "opportunity", "5")] * 3

    def test_also_when_the_copies_are_looked_at_later_and_in_another_order(self, line):
        Inbox.objects.update(accepts_unsigned=True)
        first, second = line.store(self.BODY), line.store(self.BODY)
        age(first, timedelta(seconds=110))
        Callback.objects.filter(pk=first.pk).update(next_attempt_at=Now() + timedelta(days=1))
        drain()
        make_due()
        drain()

        assert line.told() == [("UPDATED", "opportunity", "5")]
        assert contents() == {first.pk: ("done", "repeat"), second.pk: ("done", "")}


class TestRoomToPark:
    def test_unsigned_ones_are_parked_up_to_a_limit_and_signed_ones_always(self, line, monkeypatch):
        monkeypatch.setattr(standardize, "UNSIGNED_PARKED", 3)
        Inbox.objects.update(accepts_unsigned=True)
        parked = [line.store(b"no JSON") for _ in range(2)]
        drain()
        parked += [line.store(b"no JSON")]
        refused = [line.store(b"no JSON") for _ in range(2)]
        parked += [line.store_signed(line.words(Type=" ")) for _ in range(2)]

        drain()

        states = {pk: state for pk, (state, _) in contents().items()}
        assert states == {**{row.pk: "parked" for row in parked}, **{row.pk: "refused" for row in refused}}
        assert all("parked already" in contents()[row.pk][1] for row in refused)
        assert Inbox.objects.get().refused_count == 2


def test_a_callback_that_waited_while_its_key_was_replaced_is_told(line):
    line.store_signed(line.words(1))
    drain()
    waiting = line.store_signed(line.words(2), next_attempt_at=Now() + timedelta(days=1))
    line.sandbox.callbacks.replace_key()
    line.store_signed(line.words(3))
    drain()
    assert line.key_requests() == 2
    Callback.objects.filter(pk=waiting.pk).update(next_attempt_at=F("received_at"))

    drain()

    assert [object_id for _, _, object_id in line.told()] == ["1", "3", "2"]
