from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from celery import current_app
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now

from connectors import registry
from connectors.sandbox import Sandbox
from events.models import Decision, SeenChange
from instances import provisioning
from instances.models import Instance
from instances.provisioning import Baseline
from polling import cursors, schedule
from polling.models import PollCursor
from polling.schedule import Claim, LostLease
from tests.polling.conftest import configuration_for, polling

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


def cursor_of(instance: Instance, resource: str = "contacts") -> PollCursor:
    return PollCursor.objects.get(instance=instance, resource=resource)


def resources_of(instance: Instance) -> list[str]:
    return sorted(PollCursor.objects.filter(instance=instance).values_list("resource", flat=True))


def seconds_until_due(cursor: PollCursor) -> float:
    row = PollCursor.objects.annotate(left=F("next_poll_at") - Now()).get(pk=cursor.pk)
    return row.left.total_seconds()  # type: ignore[no-any-return]


def begun(instance: Instance, resource: str = "contacts") -> Claim:
    """A claim that a poll works under."""
    cursor = cursor_of(instance, resource)
    PollCursor.objects.filter(pk=cursor.pk).update(next_poll_at=Now(), leased_until=None)
    [claimed] = [one for one in schedule.claim(limit=100) if one.cursor_id == cursor.pk]
    return schedule.begin(claimed)


def change(instance: Instance, **configuration: object) -> Instance:
    return provisioning.update(
        instance_id=instance.pk, configuration={key.replace("__", "."): value for key, value in configuration.items()}
    )


def events(instance: Instance, is_on: bool) -> Instance:
    return provisioning.update(instance_id=instance.pk, configuration={"event.notification.enabled": is_on})


# Cursors follow the configuration


def test_a_new_instance_is_due_at_once_from_the_providers_clock_and_highest_ids(connect, sandbox):
    sandbox.clock.advance(timedelta(minutes=-10))
    instance = connect(sandbox, **polling("contacts", "incidents"))

    clock = sandbox.clock.now().replace(microsecond=0)
    assert [
        (cursor.resource, cursor.watermark, cursor.baseline_at, cursor.known_id, cursor.is_baseline_read)
        for cursor in PollCursor.objects.order_by("resource")
    ] == [
        ("contacts", clock, clock, max(sandbox.contacts.ids()), False),
        ("incidents", clock, clock, max(sandbox.tickets.ids()), False),
    ]
    assert {one.cursor_id for one in schedule.claim(limit=9)} == set(
        PollCursor.objects.filter(instance=instance).values_list("pk", flat=True)
    )


def test_an_instance_without_events_has_no_cursors(connect, sandbox):
    instance = connect(sandbox, **{"event.notification.enabled": False})

    assert resources_of(instance) == []


def test_events_off_deletes_cursors_and_on_again_begins_at_that_moment(instance, sandbox):
    events(instance, False)
    assert resources_of(instance) == []

    sandbox.clock.advance(timedelta(hours=1))
    sandbox.contacts.add()
    events(instance, True)

    cursor = cursor_of(instance)
    assert cursor.watermark == sandbox.clock.now().replace(microsecond=0)
    assert cursor.known_id == max(sandbox.contacts.ids())


def test_added_resources_begin_now_removed_ones_go_and_the_rest_stay_where_they_were(instance, sandbox):
    before = cursor_of(instance)
    sandbox.clock.advance(timedelta(hours=1))
    change(instance, event__poller__configuration=["contacts", "incidents"])

    after = cursor_of(instance)
    assert (after.pk, after.watermark, after.known_id) == (before.pk, before.watermark, before.known_id)
    assert cursor_of(instance, "incidents").watermark == sandbox.clock.now().replace(microsecond=0)

    change(instance, event__poller__configuration=["incidents"])
    assert resources_of(instance) == ["incidents"]


def test_a_name_that_comes_to_stand_for_another_resource_begins_anew(instance, sandbox):
    companies = registry.element("connectwisecrmrest").poller_configuration["organizations"]
    sandbox.clock.advance(timedelta(hours=1))
    change(instance, event__poller__configuration={"contacts": companies})

    cursor = cursor_of(instance)
    assert cursor.watermark == sandbox.clock.now().replace(microsecond=0)
    assert cursor.known_id == max(sandbox.companies.ids())


