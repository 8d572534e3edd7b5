"""Callbacks that become no events: refused, parked, switched off, or given back."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now

from events import verification
from events.models import Callback, Event, Inbox
from events.standardize import drain
from events.understanding import ATTEMPTS, OWN_FAULT
from instances.encryption import encrypt_json
from instances.models import Instance
from tests.connectors.egress.sinks import Sink as Server
from tests.events.calling import Line, connect, contents, make_due

pytestmark = pytest.mark.django_db


def while_looking(act: Callable[[], object]) -> Callable[[], bool]:
    """For `is_stopping`, which is asked before the claim, before each instance and before each callback."""
    asked = iter(range(10))

    def never() -> bool:
        if next(asked, 0) == 2:
            act()
        return False

    return never


class TestRefusing:
    def refused(self, line: Line, callback: Callback, *words: str) -> None:
        state, reason = contents()[callback.pk]
        assert state == "refused"
        assert all(word in reason for word in words), reason
        assert line.told() == []
        inbox = Inbox.objects.get()
        assert (inbox.refused_count, inbox.last_refused_reason) == (1, reason)
        assert inbox.last_refused_at is not None
        assert inbox.suspect_at is None, "forgers could cause polls"

    def test_unsigned_ones(self, line):
        callback = line.store(line.words())
        drain()
        self.refused(line, callback, "without a signature")
        assert line.key_requests() == 0

    def test_unsigned_ones_are_taken_where_the_inbox_says_so(self, line):
        Inbox.objects.update(accepts_unsigned=True)
        line.store(line.words())

        drain()

        assert line.told() == [("UPDATED", "contacts", "7")]

    def test_a_wrong_signature_is_no_better_than_none(self, line):
        Inbox.objects.update(accepts_unsigned=True)
        callback = line.store(line.words(), "bm90IGEgc2lnbmF0dXJl")
        drain()
        self.refused(line, callback, "signature")

    def test_a_body_that_was_altered(self, line):
        line.sandbox.contacts.edit(7)
        (sent,) = line.sent()
        callback = line.store(sent.body.replace(b'"ID":7', b'"ID":8'), sent.signature)
        drain()
        self.refused(line, callback, "signature")

    def test_a_key_on_another_host_is_never_asked_for(self, line):
        with Server() as elsewhere:
            url = f"http://localhost:{elsewhere.port}{line.sandbox.callbacks.keys.place()}"
            callback = line.store_signed(line.words(Metadata={"key_url": url}))
            drain()
            assert elsewhere.connections == 0
        self.refused(line, callback, "localhost")
        assert line.key_requests() == 0

    def test_a_key_of_another_company_is_never_asked_for(self, line):
        url = line.sandbox.url + line.sandbox.callbacks.keys.place().replace("=acme", "=rival")
        callback = line.store_signed(line.words(Metadata={"key_url": url}))
        drain()
        self.refused(line, callback, "company")
        assert line.key_requests() == 0

    def test_a_key_that_the_provider_has_not_is_asked_for_three_times(self, line):
        url = line.sandbox.url + line.sandbox.callbacks.keys.place() + "0"
        callback = line.store_signed(line.words(Metadata={"key_url": url}))
        for state in ("waiting", "waiting", "refused"):
            verification.KEYS.forget()
            make_due()
            drain()
            assert contents()[callback.pk][0] == state
        self.refused(line, callback, "404")
        assert line.key_requests() == 3

    def test_a_key_that_could_not_be_had_for_good_makes_the_instance_suspect(self, line):
        line.sandbox.behave(path="/v2025_1", status=500, times=None)
        callback = line.store_signed(line.words())
        drain()
        assert contents()[callback.pk][0] == "waiting"
        Callback.objects.update(attempts_made=19)
        verification.KEYS.forget()
        make_due()

        drain()

        assert contents()[callback.pk][0] == "refused"
        inbox = Inbox.objects.get()
        assert inbox.suspect_at is not None
        assert "keys" in inbox.suspect_reason

    def test_only_the_newest_are_kept_to_look_at_and_not_whole(self, line, caplog):
        caplog.set_level(logging.INFO)
        for number in range(25):
            line.store(line.words(number, padding="x" * 9000))

        drain()

        assert Inbox.objects.get().refused_count == 25
        kept = list(Callback.objects.order_by("pk"))
        assert len(kept) == 20
        assert {len(bytes(row.body)) for row in kept} == {4096}
        assert b'"ID":24' in bytes(kept[-1].body)
        assert sum(entry.message == "callbacks refused" for entry in caplog.records) == 1


class TestParking:
    @pytest.mark.parametrize("body", [b"", b"no JSON", b"[]", b'{"Action":"updated"}'])
    def test_what_says_nothing_is_kept_with_the_reason(self, line, body):
        Inbox.objects.update(accepts_unsigned=True)
        callback = line.store(body)

        drain()

        callback.refresh_from_db()
        assert callback.state == Callback.PARKED
        assert callback.reason
        assert bytes(callback.body) == body

    def test_one_that_cannot_be_stored_harms_none_of_its_neighbours(self, line):
        with connection.cursor() as cursor:
            cursor.execute(_REFUSE_FOUR)
        callbacks = [line.store_signed(line.words(number)) for number in range(1, 8)]
        refused = line.store(line.words(9))

        for _ in range(3):
            make_due()
            drain()

        assert [object_id for _, _, object_id in line.told()] == ["1", "2", "3", "5", "6", "7"]
        poison = callbacks.pop(3)
        assert contents() == {
            **{callback.pk: ("done", "") for callback in callbacks},
            poison.pk: ("parked", OWN_FAULT),
            refused.pk: ("refused", verification.UNSIGNED),
        }

    def test_a_fault_of_ours_is_tried_three_times_and_harms_nobody(self, line, caplog):
        other = connect(line.sandbox, "http://127.0.0.1:8/hook")
        Instance.objects.filter(pk=other.instance.pk).update(configuration_encrypted=encrypt_json(["no mapping"]))
        poison = other.store_signed(other.words())
        genuine = line.store_signed(line.words())

        for _ in range(3):
            make_due()
            drain()

        assert contents() == {poison.pk: ("parked", OWN_FAULT), genuine.pk: ("done", "")}
        assert sum(entry.exc_info is not None for entry in caplog.records) == 3

    def test_faults_of_ours_use_up_none_of_the_attempts_that_the_provider_has(self, line):
        callback = line.store_signed(line.words())
        Callback.objects.update(attempts_made=ATTEMPTS - 1)
        Instance.objects.update(configuration_encrypted=encrypt_json(["no mapping"]))
        for state in ("waiting", "waiting", "parked"):
            callback.refresh_from_db()
            assert callback.attempts_made == ATTEMPTS - 1
            make_due()
            drain()
            assert contents()[callback.pk][0] == state

    def test_a_callback_waits_for_the_key_that_the_keyring_lacks_however_long_it_takes(self, line):
        callback = line.store_signed(line.words())
        readable = line.instance.configuration_encrypted
        Instance.objects.update(configuration_encrypted=Fernet(Fernet.generate_key()).encrypt(b"{}").decode())
        for _ in range(4):
            make_due()
            drain()
        callback.refresh_from_db()
        assert (callback.state, callback.attempts_made) == ("waiting", 0)
        assert "FERNET_KEYS" in callback.reason

        Instance.objects.update(configuration_encrypted=readable)
        make_due()
        assert drain().changes == 1


class TestOff:
    def test_callbacks_of_an_instance_that_is_off_come_to_nothing(self, line):
        line.store_signed(line.words())
        Instance.objects.update(is_events_enabled=False)

        drain()

        assert Event.objects.count() == Callback.objects.count() == 0

    def test_a_disabled_instance_keeps_what_waits(self, line):
        line.store_signed(line.words())
        Instance.objects.update(is_disabled=True)

        drain()

        assert Event.objects.count() == 0
        Instance.objects.update(is_disabled=False)
        make_due()
        assert drain().changes == 1

    def test_a_closed_inbox_is_left_alone(self, line):
        callback = line.store_signed(line.words())
        Inbox.objects.update(is_open=False)

        drain()

        assert contents()[callback.pk] == ("waiting", "")

    def test_events_switched_off_while_a_callback_is_looked_at_stay_off(self, line):
        line.store_signed(line.words())

        drain(is_stopping=while_looking(lambda: Instance.objects.update(is_events_enabled=False)))

        assert line.key_requests() == 1
        assert Event.objects.count() == Callback.objects.count() == 0

    def test_another_account_meanwhile_has_everything_verified_again(self, line):
        callback = line.store_signed(line.words())

        drain(is_stopping=while_looking(lambda: Instance.objects.update(provider_account="another")))

        assert line.key_requests() == 1
        assert Event.objects.count() == 0
        assert contents()[callback.pk][0] == "waiting"

    def test_an_instance_deleted_meanwhile_takes_its_callbacks_along(self, line):
        line.store_signed(line.words())

        drain(is_stopping=while_looking(lambda: Instance.objects.all().delete()))

        assert Event.objects.count() == Callback.objects.count() == 0


class TestStopping:
    def test_a_drain_that_is_to_stop_gives_back_what_it_has_not_looked_at(self, line):
        for number in range(1, 6):
            line.store_signed(line.words(number))
        looks = iter([False, False, False, False])

        drained = drain(is_stopping=lambda: next(looks, True))

        assert drained.done == 2
        waiting = Callback.objects.filter(state=Callback.WAITING)
        assert waiting.count() == 3
        assert not waiting.exclude(leased_until=None).exists()
        assert not waiting.exclude(attempts_made=0).exists()

    def test_an_old_lease_is_taken_over(self, line):
        line.store_signed(line.words())
        Callback.objects.update(leased_until=Now() + timedelta(seconds=60), epoch=F("epoch") + 1)
        assert drain().done == 0
        Callback.objects.update(leased_until=Now() - timedelta(seconds=1))

        assert drain().done == 1


# What passes every check of ours and cannot be stored all the same.
_REFUSE_FOUR = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'not this one' USING ERRCODE = '22000'; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON events_seenchange FOR EACH ROW WHEN (NEW.object_id = '4')
    EXECUTE FUNCTION refuse();
"""
