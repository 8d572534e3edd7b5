"""Replays begin each delivery once, at their rate, whatever happens to who runs them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from events import ordering, replay_matches, replays
from events.deliver import drain
from events.models import Circuit, Delivery, Event, Replay, Subscription
from events.record import record
from events.replay_requests import ReplayChange, parse
from instances.errors import Conflict
from instances.models import Instance, Organization
from tests.events.conftest import POLLED_AT, change, make_instance, publish
from tests.events.draining import with_commits
from tests.events.sink import Sink
from tests.waiting import until

pytestmark = pytest.mark.django_db


def ask(instance: Instance, **sent: Any) -> Replay:
    asked = parse({"instanceId": instance.pk, **sent})
    return replays.create(user=instance.user, organization=instance.organization, asked=asked)


def settle(instance: Instance, count: int, *, first: int = 1, state: str = Delivery.DELIVERED) -> list[int]:
    """Events whose deliveries have come to an end, without anything having been sent. Returns the deliveries."""
    publish(instance, count, first=first)
    return end(instance, state=state)


def end(instance: Instance, *, state: str = Delivery.DELIVERED) -> list[int]:
    rows = Delivery.objects.filter(event__instance=instance, state=Delivery.PENDING)
    ids = list(rows.order_by("pk").values_list("pk", flat=True))
    rows.update(state=state, updated_at=Now())
    return ids


def many(instance: Instance, count: int) -> None:
    """So many events with deliveries that have ended, made by the database."""
    (event,) = publish(instance)
    with connection.cursor() as cursor:
        cursor.execute(_MANY, {"like": event.pk, "count": count - 1})
    Delivery.objects.update(state=Delivery.DELIVERED)


def later(replay: Replay, seconds: float) -> None:
    """Let time pass for it."""
    Replay.objects.filter(pk=replay.pk).update(next_step_at=F("next_step_at") - timedelta(seconds=seconds))


def go_on(replay: Replay, seconds: float = 1.0) -> int:
    """A step after so many seconds. Returns how many deliveries it began."""
    later(replay, seconds)
    before = replay.begun
    replays.sweep()
    replay.refresh_from_db()
    return replay.begun - before


def waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        is_waiting: bool = cursor.fetchone()[0]
        return is_waiting


def delivered_ids(sink: Sink) -> Counter[str]:
    return Counter(received.headers["Elements-Webhook-Id"] for received in sink.received)


class TestBeginning:
    def test_each_that_matches_arrives_once_more_as_it_was(self, instance, sink):
        publish(instance, 3)
        drain()
        before = {received.headers["webhook-id"]: received.body for received in sink.received}
        sink.received.clear()

        replay = ask(instance)
        go_on(replay)
        drain()

        assert {received.headers["webhook-id"]: received.body for received in sink.received} == before
        assert len(sink.received) == 3
        assert (replay.total, replay.begun, replay.state) == (3, 3, Replay.FINISHED)
        assert replay.total_bytes == sum(len(body) for body in before.values())
        assert replays.outcomes([replay])[replay.pk] == replays.Outcomes(delivered=3)

    def test_what_is_begun_goes_by_its_own_lane_with_all_its_attempts(self, instance):
        settle(instance, 1, state=Delivery.QUEUED)
        Delivery.objects.update(attempts_made=9, first_failed_at=Now())

        go_on(replay := ask(instance))

        delivery = Delivery.objects.get()
        assert (delivery.state, delivery.lane, delivery.replay_id) == (Delivery.PENDING, Delivery.AGAIN, replay.pk)
        assert (delivery.attempts_made, delivery.first_failed_at) == (0, None)

    def test_the_oldest_go_first(self, instance):
        ids = settle(instance, 5)

        go_on(replay := ask(instance, rate=1), 1.5)

        begun = Delivery.objects.filter(replay=replay).order_by("pk").values_list("pk", flat=True)
        assert list(begun) == ids[:2]
        assert replay.position == ids[1]

    @pytest.mark.parametrize(
        "choose, expected",
        [
            (lambda ids: {"statuses": ["delivered"]}, [0, 1]),
            (lambda ids: {"statuses": ["queued", "retry"]}, [2, 3]),
            (lambda ids: {}, [0, 1, 2]),
            (lambda ids: {"where": "status='queued'"}, [2]),
            (lambda ids: {"where": "channel='email'"}, []),
            (lambda ids: {"deliveryIds": ids[1:3]}, [1, 2]),
        ],
    )
    def test_statuses_ids_and_where_say_which(self, instance, choose, expected):
        ids = settle(instance, 5)
        Delivery.objects.filter(pk=ids[2]).update(state=Delivery.QUEUED)
        Delivery.objects.filter(pk=ids[3]).update(state=Delivery.PENDING, first_failed_at=Now())
        Delivery.objects.filter(pk=ids[4]).update(state=Delivery.PENDING)

        replay = ask(instance, **choose(ids))
        go_on(replay)

        assert replay.total == replay.begun == len(expected)
        begun = Delivery.objects.filter(replay=replay).order_by("pk").values_list("pk", flat=True)
        assert list(begun) == [ids[position] for position in expected]

    def test_a_time_takes_both_its_ends(self, instance):
        settle(instance, 4)
        times = ["09:59:59.999", "10:00:00", "10:59:59.5", "11:00:00"]
        for event, time in zip(Event.objects.order_by("pk"), times, strict=True):
            Event.objects.filter(pk=event.pk).update(created_at=f"2026-11-22T{time}Z")
        asked = parse({"from": "2026-11-22T10:00:00Z", "to": "2026-11-22T10:59:59Z"})

        found = replay_matches.preview(instance.organization, asked.wanted)

        assert found.count == 2
        assert (str(found.first_event_at), str(found.last_event_at)) == (
            "2026-11-22 10:00:00+00:00",
            "2026-11-22 10:59:59.500000+00:00",
        )

    def test_others_events_and_subscriptions_are_left_alone(self, instance, owner, stranger, sink):
        settle(instance, 1)
        neighbour, foreign = make_instance(owner, sink.url), make_instance(stranger, sink.url)
        settle(neighbour, 1)
        settle(foreign, 1)

        asked = parse({"statuses": ["delivered"]})
        replay = replays.create(user=owner, organization=owner.organization, asked=asked)
        go_on(replay)

        assert replay.total == replay.begun == 2
        assert Delivery.objects.get(event__instance=foreign).state == Delivery.DELIVERED
        assert ask(instance, subscriptionId=Subscription.objects.get(instance=neighbour).pk).total == 0

    def test_what_is_recorded_or_delivered_after_it_was_asked_for_is_no_part_of_it(self, instance):
        settle(instance, 1)
        publish(instance, 1, first=2)
        replay = ask(instance)
        end(instance)
        settle(instance, 1, first=3)

        go_on(replay)

        assert (replay.begun, replay.state) == (1, Replay.FINISHED)

    def test_what_is_being_tried_is_passed_over(self, instance):
        settle(instance, 2)
        Delivery.objects.update(state=Delivery.PENDING, first_failed_at=Now())
        replay = ask(instance, statuses=["retry"])
        first = Delivery.objects.order_by("pk").first()
        assert first is not None
        Delivery.objects.filter(pk=first.pk).update(leased_until=Now() + timedelta(seconds=60))

        go_on(replay)

        assert (replay.total, replay.begun) == (2, 1)

    def test_nothing_to_replay_is_over_at_once(self, instance):
        replay = ask(instance)

        assert (replay.state, replay.total) == (Replay.FINISHED, 0)
        assert replay.finished_at is not None

    def test_there_is_room_for_so_many(self, instance, monkeypatch):
        monkeypatch.setattr(replays, "MOST_AT_ONCE", 2)
        settle(instance, 1)
        first, _ = ask(instance), ask(instance)

        with pytest.raises(Conflict, match="2 replays go on already"):
            ask(instance)

        replays.change(first, ReplayChange(state=Replay.CANCELLED, rate=None))
        assert ask(instance).state == Replay.RUNNING


class TestOrder:
    def test_what_waited_in_line_lines_up_again(self, owner, sink):
        instance = make_instance(owner, sink.url, ordering="object")
        with transaction.atomic():
            for version in ("1", "2"):
                record(instance=instance, changes=[change(7, version=version)], source="poll", polled_at=POLLED_AT)
        end(instance, state=Delivery.QUEUED)

        go_on(ask(instance, rate=1000))
        waits = [
            moment == ordering.WAITS
            for moment in Delivery.objects.order_by("pk").values_list("next_attempt_at", flat=True)
        ]
        assert waits == [False, True]
        # The second goes when the first has been taken, be it in the same drain.
        assert drain().delivered + drain().delivered == 2

        assert [received.json["id"] for received in sink.received] == sorted(Event.objects.values_list("pk", flat=True))


class TestDeactivatedSubscriptions:
    @pytest.fixture
    def deactivated(self, instance: Instance, subscription: Subscription) -> Subscription:
        settle(instance, 3, state=Delivery.QUEUED)
        Subscription.objects.filter(pk=subscription.pk).update(state=Subscription.DEACTIVATED)
        return subscription

    def test_their_deliveries_are_passed_over_and_counted(self, instance, deactivated, owner, sink):
        settle(make_instance(owner, sink.url), 2)

        asked = parse({"statuses": ["delivered", "queued"]})
        replay = replays.create(user=owner, organization=owner.organization, asked=asked)
        go_on(replay)

        assert (replay.total, replay.begun, replay.passed_over) == (5, 2, 3)
        assert replay.state == Replay.FINISHED
        deactivated.refresh_from_db()
        assert deactivated.state == Subscription.DEACTIVATED

    def test_on_request_they_are_reactivated(self, instance, deactivated, sink):
        replay = ask(instance, reactivate=True)
        go_on(replay)

        deactivated.refresh_from_db()
        assert deactivated.state == Subscription.ACTIVE
        assert (replay.begun, replay.passed_over) == (3, 0)
        assert drain().delivered == 3

    @with_commits
    def test_subscriptions_are_locked_before_what_counts_replays(self, instance, deactivated):
        """In the order of whoever asks for very many deliveries at the same moment: they cannot wait in a circle."""

        def ask_apart():
            ask(instance, reactivate=True)
            connection.close()

        asking = threading.Thread(target=ask_apart)
        with transaction.atomic():
            Subscription.objects.select_for_update(of=("self",)).get(pk=deactivated.pk)
            asking.start()
            until(waits_for_a_lock)
            Organization.objects.select_for_update(nowait=True).get(pk=instance.organization_id)
        asking.join(10)

        assert Replay.objects.get().total == 3

    def test_those_of_which_nothing_matches_stay_as_they_are(self, instance, deactivated):
        ask(instance, reactivate=True, statuses=["delivered"])

        deactivated.refresh_from_db()
        assert deactivated.state == Subscription.DEACTIVATED


class TestRate:
    def test_it_is_kept_over_time(self, instance):
        many(instance, 200)
        replay = ask(instance, rate=10)
        replays.sweep()
        replay.refresh_from_db()
        first = replay.begun

        begun = []
        for _ in range(5):
            end(instance)
            begun.append(go_on(replay, 1.0))

        assert 1 <= first <= 5
        # The steps themselves take a moment, too.
        assert all(10 <= count <= 15 for count in begun)

    def test_a_long_rest_is_not_made_up_for(self, instance):
        many(instance, 200)
        replay = ask(instance, rate=10)

        assert 20 <= go_on(replay, 3600) <= 21
        end(instance)
        assert go_on(replay, 0) <= 5

    def test_it_does_not_run_ahead_of_what_is_attempted(self, instance):
        many(instance, 200)
        replay = ask(instance, rate=10)

        assert go_on(replay, 5) == 20
        assert go_on(replay, 5) == 0
        Delivery.objects.filter(pk__in=Delivery.objects.filter(replay=replay)[:7]).update(state=Delivery.DELIVERED)
        assert go_on(replay, 5) == 7

    @pytest.mark.parametrize("circuit", [{"state": Circuit.OPEN}, {"paused_until": Now() + timedelta(seconds=60)}])
    def test_a_receiver_that_is_left_alone_holds_up_nothing(self, instance, subscription, circuit):
        many(instance, 100)
        Circuit.objects.create(subscription=subscription, **circuit)
        replay = ask(instance, rate=10)

        assert go_on(replay, 5) == 20
        assert go_on(replay, 5) == 20

    def test_what_waits_for_a_retry_holds_up_nothing(self, instance):
        many(instance, 100)
        replay = ask(instance, rate=10)
        go_on(replay, 5)
        Delivery.objects.filter(replay=replay).update(next_attempt_at=Now() + timedelta(seconds=60))

        assert go_on(replay, 5) == 20

    def test_rows_that_do_not_match_cost_no_time(self, instance, owner, sink, monkeypatch):
        """Steps look through so many rows, and go on at once when none of them was it."""
        monkeypatch.setattr(replays, "LOOKED_AT", 10)
        ids = settle(instance, 1)
        many(make_instance(owner, sink.url), 100)
        ids += settle(instance, 1, first=500)
        replay = ask(instance)

        go_on(replay, 1)

        assert replay.state == Replay.FINISHED
        assert list(Delivery.objects.filter(replay=replay).order_by("pk").values_list("pk", flat=True)) == ids


class TestChanging:
    def test_paused_it_rests_and_resumed_it_goes_on_where_it_was(self, instance, sink):
        many(instance, 50)
        replay = ask(instance, rate=10)
        go_on(replay, 1)
        done = replay.begun

        replay = replays.change(replay, ReplayChange(state=Replay.PAUSED, rate=None))
        assert go_on(replay, 60) == 0
        replay = replays.change(replay, ReplayChange(state=Replay.RUNNING, rate=1000))
        drain()
        go_on(replay, 1)
        drain()

        assert done < 50
        assert replay.state == Replay.FINISHED
        assert len(delivered_ids(sink)) == 50
        assert set(delivered_ids(sink).values()) == {1}

    def test_resumed_it_does_not_make_up_for_its_rest(self, instance):
        many(instance, 50)
        replay = ask(instance, rate=10)
        replay = replays.change(replay, ReplayChange(state=Replay.PAUSED, rate=None))
        later(replay, 3600)

        replay = replays.change(replay, ReplayChange(state=Replay.RUNNING, rate=None))

        assert go_on(replay, 0) <= 5

    def test_cancelled_it_begins_no_more(self, instance):
        many(instance, 50)
        replay = ask(instance, rate=10)
        go_on(replay, 1)

        replay = replays.change(replay, ReplayChange(state=Replay.CANCELLED, rate=None))

        assert replay.finished_at is not None
        assert go_on(replay, 60) == 0
        with pytest.raises(Conflict, match="is cancelled"):
            replays.change(replay, ReplayChange(state=Replay.RUNNING, rate=None))


class TestWhatDies:
    @pytest.mark.stack
    @with_commits
    def test_killed_in_mid_step_it_goes_on_and_every_delivery_arrives_once(self, instance, sink):
        many(instance, 400)
        replay = ask(instance, rate=1000)
        go_on(replay, 0.1)
        before = replay.begun

        assert killed_in_mid_step() == -signal.SIGKILL

        replay.refresh_from_db()
        assert replay.begun == Delivery.objects.filter(replay=replay).count() == before < 400
        live = publish(instance, 3, first=1000)
        while go_on(replay, 1):
            drain()
        drain()

        counts = delivered_ids(sink)
        replayed = {str(pk) for pk in Delivery.objects.filter(replay=replay).values_list("pk", flat=True)}
        assert (len(replayed), replay.begun, replay.state) == (400, 400, Replay.FINISHED)
        assert len(live) == 3
        assert len(counts) == 403
        assert set(counts.values()) == {1}
        assert replays.outcomes([replay])[replay.pk] == replays.Outcomes(delivered=400)

    @with_commits
    def test_two_sweeps_at_once_begin_each_delivery_once(self, instance, sink):
        many(instance, 300)
        replay = ask(instance, rate=1000)
        later(replay, 1)

        sweeps = [threading.Thread(target=_sweep_apart) for _ in range(3)]
        for sweep in sweeps:
            sweep.start()
        for sweep in sweeps:
            sweep.join()
        while go_on(replay, 1):
            pass
        drain()

        assert replay.begun == 300
        assert set(delivered_ids(sink).values()) == {1}
        assert len(sink.received) == 300

    def test_a_worker_that_is_to_stop_begins_nothing(self, instance):
        settle(instance, 1)
        replay = ask(instance)

        replays.sweep(is_stopping=lambda: True)

        replay.refresh_from_db()
        assert replay.begun == 0

    def test_an_instance_that_is_gone_takes_its_part_along(self, instance):
        settle(instance, 3)
        replay = ask(instance, rate=1)
        go_on(replay, 0)
        Delivery.objects.all().delete()

        go_on(replay, 1)

        assert (replay.state, replay.total) == (Replay.FINISHED, 3)


def killed_in_mid_step() -> int:
    """A process of its own that is killed with the step's changes made and not committed. Returns how it ended."""
    script = DYING_PROCESS.format(database=connection.settings_dict["NAME"])
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings", "LOG_LEVEL": "WARNING"}
    return subprocess.run([sys.executable, "-c", script], env=environment, timeout=60, check=False).returncode


DYING_PROCESS = """
import os
import signal

import django
from django.conf import settings

settings.DATABASES["default"]["NAME"] = {database!r}
django.setup()
from django.db import transaction
from events import replays
from events.models import Delivery

with transaction.atomic():
    before = Delivery.objects.filter(lane=Delivery.AGAIN).count()
    replays.sweep()
    if Delivery.objects.filter(lane=Delivery.AGAIN).count() > before:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def _sweep_apart() -> None:
    for _ in range(5):
        Replay.objects.update(next_step_at=Now() - timedelta(seconds=0.1))
        replays.sweep()
    connection.close()


_MANY = """
WITH made AS (
    INSERT INTO events_event (instance_id, source, change_count, body, topic)
    SELECT instance_id, source, change_count, body, topic
    FROM events_event, generate_series(1, %(count)s) WHERE id = %(like)s
    RETURNING id
)
INSERT INTO events_delivery (event_id, subscription_id, organization_id, state, attempts_made, epoch)
SELECT made.id, subscription_id, organization_id, 'delivered', 0, 0
FROM made, events_delivery WHERE event_id = %(like)s
"""
