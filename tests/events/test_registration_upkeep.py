"""Providers that refuse, fail and dawdle; several who act at once; and what is left to workers."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from celery import current_app
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now

import config.celery  # noqa: F401  # makes the project's application the current one, as every process does
from events import inbox_claims, inboxes, tasks
from events.models import Inbox, Registration
from events.registration_upkeep import begin, check_now, sweep
from instances import provisioning
from instances.errors import Conflict
from instances.models import Instance
from tests.events.desks import (
    CALLBACKS,
    DEFAULT_TYPES,
    asked,
    entries_of,
    inbox_of,
    make_desk,
    switch,
    types_of,
)
from tests.factories import token_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _empty_queue() -> None:
    messages()


def messages() -> list[dict[str, Any]]:
    """Takes the arguments of the messages that ask a worker to go on."""
    found = []
    with current_app.connection_for_read() as broker:
        channel: Any = broker.default_channel
        while message := channel.basic_get("callbacks", no_ack=True):
            if message.headers["task"] == "events.tasks.reconcile":
                found.append(message.payload[1])
    return found


def is_due_in(instance: Instance, length: timedelta) -> bool:
    """Give or take ten seconds, by the database's clock."""
    about = timedelta(seconds=10)
    return Inbox.objects.filter(
        instance=instance, next_check_at__gt=Now() + length - about, next_check_at__lte=Now() + length + about
    ).exists()


class TestRefused:
    @pytest.mark.parametrize("status", [400, 403, 404])
    def test_one_type_that_is_refused_does_not_stop_the_others(self, owner, sandbox, status):
        sandbox.behave(path=CALLBACKS, method="POST", status=status)

        instance = make_desk(owner, sandbox)

        assert types_of(sandbox) == ["company", "contact", "time"]
        assert "ticket: " in instance.registration_problem
        refused = Registration.objects.get(type="ticket")
        assert (refused.state, refused.provider_id) == (Registration.REFUSED, "")
        assert refused.last_error in instance.registration_problem

        check_now(inbox_of(instance))

        instance.refresh_from_db()
        assert types_of(sandbox) == DEFAULT_TYPES
        assert instance.registration_problem == ""
        assert set(Registration.objects.values_list("state", "last_error")) == {(Registration.ACTIVE, "")}

    def test_one_that_fails_does_not_stop_the_others_and_is_tried_again_at_once(self, owner, sandbox):
        sandbox.behave(path=CALLBACKS, method="POST", status=500)

        instance = make_desk(owner, sandbox)

        assert types_of(sandbox) == ["company", "contact", "time"]
        assert messages() == [{"inbox_id": inbox_of(instance).pk}]
        tasks.reconcile(inbox_id=inbox_of(instance).pk)
        assert types_of(sandbox) == DEFAULT_TYPES

    def test_what_may_not_be_taken_back_is_told_and_tried_again(self, owner, sandbox):
        instance = make_desk(owner, sandbox)
        sandbox.behave(path=CALLBACKS, method="DELETE", status=403)

        after = switch(instance, on=False)

        assert types_of(sandbox) == ["ticket"]
        assert "ticket: " in after.registration_problem
        check_now(inbox_of(instance))
        assert entries_of(sandbox) == []

    def test_the_address_is_not_told_even_where_the_provider_repeats_it(self, owner, sandbox):
        def repeat(request) -> None:
            if request.method == "POST":
                text = request.body.decode()
                sandbox.behave(
                    path=CALLBACKS, method="POST", status=400, body={"code": "InvalidObject", "message": text}
                )

        sandbox.on_request = repeat
        instance = make_desk(owner, sandbox)

        assert "********" in instance.registration_problem
        assert token_of(inbox_of(instance)) not in instance.registration_problem

    def test_credentials_that_are_refused_need_attention_and_are_left_alone(self, owner, sandbox):
        instance = make_desk(owner, sandbox)
        sandbox.behave(status=401, times=None)

        assert check_now(inbox_of(instance)) is False

        instance.refresh_from_db()
        assert instance.is_valid is False
        assert "refused the credentials" in instance.registration_problem
        assert is_due_in(instance, timedelta(hours=1))
        assert sweep() == 0


