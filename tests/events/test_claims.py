"""Claims of deliveries: leases, epochs, and what becomes of outcomes whose claim, row or connection is gone."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from config.celery import limit_idle_transactions
from events import claims, outcomes, subscriptions
from events.deliver import drain
from events.models import Delivery, DeliveryAttempt, Event
from events.retries import Verdict
from tests.events.conftest import publish
from tests.events.draining import end_leases, ended, only, with_commits

pytestmark = pytest.mark.django_db


class TestClaims:
    def test_a_claim_is_not_claimed_again_before_its_lease_ends(self, instance, sink):
        publish(instance)
        (claim,) = claims.claim(limit=10)

        assert claims.claim(limit=10) == []
        assert drain().attempts == 0

        end_leases()
        assert drain().delivered == 1
        assert only().epoch == claim.epoch + 1

    def test_the_longest_due_go_first_and_no_more_than_asked_for(self, instance):
        publish(instance, 3)
        late = Delivery.objects.latest("pk")
        Delivery.objects.filter(pk=late.pk).update(next_attempt_at=Now() - timedelta(hours=1))

        assert [claim.delivery_id for claim in claims.claim(limit=1)] == [late.pk]
        assert len(claims.claim(limit=10)) == 2

    @with_commits
    def test_a_delivery_that_somebody_works_on_holds_up_no_claim(self, instance):
        publish(instance, 2)
        first, second = Delivery.objects.order_by("pk")
        with transaction.atomic():
            Delivery.objects.select_for_update().get(pk=first.pk)
            claimed: list[claims.Claim] = []

            def claim() -> None:
                claimed.extend(claims.claim(limit=10))
                connection.close()

            other = threading.Thread(target=claim, daemon=True)
            other.start()
            other.join(10)

            assert [one.delivery_id for one in claimed] == [second.pk]

    def test_released_claims_are_due_at_once(self, instance):
        publish(instance, 2)

        claims.release(claims.claim(limit=10))

        assert len(claims.claim(limit=10)) == 2

    def test_the_outcome_of_a_lost_claim_changes_nothing_but_is_kept(self, instance):
        publish(instance)
        (zombie,) = claims.claim(limit=1)
        end_leases()
        (successor,) = claims.claim(limit=1)

        lost = outcomes.write([ended(zombie, Verdict(state=Delivery.DELIVERED, attempts_made=1))])

        assert lost == [zombie.delivery_id]
        assert (only().state, only().epoch) == (Delivery.PENDING, successor.epoch)
        assert outcomes.write([ended(successor, Verdict(state=Delivery.DELIVERED, attempts_made=1))]) == []
        assert only().state == Delivery.DELIVERED
        assert list(DeliveryAttempt.objects.values_list("number", flat=True)) == [zombie.epoch, successor.epoch]

    @with_commits
    def test_the_drain_tells_of_a_lost_claim_and_goes_on(self, instance, sink, caplog):
        def lose(_received) -> None:
            Delivery.objects.update(epoch=F("epoch") + 1)
            connection.close()

        sink.on_request = lose
        publish(instance)

        drain()

        assert only().state == Delivery.PENDING
        assert "outcome of a lost claim ignored" in [record.message for record in caplog.records]

    def test_an_instance_deleted_meanwhile_takes_its_outcomes_with_it(self, instance, sink):
        publish(instance, 2)
        (first, second) = claims.claim(limit=2)
        with transaction.atomic():
            subscriptions.forget_instance(instance=instance)
            instance.delete()

        success = Verdict(state=Delivery.DELIVERED, attempts_made=1)
        assert sorted(outcomes.write([ended(first, success), ended(second, success)])) == sorted(
            [first.delivery_id, second.delivery_id]
        )
        assert not DeliveryAttempt.objects.exists()
        assert not Event.objects.exists()

    def test_outcomes_are_stored_even_when_the_log_of_attempts_cannot_be(self, instance, sink):
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE events_deliveryattempt ADD CONSTRAINT full_disk CHECK (status <> 200)")
        publish(instance)
        try:
            drain()
        finally:
            with connection.cursor() as cursor:
                cursor.execute("ALTER TABLE events_deliveryattempt DROP CONSTRAINT full_disk")

        assert only().state == Delivery.DELIVERED
        assert not DeliveryAttempt.objects.exists()

    @with_commits
    @pytest.mark.parametrize("look_seconds", [0.02, 0.0], ids=["now and then", "all the time"])
    def test_outcomes_survive_the_loss_of_the_database_connection(self, instance, sink, monkeypatch, look_seconds):
        monkeypatch.setattr("events.clerk.LOOK_SECONDS", look_seconds)

        def cut(_received) -> None:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                    "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
                )
            connection.close()

        publish(instance)
        sink.on_request = cut

        drain()

        assert only().state == Delivery.DELIVERED
        assert len(sink.received) == 1

    def test_a_claim_that_waited_too_long_is_given_back_unsent(self, instance, sink, monkeypatch):
        monkeypatch.setattr("events.deliver.FRESH_SECONDS", -1.0)
        publish(instance)
        rounds = iter([False] * 3)

        drained = drain(is_stopping=lambda: next(rounds, True))

        assert sink.received == []
        assert drained.not_sent >= 1
        assert only().leased_until is None


@with_commits
def test_outcomes_survive_that_the_database_ends_a_transaction_that_was_frozen(instance, monkeypatch):
    """As after a worker was stopped in the middle of one for longer than it may be idle."""
    publish(instance)
    (claim,) = claims.claim(limit=1)
    waits = iter([0.1])

    def freeze(cursor, told):
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 20")
        time.sleep(next(waits, 0))
        return told

    monkeypatch.setattr("events.deactivation.carry_out", freeze)
    outcomes.store([ended(claim, Verdict(state=Delivery.DELIVERED, wait=timedelta(0), attempts_made=1))])

    assert only().state == Delivery.DELIVERED
    assert DeliveryAttempt.objects.count() == 1


@with_commits
def test_workers_may_not_idle_in_a_transaction_for_as_long_as_a_lease():
    limit_idle_transactions(connection)
    with connection.cursor() as cursor:
        cursor.execute("SHOW idle_in_transaction_session_timeout")
        assert cursor.fetchone() == ("30s",)
    connection.close()
