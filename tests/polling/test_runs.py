"""What is noted about polls."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from polling import runs
from polling.models import PollRun
from polling.schedule import Claim
from tests.polling.driving import cursor_of, poll

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


def test_a_poll_that_finds_something_new_leaves_a_row_and_others_none(instance, sandbox):
    poll(instance)
    sandbox.clock.advance(MINUTE)
    before = cursor_of(instance)
    sandbox.contacts.edit(3)
    sandbox.contacts.edit(4)
    poll(instance)

    [run] = PollRun.objects.filter(change_count__gt=0)
    after = cursor_of(instance)
    assert (run.instance_id, run.resource, run.error, run.budget) == (instance.pk, "contacts", "", "")
    assert (run.record_count, run.change_count, run.began_at) == (2, 2, after.covered_at)
    assert run.since is not None
    assert run.since <= before.watermark < after.watermark == run.until

    known = PollRun.objects.count()
    poll(instance)  # meets both again
    assert PollRun.objects.count() == known


def test_a_failure_says_whom_it_is_charged_to(instance, sandbox):
    sandbox.behave(status=503)
    poll(instance)

    run = PollRun.objects.get()
    cursor = cursor_of(instance)
    assert (run.error, run.budget, run.since) == (cursor.last_error, "provider_read", cursor.watermark)
    assert (run.record_count, run.change_count, run.until) == (0, 0, None)


def test_a_lost_claim_leaves_no_trace(instance):
    cursor = cursor_of(instance)

    runs.note_failure(Claim(cursor.pk, cursor.epoch + 1), error="late", budget="own")

    assert not PollRun.objects.exists()


def test_old_ones_are_forgotten_in_parts_and_younger_ones_kept(instance, settings):
    settings.TRACE_DAYS = 3
    long_ago = Now() - timedelta(days=3, minutes=1)
    PollRun.objects.bulk_create(PollRun(instance=instance, resource="contacts", began_at=long_ago) for _ in range(5))
    young = PollRun.objects.create(instance=instance, resource="contacts", began_at=Now() - timedelta(days=2, hours=23))

    assert runs.forget_old(at_once=2) == 5
    assert list(PollRun.objects.values_list("pk", flat=True)) == [young.pk]
    assert runs.forget_old(at_once=2) == 0
