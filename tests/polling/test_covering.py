"""Where callbacks may have been lost, polls come at once, and the window is closed when they have looked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from celery import current_app
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from connectors.change import UPDATED
from events import suspicion
from events.models import Inbox
from events.signals import polls_wanted
from instances.models import Instance
from polling import covering, schedule
from polling.models import PollCursor
from tests.events.desks import make_desk
from tests.factories import InstanceFactory
from tests.polling.conftest import polling
from tests.polling.driving import cursor_of, on_list, poll
from tests.polling.hearing import entries, hear, says

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def desk(owner, sandbox) -> Instance:
    """Hears callbacks about contacts and organizations, and polls both; the next polls are an hour away."""
    desk = make_desk(owner, sandbox, callback_types="contact,company")
    poll(desk)
    PollCursor.objects.update(next_poll_at=Now() + HOUR)
    return desk


def seconds_until_due(instances: Sequence[Instance]) -> list[float]:
    rows = PollCursor.objects.filter(instance__in=instances).annotate(left=F("next_poll_at") - Now())
    return [row.left.total_seconds() for row in rows]


def seconds_until_due_of(desk: Instance, resource: str) -> float:
    row = PollCursor.objects.annotate(left=F("next_poll_at") - Now()).get(instance=desk, resource=resource)
    return row.left.total_seconds()  # type: ignore[no-any-return]


def suspect(desk: Instance) -> None:
    with transaction.atomic():
        suspicion.open_window(instance_ids=[desk.pk], reason="The database was away")


def is_open(desk: Instance) -> bool:
    return Inbox.objects.filter(instance=desk, suspect_at__isnull=False).exists()


def with_cursors(count: int) -> list[Instance]:
    made = InstanceFactory.create_batch(count, element_key="connectwisehd")
    PollCursor.objects.bulk_create(
        PollCursor(
            instance=one, resource="contacts", reads="contacts", watermark=Now(), baseline_at=Now(),
            next_poll_at=Now() + HOUR,
        )
        for one in made
    )  # fmt: skip
    return made


# Polls that are wanted


def test_wanted_polls_are_due_once_that_is_committed_and_no_others(
    desk, connect, sandbox, django_capture_on_commit_callbacks
):
    other = connect(sandbox, **polling("contacts"))
    poll(other)
    PollCursor.objects.update(next_poll_at=Now() + HOUR, leased_until=None)
    stopped = cursor_of(desk, "organizations")
    PollCursor.objects.filter(pk=stopped.pk).update(is_active=False)
    before = PollCursor.objects.in_bulk()
    with django_capture_on_commit_callbacks() as callbacks:
        polls_wanted.send(sender=None, instance_ids=[desk.pk])
    assert min(seconds_until_due([desk, other])) > 0
    for callback in callbacks:
        callback()

    moved = [one for one in PollCursor.objects.all() if one.next_poll_at != before[one.pk].next_poll_at]
    assert moved == [cursor_of(desk)]
    assert [one.cursor_id for one in schedule.claim(limit=9)] == [moved[0].pk]


def test_a_poll_that_is_due_sooner_stays_so(desk):
    PollCursor.objects.update(next_poll_at=Now() - MINUTE)
    schedule.hasten(instance_ids=[desk.pk])

    assert max(seconds_until_due([desk])) < -50


@pytest.mark.parametrize("count, spread", [(20, 0), (21, 2), (501, 30)])
def test_many_polls_that_are_wanted_are_spread(owner, count, spread):
    instances = with_cursors(count)
    assert schedule.hasten(instance_ids=[one.pk for one in instances]) == count
    left = seconds_until_due(instances)

    assert max(left) <= spread
    assert (max(left) - min(left) > spread / 3) is (spread > 0)


@pytest.mark.django_db(transaction=True)
def test_wanted_polls_ring(desk):
    with current_app.connection_for_read() as broker, broker.SimpleQueue("polling") as queue:
        queue.clear()
        suspect(desk)
        message = queue.get(timeout=5)
        message.ack()
    assert message.headers["task"] == "polling.tasks.sweep"
    assert max(seconds_until_due([desk])) <= 0


# Covering a window


def test_a_window_is_closed_when_each_cursor_was_polled_since(desk):
    suspect(desk)
    poll(desk, "contacts")
    assert is_open(desk)
    poll(desk, "organizations")
    assert not is_open(desk)


def test_a_cursor_that_was_never_polled_holds_the_window_open(desk):
    PollCursor.objects.filter(resource="organizations").update(covered_at=None)
    suspect(desk)
    poll(desk, "contacts")

    assert is_open(desk)


@pytest.mark.django_db(transaction=True)
def test_polls_that_began_before_the_window_do_not_close_it(desk, sandbox):
    """It opens while they read; they are due again at once."""

    def open_the_window() -> None:
        try:
            suspect(desk)
        finally:
            connection.close()

    poll(desk, "organizations")
    on_list(sandbox, 1, open_the_window)
    poll(desk, "contacts")
    assert is_open(desk)
    assert seconds_until_due_of(desk, "contacts") <= 0

    poll(desk)
    assert not is_open(desk)


def test_a_pause_of_the_account_outlasts_a_window(desk):
    suspect(desk)
    PollCursor.objects.update(covered_at=Now() - HOUR, next_poll_at=Now() + 99 * HOUR)
    covering.cover(cursor_of(desk), interval=MINUTE)

    assert seconds_until_due_of(desk, "contacts") > 90 * 3600


def test_a_poll_that_fails_covers_nothing_and_callbacks_are_heard_all_the_same(desk, sandbox):
    suspect(desk)
    sandbox.behave(path="/company/companies", status=403, times=None)
    for _ in range(3):
        poll(desk)
    hear(desk, says(sandbox.contacts.edit(3)))
    assert is_open(desk)
    assert cursor_of(desk, "organizations").failures == 3
    assert entries(desk) == [(3, UPDATED)]

    sandbox.behave_well()
    poll(desk)
    assert not is_open(desk)


def test_a_cursor_that_was_stopped_is_not_waited_for_and_disables_nothing(desk, sandbox, settings):
    settings.POLL_FAILURES_BEFORE_DISABLING = 2
    suspect(desk)
    sandbox.behave(path="/company/companies", status=403, times=None)
    for _ in range(3):
        poll(desk)

    desk.refresh_from_db()
    assert (desk.is_disabled, desk.is_valid, desk.is_listening) == (False, True, True)
    assert not cursor_of(desk, "organizations").is_active
    assert not is_open(desk)
    assert Inbox.objects.get(instance=desk).is_open


def test_polls_that_stop_altogether_leave_the_instance_listening(desk, sandbox, settings):
    settings.POLL_FAILURES_BEFORE_DISABLING = 2
    sandbox.behave(path="/company", status=500, times=None)
    for _ in range(2):
        poll(desk, "contacts")

    desk.refresh_from_db()
    assert not PollCursor.objects.filter(instance=desk, is_active=True).exists()
    assert (desk.is_disabled, Inbox.objects.get(instance=desk).is_open) == (False, True)


def test_an_instance_that_only_polls_never_looks_for_windows(desk, connect, sandbox):
    instance = connect(sandbox, **polling("contacts"))
    with CaptureQueriesContext(connection) as asked_of_both:
        poll(instance)
        assert not [one for one in asked_of_both.captured_queries if "events_inbox" in one["sql"]]
        poll(desk, "contacts")
        assert len([one for one in asked_of_both.captured_queries if "events_inbox" in one["sql"]]) == 1
