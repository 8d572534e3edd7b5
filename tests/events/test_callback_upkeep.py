"""Trying parked callbacks again, and forgetting old ones."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from events.callback_upkeep import forget_old, retry_parked
from events.models import Callback, Inbox, SeenChange
from instances.models import Instance, Organization
from tests.factories import InboxFactory

pytestmark = pytest.mark.django_db


def of(inbox: Inbox) -> Instance:
    assert inbox.instance is not None
    return inbox.instance


def add(inbox: Inbox, state: str = Callback.PARKED, *, days: float = 0, **columns) -> Callback:
    made = Callback.objects.create(instance=of(inbox), state=state, method="POST", body=b"{}", **columns)
    Callback.objects.filter(pk=made.pk).update(received_at=Now() - timedelta(days=days))
    return made


def note(inbox: Inbox, object_type: str, *, days: float, version: str = "v") -> None:
    seen = SeenChange.objects.create(
        instance=of(inbox), object_type=object_type, object_id="1", version=version, content_hash=b""
    )
    SeenChange.objects.filter(pk=seen.pk).update(seen_at=Now() - timedelta(days=days))


class TestRetryingParked:
    def test_they_wait_again_as_if_new(self):
        callback = add(InboxFactory.create(), reason="unreadable", attempts_made=20)
        before = Callback.objects.annotate(now=Now()).get().now

        assert retry_parked() == 1

        callback.refresh_from_db()
        assert (callback.state, callback.reason, callback.attempts_made) == (Callback.WAITING, "", 0)
        assert callback.next_attempt_at >= before

    def test_those_of_some_instances_or_some_of_them_only(self):
        one, other = InboxFactory.create(), InboxFactory.create()
        first, second, third = add(one), add(one), add(other)

        assert retry_parked(instance_ids=[]) == 0
        assert retry_parked(callback_ids=[first.pk]) == 1
        assert retry_parked(instance_ids=[of(other).pk], callback_ids=[second.pk]) == 0
        assert retry_parked(instance_ids=[of(other).pk]) == 1
        assert Callback.objects.get(state=Callback.PARKED) == second
        assert Callback.objects.get(pk=third.pk).state == Callback.WAITING

    @pytest.mark.parametrize("state", [Callback.WAITING, Callback.REFUSED, Callback.DONE])
    def test_nothing_else_is_touched(self, state):
        add(InboxFactory.create(), state, reason="kept")

        assert retry_parked() == 0
        assert Callback.objects.get().reason == "kept"

    def test_where_nobody_listens_they_stay_parked(self):
        add(InboxFactory.create(is_open=False))

        assert retry_parked() == 0

    def test_the_bell_rings_once_that_is_committed(self, django_capture_on_commit_callbacks):
        add(InboxFactory.create())

        with django_capture_on_commit_callbacks() as rung:
            retry_parked()
            retry_parked()

        assert len(rung) == 1


class TestForgetting:
    @pytest.mark.parametrize(
        ("state", "days", "is_kept"),
        [
            (Callback.DONE, 29.9, True),
            (Callback.DONE, 30.1, False),
            (Callback.REFUSED, 6.9, True),
            (Callback.REFUSED, 7.1, False),
            (Callback.PARKED, 400, True),
            (Callback.WAITING, 400, True),
        ],
    )
    def test_what_is_done_goes_after_a_month_and_what_is_refused_after_a_week(self, state, days, is_kept):
        add(InboxFactory.create(), state, days=days)

        assert forget_old() == (0 if is_kept else 1)
        assert Callback.objects.exists() is is_kept

    @pytest.mark.parametrize(("days", "is_kept"), [(2.9, True), (3.1, False)])
    @pytest.mark.parametrize("state", [Callback.DONE, Callback.REFUSED])
    def test_an_organization_may_keep_less(self, state, days, is_kept):
        inbox = InboxFactory.create()
        add(InboxFactory.create(), state, days=days)
        Organization.objects.filter(pk=of(inbox).organization_id).update(retention_days=3)
        add(inbox, state, days=days)

        assert forget_old() == (0 if is_kept else 1)
        assert Callback.objects.filter(instance=inbox.instance).exists() is is_kept

    def test_what_came_in_while_events_were_switched_off_goes(self):
        on, disabled, off = InboxFactory.create(), InboxFactory.create(), InboxFactory.create()
        kept = {add(inbox, Callback.WAITING, days=1).pk for inbox in (on, disabled)}
        Instance.objects.filter(pk=of(disabled).pk).update(is_disabled=True)
        Instance.objects.filter(pk=of(off).pk).update(is_events_enabled=False)
        add(off, Callback.WAITING, days=1)
        kept.add(add(off, Callback.WAITING).pk)  # the switch may be under way

        assert forget_old() == 1
        assert set(Callback.objects.values_list("pk", flat=True)) == kept

    def test_many_go_in_small_batches(self):
        inbox = InboxFactory.create()
        for _ in range(5):
            add(inbox, Callback.DONE, days=31)

        assert forget_old(at_once=2) == 5
        assert not Callback.objects.exists()

    def test_the_ledger_forgets_what_no_poll_covers(self):
        inbox = InboxFactory.create()
        note(inbox, "agreement", days=31)
        note(inbox, "agreement", days=31, version="deleted")
        note(inbox, "agreement", days=29, version="w")
        note(inbox, "contacts", days=31)

        assert forget_old() == 1

        assert set(SeenChange.objects.values_list("object_type", "version")) == {
            ("agreement", "deleted"),
            ("agreement", "w"),
            ("contacts", "v"),
        }

    def test_an_instance_whose_polls_cannot_be_told_keeps_its_ledger_and_holds_up_nobody(self):
        broken, other = InboxFactory.create(), InboxFactory.create()
        Instance.objects.filter(pk=of(broken).pk).update(poller_configuration={"nothing": {"url": "::"}})
        note(broken, "agreement", days=31)
        note(other, "agreement", days=31)

        assert forget_old() == 1
        assert SeenChange.objects.get().instance_id == broken.instance_id