class TestDown:
    def test_the_instance_is_made_all_the_same_and_says_what_is_missing(self, owner, sandbox):
        sandbox.behave(path=CALLBACKS, times=None, status=503)

        instance = make_desk(owner, sandbox)

        assert "Callbacks could not all be registered yet" in instance.registration_problem
        assert messages() == [{"inbox_id": inbox_of(instance).pk}]

        sandbox.behave_well()
        assert sweep() == 1
        instance.refresh_from_db()
        assert (types_of(sandbox), instance.registration_problem) == (DEFAULT_TYPES, "")

    def test_it_is_asked_less_and_less_often(self, owner, sandbox):
        instance = make_desk(owner, sandbox, notification_enabled=False)
        sandbox.behave(path=CALLBACKS, times=None, status=503)
        switch(instance, on=True)

        assert sweep() == 1
        assert is_due_in(instance, timedelta(seconds=30))
        check_now(inbox_of(instance))
        assert is_due_in(instance, timedelta(seconds=60))

    def test_a_check_that_fails_is_no_problem_of_the_owner(self, owner, sandbox):
        instance = make_desk(owner, sandbox)
        sandbox.behave(path=CALLBACKS, times=None, status=503)

        check_now(inbox_of(instance))

        instance.refresh_from_db()
        assert instance.registration_problem == ""
        assert instance.subscription_id == "1,2,3,4"
        assert inbox_of(instance).last_error

    def test_a_rate_limit_is_obeyed_and_nothing_else_is_asked(self, owner, sandbox):
        instance = make_desk(owner, sandbox, notification_enabled=False)
        sandbox.requests.clear()
        sandbox.behave(path=CALLBACKS, method="POST", times=None, status=429, headers={"Retry-After": "120"})

        switch(instance, on=True)

        assert asked(sandbox) == [f"GET {CALLBACKS}", f"POST {CALLBACKS}"]
        assert is_due_in(instance, timedelta(seconds=120))
        assert inbox_of(instance).failures == 0
        tasks.reconcile(inbox_id=inbox_of(instance).pk)
        assert len(asked(sandbox)) == 2

    def test_registrations_of_a_deleted_instance_are_taken_back_when_the_provider_is_there_again(self, owner, sandbox):
        instance = make_desk(owner, sandbox)
        sandbox.behave(path=CALLBACKS, times=None, status=503)

        provisioning.delete(instance_id=instance.pk)

        assert len(entries_of(sandbox)) == 4
        sandbox.behave_well()
        assert sweep() == 1
        assert entries_of(sandbox) == []
        assert not Inbox.objects.exists()

    def test_a_slow_provider_holds_up_nobody_for_longer_than_its_time(self, owner, sandbox):
        instance = make_desk(owner, sandbox)
        inbox = inbox_of(instance)
        Inbox.objects.update(next_check_at=Now())
        sandbox.behave(path=CALLBACKS, delay=0.7)

        assert begin([inbox.pk], patience_seconds=0.3) is False

        inbox.refresh_from_db()
        assert (inbox.failures, inbox.leased_until) == (0, None)
        assert messages() == [{"inbox_id": inbox.pk}]
        assert sweep() == 1

    def test_of_a_deleted_instance_nothing_is_left_that_could_be_asked_with(self, owner, sandbox):
        instance = make_desk(owner, sandbox)
        Instance.objects.filter(pk=instance.pk).delete()  # past provisioning, as nobody does

        assert sweep() == 0
        Inbox.objects.update(next_check_at=Now())
        assert sweep() == 1
        assert not Inbox.objects.exists()


class TestSeveralAtOnce:
    def test_who_comes_second_leaves_it_to_the_first(self, owner, sandbox):
        instance = make_desk(owner, sandbox)
        inbox = inbox_of(instance)
        Inbox.objects.update(next_check_at=Now())
        assert inbox_claims.claim(inbox.pk) is not None
        sandbox.requests.clear()

        assert check_now(inbox) is False
        assert sweep() == 0
        assert asked(sandbox) == []

    def test_what_changes_meanwhile_is_seen_to_by_who_is_at_it(self, owner, sandbox):
        instance = make_desk(owner, sandbox, notification_enabled=False)
        changes = iter([False])

        def switch_off(request) -> None:
            if request.method == "POST" and request.endpoint == CALLBACKS:
                for is_on in changes:
                    switch(instance, on=is_on)
                    connection.close()

        sandbox.on_request = switch_off
        switch(instance, on=True)

        assert entries_of(sandbox) == []
        inbox = inbox_of(instance)
        assert inbox.reconciled_version == inbox.wanted_version

    def test_who_was_held_up_for_too_long_stops_and_has_it_looked_at_again(self, owner, sandbox):
        instance = make_desk(owner, sandbox, notification_enabled=False)
        sandbox.requests.clear()

        def take_over(request) -> None:
            if len(asked(sandbox)) == 2:
                Inbox.objects.update(epoch=F("epoch") + 1)
                connection.close()

        sandbox.on_request = take_over
        switch(instance, on=True)
        sandbox.on_request = None

        assert asked(sandbox) == [f"GET {CALLBACKS}", f"POST {CALLBACKS}"]
        Inbox.objects.update(leased_until=None)  # of who took over
        assert sweep() == 1
        assert types_of(sandbox) == DEFAULT_TYPES

    def test_after_many_switches_at_once_exactly_what_is_wanted_is_registered(self, owner, sandbox):
        foreign = sandbox.registrations.add(
            type="ticket", level="owner", url="https://elsewhere.example.com/?recordId="
        )
        neighbour = make_desk(owner, sandbox)
        instance = make_desk(owner, sandbox)
        before = entries_of(sandbox, neighbour)
        together = threading.Barrier(4)

        def flip(first: bool) -> None:
            together.wait()
            try:
                for number in range(9):  # odd: at the end they disagree, too
                    with suppress(Conflict):  # the caller is told to send it again
                        switch(instance, on=first == (number % 2 == 0))
            finally:
                connection.close()

        with ThreadPoolExecutor(4) as people:
            list(people.map(flip, [True, False, True, False]))
        sweep()  # as beat does, for whoever ran out of time

        instance.refresh_from_db()
        inbox = inbox_of(instance)
        wanted = DEFAULT_TYPES if instance.is_events_enabled else []
        assert types_of(sandbox, instance) == wanted
        assert [foreign, *before] == [one for one in entries_of(sandbox) if token_of(inbox) not in one["url"]]
        assert (inbox.is_open, inbox.reconciled_version) == (instance.is_events_enabled, inbox.wanted_version)
        assert len(instance.subscription_id.split(",")) == max(1, len(wanted))


def test_the_hourly_task_forgets_what_could_not_be_taken_back(owner, sandbox):
    instance = make_desk(owner, sandbox)
    inboxes.part(inbox_of(instance), configuration_encrypted=instance.configuration_encrypted)
    Inbox.objects.update(parted_at=Now() - timedelta(hours=25))

    tasks.forget_old()

    assert not Inbox.objects.exists()


def test_the_sweeping_task_reconciles(owner, sandbox):
    instance = make_desk(owner, sandbox)
    sandbox.registrations.delete(1)
    Inbox.objects.filter(instance=instance).update(next_check_at=Now())

    tasks.sweep_inboxes()

    assert types_of(sandbox) == DEFAULT_TYPES
