"""Windows in which callbacks may have been lost: opened once the database takes it, closed by what covers them."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test import Client

from events import suspicion
from events.models import Inbox
from events.signals import polls_wanted
from tests.factories import InboxFactory, token_of
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def wanted():
    """What was asked of polling."""
    asked: list[list[int]] = []

    def note(*, instance_ids, **_signal) -> None:
        assert connection.in_atomic_block
        asked.append(instance_ids)

    polls_wanted.connect(note)
    yield asked
    polls_wanted.disconnect(note)


@pytest.fixture
def inbox() -> Inbox:
    return InboxFactory.create()


def owner_of(inbox: Inbox) -> int:
    assert inbox.instance_id is not None
    return inbox.instance_id


def open_window(inbox: Inbox, reason: str = "the database was away") -> None:
    with transaction.atomic():
        suspicion.open_window(instance_ids=[owner_of(inbox)], reason=reason)
    inbox.refresh_from_db()


def test_a_window_says_when_and_why_and_asks_for_polls(inbox, wanted):
    other = InboxFactory.create()

    open_window(inbox)

    other.refresh_from_db()
    assert inbox.suspect_reason == "the database was away"
    assert inbox.suspect_at > inbox.created_at
    assert other.suspect_at is None
    assert wanted == [[inbox.instance_id]]


def test_instances_without_an_inbox_are_passed_over(wanted):
    with transaction.atomic():
        assert suspicion.open_window(instance_ids=[999_999], reason="x") == []
        assert suspicion.open_window(instance_ids=[], reason="x") == []
    assert wanted == []


def test_a_window_belongs_into_a_transaction(inbox):
    with pytest.raises(transaction.TransactionManagementError):
        suspicion.open_window(instance_ids=[inbox.instance_id], reason="x")


def test_it_closes_when_polls_began_after_it(inbox):
    open_window(inbox)
    suspicion.close(instance_id=inbox.instance_id, covered_since=inbox.suspect_at - timedelta(milliseconds=1))
    inbox.refresh_from_db()
    assert inbox.suspect_at is not None

    suspicion.close(instance_id=inbox.instance_id, covered_since=inbox.suspect_at)

    inbox.refresh_from_db()
    assert (inbox.suspect_at, inbox.suspect_reason) == (None, "")


def test_its_moment_is_that_of_the_statement_not_of_the_transaction(inbox):
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT now(), pg_sleep(0.01)")
            began = cursor.fetchone()[0]
        suspicion.open_window(instance_ids=[inbox.instance_id], reason="x")
    inbox.refresh_from_db()

    assert inbox.suspect_at > began + timedelta(milliseconds=9)


def test_trouble_opens_windows_for_all_that_is_open(inbox, wanted):
    closed = InboxFactory.create(is_open=False)
    parted = InboxFactory.create()
    Inbox.objects.filter(pk=parted.pk).update(instance=None)

    suspicion.note_trouble(reason="the web server was started")

    until(lambda: Inbox.objects.get(pk=inbox.pk).suspect_at)
    assert set(Inbox.objects.filter(suspect_at=None)) == {closed, parted}
    assert wanted == [[inbox.instance_id]]


def test_trouble_of_some_opens_windows_for_those(inbox):
    other = InboxFactory.create()

    suspicion.note_trouble(reason="too many", instance_ids=[inbox.instance_id])

    until(lambda: Inbox.objects.get(pk=inbox.pk).suspect_reason == "too many")
    other.refresh_from_db()
    assert other.suspect_at is None


def test_trouble_that_goes_on_moves_the_window(inbox):
    suspicion.note_trouble(reason="first")
    until(lambda: Inbox.objects.get(pk=inbox.pk).suspect_at)
    opened = Inbox.objects.get(pk=inbox.pk).suspect_at

    suspicion.note_trouble(reason="second")

    until(lambda: Inbox.objects.filter(pk=inbox.pk, suspect_at__gt=opened))


def test_while_the_database_is_away_callbacks_are_asked_to_come_again_and_a_window_opens_when_it_is_back(
    inbox, wanted, monkeypatch, tmp_path, caplog
):
    url = f"/elements/api-v2/events/connectwisehd/{token_of(inbox)}"
    signed = {"X-Content-Signature": "s"}
    connection.close()
    caplog.set_level(logging.INFO, "events.suspicion")
    with monkeypatch.context() as broken:
        broken.setitem(connection.settings_dict, "HOST", str(tmp_path))
        answer = Client().post(url, b"{}", "application/json", headers=signed)
        assert answer.status_code == 429
        assert answer["Retry-After"] == "2"
        until(lambda: "suspect windows wait for the database" in caplog.messages)

    # Nothing else comes in.
    until(lambda: Inbox.objects.get(pk=inbox.pk).suspect_at)

    assert Inbox.objects.get(pk=inbox.pk).suspect_reason == "callbacks could not be stored"
    assert wanted == [[inbox.instance_id]]
    assert Client().post(url, b"{}", "application/json", headers=signed).status_code == 200


def test_when_too_many_wait_a_window_is_opened_for_that_instance(inbox, settings):
    settings.CALLBACKS_WAITING_LIMIT = 0
    other = InboxFactory.create()

    answer = Client().post(
        f"/elements/api-v2/events/connectwisehd/{token_of(inbox)}",
        b"{}",
        "application/json",
        headers={"X-Content-Signature": "s"},
    )

    assert answer.status_code == 429
    until(lambda: Inbox.objects.get(pk=inbox.pk).suspect_at)
    other.refresh_from_db()
    assert other.suspect_at is None
