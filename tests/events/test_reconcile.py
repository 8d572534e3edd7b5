"""Registrations at a sandbox: registered, adopted, armed again and taken back, whatever happens in between."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, transaction
from django.db.models.functions import Now

from connectors.sandbox import Sandbox
from events import inboxes, reconcile
from events.models import Inbox, Registration
from events.registration_upkeep import check_now, sweep
from instances import provisioning
from instances.models import Instance
from tests.events.desks import (
    CALLBACKS,
    DEFAULT_TYPES,
    account_of,
    asked,
    entries_of,
    inbox_of,
    make_desk,
    switch,
    types_of,
)
from tests.factories import InboxFactory, token_of

pytestmark = pytest.mark.django_db(transaction=True)


def rows_of(instance: Instance) -> dict[str, Registration]:
    return {row.type: row for row in Registration.objects.filter(inbox__instance=instance)}


def is_suspect(instance: Instance) -> bool:
    return inbox_of(instance).suspect_at is not None


def trust(instance: Instance) -> None:
    """As after the poll that covered the window."""
    Inbox.objects.filter(instance=instance).update(suspect_at=None, suspect_reason="")


class TestWanted:
    def test_when_the_instance_is_made_its_callbacks_are_registered(self, owner, sandbox):
        instance = make_desk(owner, sandbox)

        entries = entries_of(sandbox)
        assert types_of(sandbox, instance) == types_of(sandbox) == DEFAULT_TYPES
        assert {(entry["level"], entry["objectId"], entry["inactiveFlag"]) for entry in entries} == {
            ("owner", 1, False)
        }
        assert {entry["url"] for entry in entries} == {inboxes.address_of(inbox_of(instance)) + "?recordId="}
        assert instance.subscription_id == ",".join(str(entry["id"]) for entry in entries)
        assert instance.registration_problem == ""
        assert {row.state for row in rows_of(instance).values()} == {Registration.ACTIVE}

    def test_types_and_levels_are_registered_as_asked_for(self, owner, sandbox):
        instance = make_desk(owner, sandbox, callback_types="opportunity, ticket:board:12")

        found = [(entry["type"], entry["level"], entry["objectId"]) for entry in entries_of(sandbox, instance)]
        assert found == [("opportunity", "owner", 1), ("ticket", "board", 12)]

    def test_with_events_off_nothing_is_asked(self, owner, sandbox):
        make_desk(owner, sandbox, notification_enabled=False)

        assert asked(sandbox) == []

    @pytest.mark.parametrize("way", ["events off", "disabled", "polling", "deleted"])
    def test_what_is_not_wanted_any_more_is_taken_back_before_the_answer(self, owner, sandbox, way):
        instance = make_desk(owner, sandbox)

        if way == "events off":
            after = switch(instance, on=False)
            assert (after.subscription_id, after.registration_problem) == ("", "")
        elif way == "disabled":
            provisioning.disable(instance_id=instance.pk)
        elif way == "polling":
            provisioning.update(instance_id=instance.pk, configuration={"event.vendor.type": "polling"})
        else:
            provisioning.delete(instance_id=instance.pk)

        assert entries_of(sandbox) == []
        assert not Registration.objects.exists()
        assert Inbox.objects.exists() is (way != "deleted")

    def test_switched_on_again_the_address_is_the_same(self, owner, sandbox):
        instance = make_desk(owner, sandbox)
        before = {entry["url"] for entry in entries_of(sandbox)}

        switch(instance, on=False)
        after = switch(instance, on=True)

        assert types_of(sandbox) == DEFAULT_TYPES
        assert {entry["url"] for entry in entries_of(sandbox)} == before
        assert after.subscription_id == ",".join(str(entry["id"]) for entry in entries_of(sandbox))

    def test_other_types_leave_the_common_ones_as_they_are(self, owner, sandbox):
        instance = make_desk(owner, sandbox, callback_types="ticket, company")
        ticket = entries_of(sandbox)[0]
        sandbox.requests.clear()

        provisioning.update(instance_id=instance.pk, configuration={"event.callback.types": "time, ticket"})

        assert types_of(sandbox) == ["ticket", "time"]
        assert entries_of(sandbox)[0] == ticket
        assert asked(sandbox) == [f"GET {CALLBACKS}", f"POST {CALLBACKS}", f"DELETE {CALLBACKS}/2"]
        assert sorted(rows_of(instance)) == ["ticket", "time"]

    def test_new_credentials_of_the_same_account_register_nothing_twice(self, owner, sandbox):
        instance = make_desk(owner, sandbox)
        before = entries_of(sandbox)

        sandbox.requests.clear()
        provisioning.update(instance_id=instance.pk, configuration=account_of(sandbox))

        assert entries_of(sandbox) == before
        assert asked(sandbox) == [f"GET {CALLBACKS}"]

    def test_another_account_takes_the_old_registrations_back(self, owner, sandbox):
        instance = make_desk(owner, sandbox)
        old_token = token_of(inbox_of(instance))
        with Sandbox.start(contacts=1, companies=1, tickets=1, company="other") as other:
            provisioning.update(instance_id=instance.pk, configuration=account_of(other))

            assert entries_of(sandbox) == []
            assert types_of(other, instance) == DEFAULT_TYPES
        assert token_of(Inbox.objects.get()) != old_token


class TestOthers:
    def test_what_somebody_else_registered_is_never_touched(self, owner, sandbox):
        foreign = [
            sandbox.registrations.add(type="ticket", level="owner", url="https://elsewhere.example.com/?recordId="),
            sandbox.registrations.add(type="time", level="owner", inactiveFlag=True),
        ]

        instance = make_desk(owner, sandbox)
        switch(instance, on=False)
        switch(instance, on=True)
        provisioning.delete(instance_id=instance.pk)

        assert entries_of(sandbox) == foreign

    def test_our_token_in_a_query_of_theirs_makes_it_not_ours(self, owner, sandbox):
        instance = make_desk(owner, sandbox)
        address = inboxes.address_of(inbox_of(instance))
        foreign = [
            sandbox.registrations.add(type="ticket", level="owner", url=url)
            for url in (
                f"https://relay.example.com/in?to={address}",
                f"https://relay.example.com/events/connectwisehd/{token_of(inbox_of(instance))}/copies?recordId=",
                f"https://relay.example.com/{token_of(inbox_of(instance))}",
            )
        ]

        check_now(inbox_of(instance))
        provisioning.delete(instance_id=instance.pk)

        assert entries_of(sandbox) == foreign

    def test_two_instances_of_one_account_keep_to_their_own(self, owner, sandbox):
        first, second = make_desk(owner, sandbox), make_desk(owner, sandbox)
        of_first = entries_of(sandbox, first)

        switch(second, on=False)
        check_now(inbox_of(first))
        assert entries_of(sandbox) == of_first

        switch(second, on=True)
        provisioning.delete(instance_id=first.pk)
        assert types_of(sandbox) == types_of(sandbox, second) == DEFAULT_TYPES


class TestChecks:
    def test_what_agrees_costs_one_question(self, owner, sandbox):
        instance = make_desk(owner, sandbox)
        trust(instance)
        sandbox.requests.clear()

        assert check_now(inbox_of(instance)) is True

        assert asked(sandbox) == [f"GET {CALLBACKS}"]
        assert not is_suspect(instance)

    def test_what_the_provider_has_disabled_is_armed_again_and_its_changes_are_polled_for(self, owner, sandbox):
        instance = make_desk(owner, sandbox)
        trust(instance)
        sandbox.registrations.edit(3, inactiveFlag=True)
        sandbox.requests.clear()

        check_now(inbox_of(instance))

        assert [entry["inactiveFlag"] for entry in entries_of(sandbox)] == [False] * 4
        assert asked(sandbox) == [f"GET {CALLBACKS}", f"PATCH {CALLBACKS}/3"]
        assert is_suspect(instance)

    def test_what_somebody_removed_is_registered_again(self, owner, sandbox):
        instance = make_desk(owner, sandbox)
        trust(instance)
        sandbox.registrations.delete(2)

        check_now(inbox_of(instance))

        instance.refresh_from_db()
        assert types_of(sandbox) == DEFAULT_TYPES
        assert instance.subscription_id == "1,5,3,4"
        assert is_suspect(instance)

    def test_of_two_equal_ones_one_is_removed(self, owner, sandbox):
        instance = make_desk(owner, sandbox)
        first = entries_of(sandbox)[0]
        sandbox.registrations.add(**{name: first[name] for name in ("url", "type", "level", "objectId")})

        check_now(inbox_of(instance))

        assert [entry["id"] for entry in entries_of(sandbox)] == [1, 2, 3, 4]
        assert rows_of(instance)["ticket"].provider_id == "1"

    def test_what_was_registered_and_never_written_down_is_adopted(self, owner, sandbox):
        instance = make_desk(owner, sandbox)
        before = entries_of(sandbox)
        trust(instance)
        Registration.objects.all().delete()

        check_now(inbox_of(instance))

        assert entries_of(sandbox) == before
        assert {row.provider_id for row in rows_of(instance).values()} == {"1", "2", "3", "4"}
        assert is_suspect(instance)

    def test_registrations_follow_the_public_url(self, owner, sandbox, settings):
        instance = make_desk(owner, sandbox)
        settings.PUBLIC_URL = "http://127.0.0.2:8000"

        check_now(inbox_of(instance))

        assert types_of(sandbox) == DEFAULT_TYPES
        assert all(entry["url"].startswith("http://127.0.0.2:8000/") for entry in entries_of(sandbox))

    def test_at_another_public_url_each_is_registered_before_the_old_one_is_taken_back(self, owner, sandbox, settings):
        instance = make_desk(owner, sandbox)
        settings.PUBLIC_URL = "http://127.0.0.2:8000"
        sandbox.requests.clear()

        check_now(inbox_of(instance))

        deletes = [f"DELETE {CALLBACKS}/{number}" for number in (1, 2, 3, 4)]
        assert asked(sandbox) == [f"GET {CALLBACKS}", *[f"POST {CALLBACKS}"] * 4, *deletes]

    @pytest.mark.parametrize("status", [400, 429, 500])
    def test_what_works_stays_while_its_replacement_is_refused(self, owner, sandbox, settings, status):
        instance = make_desk(owner, sandbox)
        before = entries_of(sandbox)
        settings.PUBLIC_URL = "http://127.0.0.2:8000"
        sandbox.behave(path=CALLBACKS, method="POST", status=status, times=None)

        check_now(inbox_of(instance))
        assert entries_of(sandbox) == before

        sandbox.behave_well()
        Inbox.objects.update(next_check_at=Now())
        check_now(inbox_of(instance))
        assert all(entry["url"].startswith("http://127.0.0.2:8000/") for entry in entries_of(sandbox))

    def test_a_provider_that_has_one_of_a_kind_is_rid_of_the_old_one_first(self, owner, sandbox, settings):
        instance = make_desk(owner, sandbox, callback_types="ticket")
        settings.PUBLIC_URL = "http://127.0.0.2:8000"
        exists = {"code": "InvalidObject", "errors": [{"code": "ObjectExists", "message": "exists already"}]}
        sandbox.behave(path=CALLBACKS, method="POST", status=400, body=exists, times=1)

        assert check_now(inbox_of(instance)) is True

        (entry,) = entries_of(sandbox)
        assert entry["url"].startswith("http://127.0.0.2:8000/")

    def test_a_sweep_does_what_is_due_and_nothing_else(self, owner, sandbox):
        due, resting = make_desk(owner, sandbox), make_desk(owner, sandbox)
        for instance in (due, resting):
            sandbox.registrations.delete(entries_of(sandbox, instance)[0]["id"])
        Inbox.objects.filter(instance=due).update(next_check_at=Now())

        assert sweep() == 1

        assert len(entries_of(sandbox, due)) == 4
        assert len(entries_of(sandbox, resting)) == 3
        assert sweep() == 0

    @pytest.mark.parametrize("is_open", [True, False])
    def test_the_next_check_comes_after_the_setting_and_for_the_idle_after_a_day(
        self, owner, sandbox, settings, is_open
    ):
        settings.CALLBACK_CHECK_SECONDS = 600
        instance = make_desk(owner, sandbox)
        if not is_open:
            switch(instance, on=False)
            check_now(inbox_of(instance))

        expected = timedelta(minutes=10) if is_open else timedelta(days=1)
        assert Inbox.objects.filter(
            next_check_at__gte=Now() + expected * 0.89, next_check_at__lte=Now() + expected * 1.11
        ).exists()


class TestUnreachable:
    def test_a_public_url_that_the_provider_cannot_reach_is_a_problem_and_nobody_is_asked(self, settings):
        settings.PUBLIC_URL = "http://127.0.0.1:8000"
        inbox = InboxFactory.create(instance__sent={"helpdesk.connectwise.server.url": "https://8.8.8.8"})

        assert check_now(inbox) is True

        problem = Instance.objects.get().registration_problem
        assert problem.startswith("PUBLIC_URL is http://127.0.0.1:8000, which the provider cannot reach")
        assert "polling every 15 minutes" in problem

    def test_an_address_that_the_provider_does_not_take_is_told_once_and_names_the_setting(self, owner, sandbox):
        refusal = {
            "code": "InvalidObject",
            "errors": [{"code": "InvalidField", "message": "Invalid URL", "field": "url"}],
        }
        sandbox.behave(path=CALLBACKS, method="POST", status=400, body=refusal, times=None)

        problem = make_desk(owner, sandbox).registration_problem

        assert "ticket, company, contact, time: ConnectWise does not take our address" in problem
        assert (problem.count("PUBLIC_URL"), problem.count("(Invalid URL)")) == (1, 1)


class TestKilled:
    """The database connection is cut while the provider answers: what it did is done, and nobody writes it down."""

    def reconcile_killed_at(self, sandbox: Sandbox, inbox_id: int, number: int) -> None:
        pid, met = connection.connection.info.backend_pid, []

        def kill(request) -> None:
            met.append(request)
            if len(met) == number:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
                connection.close()

        sandbox.on_request = kill
        with suppress(OperationalError):
            reconcile.reconcile(inbox_id=inbox_id, budget_seconds=30)
        sandbox.on_request = None
        connection.close()
        assert len(met) == number

    @pytest.mark.parametrize("number", range(1, 6))
    def test_anywhere_while_registering_the_next_run_completes_it(self, owner, sandbox, number):
        instance = make_desk(owner, sandbox, notification_enabled=False)
        instance.is_events_enabled = True
        instance.save()
        with transaction.atomic():
            inboxes.follow(instance=instance, previous_configuration="", starts_over=False)
        inbox = inbox_of(instance)

        self.reconcile_killed_at(sandbox, inbox.pk, number)
        assert len(entries_of(sandbox)) == number - 1
        assert reconcile.reconcile(inbox_id=inbox.pk, budget_seconds=30) is False  # its lease has not ended
        Inbox.objects.update(leased_until=Now())

        assert reconcile.reconcile(inbox_id=inbox.pk, budget_seconds=30) is True
        assert types_of(sandbox, instance) == types_of(sandbox) == DEFAULT_TYPES
        known = {row.provider_id for row in rows_of(instance).values() if row.state == Registration.ACTIVE}
        assert known == {str(entry["id"]) for entry in entries_of(sandbox)}
        assert is_suspect(instance)

    @pytest.mark.parametrize("number", range(1, 6))
    def test_anywhere_while_taking_back_the_next_run_completes_it(self, owner, sandbox, number):
        instance = make_desk(owner, sandbox)
        with transaction.atomic():
            inboxes.part(inbox_of(instance), configuration_encrypted=instance.configuration_encrypted)
            instance.delete()
        inbox = Inbox.objects.get()

        self.reconcile_killed_at(sandbox, inbox.pk, number)
        Inbox.objects.update(leased_until=Now())

        assert reconcile.reconcile(inbox_id=inbox.pk, budget_seconds=30) is True
        assert entries_of(sandbox) == []
        assert not Inbox.objects.exists()