def test_another_provider_account_starts_over_and_forgets_the_ledger(instance, sandbox):
    SeenChange.objects.create(
        instance=instance, object_type="contacts", object_id="1", version="v", content_hash=b"0" * 16
    )
    Decision.objects.create(instance=instance, object_type="contacts", object_id="1", source="poll", decision="no_id")
    PollCursor.objects.update(is_baseline_read=True)
    with Sandbox.start(contacts=3, companies=0, tickets=0) as other:
        other.clock.advance(timedelta(hours=-5))
        other.clock.freeze()
        provisioning.update(instance_id=instance.pk, configuration=configuration_for(other))

        cursor = cursor_of(instance)
        assert cursor.watermark == cursor.baseline_at == other.clock.now().replace(microsecond=0)
        assert (cursor.known_id, cursor.is_baseline_read) == (max(other.contacts.ids()), False)
    assert not SeenChange.objects.exists()
    assert not Decision.objects.exists()


def test_disabling_stops_and_enabling_goes_on_from_the_watermark(instance, sandbox):
    before = cursor_of(instance)
    claimed = begun(instance)
    provisioning.disable(instance_id=instance.pk)

    stopped = cursor_of(instance)
    assert (stopped.is_active, stopped.stopped_reason) == (False, "The instance is disabled.")
    assert schedule.claim(limit=9) == []
    with pytest.raises(LostLease):
        schedule.renew(claimed)

    sandbox.clock.advance(timedelta(days=2))
    provisioning.enable(instance_id=instance.pk)
    resumed = cursor_of(instance)
    assert (resumed.watermark, resumed.known_id) == (before.watermark, before.known_id)
    assert (resumed.is_active, resumed.stopped_reason) == (True, "")
    assert len(schedule.claim(limit=9)) == 1


def test_what_changes_while_an_instance_is_disabled_begins_when_it_is_enabled(instance, sandbox):
    provisioning.disable(instance_id=instance.pk)
    change(instance, event__poller__configuration=["contacts", "incidents"])
    assert schedule.claim(limit=9) == []

    sandbox.clock.advance(timedelta(hours=1))
    provisioning.enable(instance_id=instance.pk)

    assert resources_of(instance) == ["contacts", "incidents"]
    assert cursor_of(instance, "incidents").watermark == sandbox.clock.now().replace(microsecond=0)


def test_another_account_while_disabled_begins_when_enabled(instance, sandbox):
    provisioning.disable(instance_id=instance.pk)
    with Sandbox.start(contacts=3, companies=0, tickets=0) as other:
        provisioning.update(instance_id=instance.pk, configuration=configuration_for(other))
        assert resources_of(instance) == []
        provisioning.enable(instance_id=instance.pk)

    assert cursor_of(instance).known_id == 3


def test_a_changed_configuration_forgets_failures_and_stops_and_is_polled_at_once(instance):
    PollCursor.objects.update(
        is_active=False,
        stopped_reason="Stopped after 100 polls",
        failures=100,
        last_error="down",
        next_poll_at=Now() + timedelta(hours=1),
    )
    epoch = cursor_of(instance).epoch
    change(instance, event__poller__refresh_interval=5)

    cursor = cursor_of(instance)
    assert (cursor.is_active, cursor.stopped_reason, cursor.failures, cursor.last_error) == (True, "", 0, "")
    assert cursor.epoch > epoch
    assert len(schedule.claim(limit=9)) == 1


def test_a_deleted_instance_leaves_no_cursor_and_no_claim(instance):
    claimed = begun(instance)
    provisioning.delete(instance_id=instance.pk)

    assert not PollCursor.objects.exists()
    with pytest.raises(LostLease):
        schedule.renew(claimed)


def test_a_cursor_never_begins_without_a_baseline(instance):
    PollCursor.objects.all().delete()
    with pytest.raises(ValueError, match="no baseline"):
        cursors.follow(instance=instance, baseline=None, starts_over=False)
    cursors.follow(instance=instance, baseline=Baseline(clock=instance.created_at, highest_ids={}), starts_over=False)
    assert cursor_of(instance).known_id is None


@pytest.mark.django_db(transaction=True)
def test_saving_an_instance_rings_for_its_first_poll(instance):
    with current_app.connection_for_read() as broker, broker.SimpleQueue("polling") as queue:
        message = queue.get(timeout=5)
        message.ack()
    assert message.headers["task"] == "polling.tasks.sweep"


# Claims


def test_a_claim_is_exclusive_until_it_ends(instance):
    [claimed] = schedule.claim(limit=9)
    assert schedule.claim(limit=9) == []

    PollCursor.objects.update(leased_until=Now())
    [again] = schedule.claim(limit=9)
    assert (again.cursor_id, again.epoch) == (claimed.cursor_id, claimed.epoch + 1)
    with pytest.raises(LostLease):
        schedule.begin(claimed)


def test_a_doubled_message_finds_its_claim_used(instance):
    [claimed] = schedule.claim(limit=9)
    schedule.renew(schedule.begin(claimed))
    with pytest.raises(LostLease):
        schedule.begin(claimed)


def test_a_claim_that_waited_past_its_lease_is_good_while_nobody_took_it(instance):
    [claimed] = schedule.claim(limit=9)
    PollCursor.objects.update(leased_until=Now() - timedelta(hours=1))

    schedule.begin(claimed)
    assert schedule.claim(limit=9) == []


def test_the_longest_due_come_first(connect, sandbox):
    ids = []
    for minutes in (5, 30, 10):
        made = connect(sandbox)
        PollCursor.objects.filter(instance=made).update(next_poll_at=Now() - timedelta(minutes=minutes))
        ids.append(cursor_of(made).pk)

    assert [schedule.claim(limit=1)[0].cursor_id for _ in ids] == [ids[1], ids[2], ids[0]]


@pytest.mark.django_db(transaction=True)
def test_sweeps_side_by_side_claim_disjointly_and_leave_nothing(instance):
    template = cursor_of(instance)
    PollCursor.objects.bulk_create(
        PollCursor(
            instance=instance, resource=f"r{number}", watermark=template.watermark, baseline_at=template.baseline_at
        )
        for number in range(400)
    )
    taken: list[Claim] = []
    barrier = threading.Barrier(4)

    def sweep() -> None:
        try:
            barrier.wait(10)
            while claims := schedule.claim(limit=23):
                taken.extend(claims)
        finally:
            connection.close()

    threads = [threading.Thread(target=sweep) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(one.cursor_id for one in taken) == sorted(PollCursor.objects.values_list("pk", flat=True))


def test_released_claims_are_due_again(instance):
    claims = schedule.claim(limit=9)
    schedule.release(claims)

    assert [one.cursor_id for one in schedule.claim(limit=9)] == [one.cursor_id for one in claims]
    with pytest.raises(LostLease):
        schedule.begin(claims[0])


# Outcomes


def test_success_waits_for_the_interval_and_forgets_failures(instance):
    PollCursor.objects.update(failures=7, last_error="down")
    claimed = begun(instance)
    cursor = cursor_of(instance)
    schedule.succeeded(
        claimed,
        interval=15 * MINUTE,
        watermark=cursor.watermark,
        remembered_since=cursor.watermark,
        known_id=77,
        change_count=3,
    )

    cursor = cursor_of(instance)
    assert 14.9 * 60 < seconds_until_due(cursor) <= 15 * 60
    assert (cursor.failures, cursor.last_error, cursor.known_id, cursor.last_change_count) == (0, "", 77, 3)
    assert cursor.is_baseline_read
    assert cursor.leased_until is None
    with pytest.raises(LostLease):
        schedule.succeeded(
            claimed,
            interval=MINUTE,
            watermark=cursor.watermark,
            remembered_since=cursor.watermark,
            known_id=1,
            change_count=0,
        )


def test_no_interval_is_shorter_than_the_floor(instance, settings):
    settings.POLL_INTERVAL_FLOOR = 40
    cursor = cursor_of(instance)
    schedule.succeeded(
        begun(instance),
        interval=timedelta(seconds=1),
        watermark=cursor.watermark,
        remembered_since=cursor.watermark,
        known_id=None,
        change_count=0,
    )
    assert 39 < seconds_until_due(cursor) <= 40


def test_failures_back_off_up_to_the_interval_and_never_move_the_watermark(instance, settings):
    settings.POLL_INTERVAL_FLOOR = 30
    watermark = cursor_of(instance).watermark
    waits = []
    for number in range(1, 8):
        schedule.failed(begun(instance), interval=15 * MINUTE, error="ConnectWise is down")
        cursor = cursor_of(instance)
        assert (cursor.failures, cursor.last_error, cursor.watermark) == (number, "ConnectWise is down", watermark)
        waits.append(seconds_until_due(cursor))

    for wait, expected in zip(waits, [30, 60, 120, 240, 480, 900, 900], strict=True):
        assert expected - 1 < wait <= expected * 1.1


def test_a_provider_that_names_a_time_is_not_asked_before(instance):
    schedule.failed(begun(instance), interval=15 * MINUTE, error="503", not_before=timedelta(hours=2))
    assert 7199 < seconds_until_due(cursor_of(instance)) <= 7200


def test_a_lost_claim_counts_no_failure(instance):
    claimed = begun(instance)
    PollCursor.objects.update(epoch=F("epoch") + 1)
    schedule.failed(claimed, interval=MINUTE, error="down")

    assert (cursor_of(instance).failures, cursor_of(instance).last_error) == (0, "")


def test_too_many_failures_of_one_resource_stop_the_whole_instance_until_it_is_enabled(connect, sandbox, settings):
    settings.POLL_FAILURES_BEFORE_DISABLING = 3
    instance = connect(sandbox, **polling("contacts", "incidents"))
    other = connect(sandbox)
    for _ in range(3):
        schedule.failed(begun(instance, "incidents"), interval=MINUTE, error="down")

    reasons = set(
        PollCursor.objects.filter(instance=instance, is_active=False).values_list("resource", "stopped_reason")
    )
    reason = "Stopped after 3 polls of incidents failed in a row, the last one with: down"
    assert reasons == {("contacts", reason), ("incidents", reason)}
    assert cursor_of(other).is_active

    provisioning.enable(instance_id=instance.pk)
    assert set(PollCursor.objects.filter(instance=instance).values_list("is_active", "failures", "stopped_reason")) == {
        (True, 0, "")
    }


def test_a_closed_resource_stops_alone(connect, sandbox, settings):
    settings.POLL_FAILURES_BEFORE_DISABLING = 2
    instance = connect(sandbox, **polling("contacts", "incidents"))
    for _ in range(2):
        schedule.permission_refused(begun(instance, "incidents"), interval=MINUTE, error="closed")

    assert not cursor_of(instance, "incidents").is_active
    assert cursor_of(instance, "incidents").stopped_reason == "Stopped after 2 refusals in a row, the last one: closed"
    assert cursor_of(instance, "contacts").is_active


def test_a_rate_limit_pauses_the_account_and_a_queued_claim_of_it_waits_too(connect, sandbox, stranger):
    first = connect(sandbox)
    same_account = connect(sandbox, user=stranger)
    with Sandbox.start(contacts=1, companies=0, tickets=0) as other:
        elsewhere = connect(other)
    claims = {one.cursor_id: one for one in schedule.claim(limit=9)}
    limited = schedule.begin(claims[cursor_of(first).pk])
    schedule.rate_limited(
        limited, provider_account=first.provider_account, retry_after=timedelta(seconds=90), error="429"
    )

    for paused in (first, same_account):
        assert 89 < seconds_until_due(cursor_of(paused)) <= 91
    assert cursor_of(first).failures == 0
    assert cursor_of(first).last_error == "429"
    assert seconds_until_due(cursor_of(elsewhere)) <= 0
    with pytest.raises(LostLease):
        schedule.begin(claims[cursor_of(same_account).pk])
    assert cursor_of(same_account).leased_until is None  # so it is claimed as soon as the pause is over


def test_a_poll_that_succeeds_during_a_pause_of_its_account_still_waits(connect, sandbox):
    limited, lucky = connect(sandbox), connect(sandbox)
    running = begun(lucky)
    schedule.rate_limited(
        begun(limited),
        provider_account=limited.provider_account,
        retry_after=timedelta(minutes=5),
        error="429",
    )
    cursor = cursor_of(lucky)
    schedule.succeeded(
        running,
        interval=MINUTE,
        watermark=cursor.watermark,
        remembered_since=cursor.watermark,
        known_id=None,
        change_count=0,
    )

    assert 299 < seconds_until_due(cursor) <= 301


def test_an_absurd_pause_ends_after_a_day(instance):
    schedule.rate_limited(
        begun(instance), provider_account=instance.provider_account, retry_after=timedelta(days=900), error="429"
    )
    assert seconds_until_due(cursor_of(instance)) <= 86_401


def test_refused_credentials_stop_the_instance_and_only_it(connect, sandbox):
    instance = connect(sandbox, **polling("contacts", "incidents"))
    other = connect(sandbox)
    schedule.credentials_refused(begun(instance), instance_id=instance.pk, error="ConnectWise refused the credentials")

    instance.refresh_from_db()
    assert (instance.is_valid, instance.invalid_reason) == (False, "ConnectWise refused the credentials")
    assert set(PollCursor.objects.filter(instance=instance).values_list("is_active", flat=True)) == {False}
    assert cursor_of(other).is_active


def test_refused_credentials_that_were_replaced_meanwhile_stop_nothing(instance):
    claimed = begun(instance)
    change(instance, event__poller__refresh_interval=2)
    with pytest.raises(LostLease):
        schedule.credentials_refused(claimed, instance_id=instance.pk, error="refused")

    instance.refresh_from_db()
    assert instance.is_valid
    assert cursor_of(instance).is_active


def test_poll_now_makes_due_but_wakes_nothing_that_was_stopped(connect, sandbox):
    waiting, stopped = cursor_of(connect(sandbox)), cursor_of(connect(sandbox))
    PollCursor.objects.update(next_poll_at=Now() + timedelta(hours=1))
    PollCursor.objects.filter(pk=stopped.pk).update(is_active=False)

    assert schedule.poll_now([waiting.pk, stopped.pk]) == 1
    assert [one.cursor_id for one in schedule.claim(limit=9)] == [waiting.pk]
