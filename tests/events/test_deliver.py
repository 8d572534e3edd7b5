"""The drain, over real HTTP to receivers on loopback."""

from __future__ import annotations

import logging
import threading
import time
from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.fernet import Fernet
from django.db import connection
from django.db.models.functions import Now
from standardwebhooks import Webhook

from events import retries
from events.deliver import drain
from events.models import Delivery, DeliveryAttempt, Subscription
from instances.encryption import encrypt_json
from instances.models import Instance, Organization
from tests.events.conftest import KEY, make_instance, publish
from tests.events.draining import drain_apart, end_leases, make_due, only, wait_of, with_commits
from tests.events.sink import Sink
from tests.factories import InstanceFactory

pytestmark = pytest.mark.django_db


class TestDelivering:
    def test_the_stored_bytes_arrive_signed_and_the_outcome_is_written(self, instance, sink):
        (event,) = publish(instance)

        drained = drain()

        (received,) = sink.received
        delivery, attempt = only(), DeliveryAttempt.objects.get()
        assert (drained.attempts, drained.delivered) == (1, 1)
        assert received.body == bytes(event.body)
        assert received.headers["Content-Type"] == "application/json"
        assert received.headers["User-Agent"].startswith("Switchyard/")
        assert received.headers["Elements-Webhook-Id"] == str(delivery.pk)
        assert received.headers["webhook-id"] == f"evt_{event.pk}"
        verifier = Webhook("whsec_" + b64encode(KEY.encode()).decode())
        assert verifier.verify(received.body, received.headers)["id"] == event.pk
        assert (delivery.state, delivery.attempts_made, delivery.leased_until) == (Delivery.DELIVERED, 1, None)
        assert (attempt.number, attempt.status, attempt.error_class) == (1, 200, "")
        assert attempt.response_excerpt == "{}"

    def test_nothing_due_is_nothing_done(self, instance, sink):
        assert drain().attempts == 0

    def test_what_is_delivered_is_not_sent_again(self, instance, sink):
        publish(instance, 3)

        drain()
        drain()

        assert len(sink.received) == 3

    def test_it_goes_on_while_anything_is_due(self, instance, sink, settings):
        settings.DELIVERY_CONCURRENCY = 4
        publish(instance, 60)

        assert drain().delivered == 60
        assert len({received.headers["Elements-Webhook-Id"] for received in sink.received}) == 60

    def test_it_ends_only_when_a_claim_found_less_than_it_asked_for(self, instance, sink, monkeypatch, settings):
        settings.DELIVERY_CONCURRENCY = 1
        monkeypatch.setattr("events.clerk.LOOK_SECONDS", 60.0)
        publish(instance, 5)

        assert drain().delivered == 5

    def test_instances_without_a_key_are_not_signed(self, owner, sink):
        publish(make_instance(owner, sink.url))

        drain()

        (received,) = sink.received
        assert not {"Elements-Webhook-Signature", "webhook-signature"} & set(received.headers)

    def test_every_key_of_a_rotation_signs(self, instance, sink):
        Instance.objects.update(signing_keys_encrypted=encrypt_json(["the new key", KEY]))
        publish(instance)

        drain()

        (received,) = sink.received
        for key in ("the new key", KEY):
            Webhook("whsec_" + b64encode(key.encode()).decode()).verify(received.body, received.headers)

    @with_commits
    def test_no_transaction_is_open_while_a_receiver_thinks(self, instance, sink, monkeypatch):
        # No look for more meanwhile, which a slow machine would be met at.
        monkeypatch.setattr("events.clerk.LOOK_SECONDS", 60.0)
        states: list[str] = []

        def look(_received) -> None:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT state FROM pg_stat_activity WHERE datname = current_database() "
                    "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
                )
                states.extend(state for (state,) in cursor)
            connection.close()

        sink.on_request = look
        publish(instance)

        drain()

        assert states == ["idle"]

    @with_commits
    def test_drains_side_by_side_send_each_delivery_once(self, instance, sink):
        publish(instance, 200)
        results = []

        def run() -> None:
            results.append(drain())
            connection.close()

        threads = [threading.Thread(target=run) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sum(result.delivered for result in results) == 200
        assert len(sink.received) == 200

    @with_commits
    def test_one_receiver_that_hangs_does_not_hold_up_the_others(self, owner, instance, sink):
        with Sink() as hanging:
            hanging.hang()
            arrived = threading.Event()
            sink.on_request = lambda _received: arrived.set() if len(sink.received) == 200 else None
            publish(make_instance(owner, hanging.url), 1)
            publish(instance, 200)
            runner = threading.Thread(target=drain_apart)
            runner.start()

            assert arrived.wait(10)
            deadline = time.monotonic() + 5
            while Delivery.objects.filter(state=Delivery.DELIVERED).count() < 200 and time.monotonic() < deadline:
                pass
            assert Delivery.objects.filter(state=Delivery.DELIVERED).count() == 200
            assert runner.is_alive()

            publish(instance, 1, first=500)
            deadline = time.monotonic() + 5
            while len(sink.received) < 201 and time.monotonic() < deadline:
                pass
            assert len(sink.received) == 201
            hanging.let_go.set()
            runner.join()

    @with_commits
    def test_an_answer_counts_for_the_claim_that_its_request_was_made_for(self, instance, sink):
        """A worker that was frozen finds its own delivery due while the request for it is still under way."""
        sink.hang()

        def claim_anew(_received) -> None:
            if len(sink.received) == 1:
                end_leases()
                connection.close()
            else:
                sink.let_go.set()

        sink.on_request = claim_anew
        publish(instance)

        assert drain().attempts == len(sink.received) == 2
        assert (only().state, only().attempts_made) == (Delivery.DELIVERED, 1)
        assert sorted(DeliveryAttempt.objects.values_list("number", flat=True)) == [1, 2]

    def test_a_long_backlog_of_one_organization_does_not_hold_up_another(self, owner, instance, sink):
        (event,) = publish(instance)
        with connection.cursor() as cursor:
            # What they refer to is there: looking it up row by row is most of the work.
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute(
                """WITH copies AS (
                    INSERT INTO events_event (instance_id, source, change_count, body)
                    SELECT instance_id, source, 1, '{}' FROM events_event, generate_series(1, 100000) WHERE id = %s
                    RETURNING id
                ) INSERT INTO events_delivery (event_id, subscription_id, organization_id, state, attempts_made, epoch)
                SELECT copies.id, subscription_id, organization_id, 'pending', 0, 0 FROM events_delivery, copies""",
                [event.pk],
            )
            cursor.execute("SET LOCAL session_replication_role = DEFAULT")
        with Sink() as other:
            publish(make_instance(InstanceFactory.create().user, other.url), 1, first=500)

            drain(is_stopping=lambda: bool(other.received) or len(sink.received) > 2000)

            assert len(other.received) == 1
            assert 0 < len(sink.received) < 1000


class TestFailing:
    @pytest.mark.parametrize(
        "status, error_class",
        [(500, "http_5xx"), (404, "http_4xx"), (302, "redirect"), (429, "http_4xx")],
    )
    def test_a_refusal_is_tried_again_after_four_seconds(self, instance, sink, status, error_class):
        sink.answer(status, headers=(("Location", "http://127.0.0.1:1/"),))
        publish(instance)

        assert drain().delivered == 0

        delivery, attempt = only(), DeliveryAttempt.objects.get()
        assert (delivery.state, delivery.attempts_made) == (Delivery.PENDING, 1)
        assert 4.0 <= wait_of(delivery) < 8.1
        assert (attempt.status, attempt.error_class) == (status, error_class)
        assert len(sink.received) == 1

    def test_a_receiver_that_is_down_is_tried_again(self, owner):
        with Sink() as gone:
            instance = make_instance(owner, gone.url)
        publish(instance)

        drain()

        attempt = DeliveryAttempt.objects.get()
        assert (attempt.status, attempt.error_class) == (None, "connect")
        assert only().state == Delivery.PENDING

    def test_a_private_address_is_never_connected_to(self, owner, sink, settings):
        publish(make_instance(owner, sink.url))
        settings.EGRESS_ALLOW_NETWORKS = []

        drain()

        assert sink.received == []
        assert DeliveryAttempt.objects.get().error_class == "refused_destination"

    def test_the_same_body_goes_out_at_every_attempt(self, instance, sink):
        sink.answer(500, 200)
        publish(instance)

        drain()
        make_due()
        drain()

        first, second = sink.received
        assert first.body == second.body
        assert first.headers["Elements-Webhook-Id"] == second.headers["Elements-Webhook-Id"]
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        assert only().state == Delivery.DELIVERED
        assert list(DeliveryAttempt.objects.order_by("pk").values_list("number", "status")) == [(1, 500), (2, 200)]

    def test_steps_count_from_the_first_failure(self, instance, sink):
        sink.answer(500)
        publish(instance)
        drain()
        Delivery.objects.update(first_failed_at=Now() - timedelta(seconds=64), attempts_made=3)
        make_due()

        drain()

        assert 191.0 <= wait_of(only()) <= 192 * 1.1

    @pytest.mark.parametrize("status, charged", [(429, 0), (503, 1)])
    def test_retry_after_is_obeyed(self, instance, sink, status, charged):
        sink.answer(status, headers=(("Retry-After", "120"),))
        publish(instance)

        drain()

        assert 120.0 <= wait_of(only()) <= 132.0
        assert only().attempts_made == charged

    def test_retry_after_may_be_a_date(self, instance, sink):
        moment = datetime.now(UTC) + timedelta(minutes=10)
        sink.answer(503, headers=(("Retry-After", moment.strftime("%a, %d %b %Y %H:%M:%S GMT")),))
        publish(instance)

        drain()

        assert 590.0 <= wait_of(only()) <= 661.0

    def test_after_the_last_retry_the_subscription_is_deactivated_and_everything_of_it_queued(
        self, instance, subscription, sink
    ):
        sink.answer(500)
        publish(instance, 2)
        waiting, exhausted = Delivery.objects.order_by("pk")
        Delivery.objects.filter(pk=exhausted.pk).update(
            attempts_made=9, first_failed_at=Now() - timedelta(seconds=262144)
        )
        Delivery.objects.filter(pk=waiting.pk).update(next_attempt_at=Now() + timedelta(hours=1))

        drain()
        publish(instance, 1, first=50)

        subscription.refresh_from_db()
        assert subscription.state == Subscription.DEACTIVATED
        assert "HTTP 500" in subscription.deactivated_reason
        assert set(Delivery.objects.values_list("state", flat=True)) == {Delivery.QUEUED}
        assert Organization.objects.get(pk=instance.organization_id).failure_policy == Organization.RETRY
        sink.answer(200)
        assert drain().attempts == 0

    def test_410_deactivates_at_once(self, instance, subscription, sink):
        sink.answer(410)
        publish(instance)

        drain()

        subscription.refresh_from_db()
        assert (subscription.state, only().state) == (Subscription.DEACTIVATED, Delivery.QUEUED)

    def test_under_the_queue_policy_a_failure_is_queued_and_stays_so(self, instance, subscription, sink):
        Organization.objects.update(failure_policy=Organization.QUEUE)
        sink.answer(500, 200)
        publish(instance)

        drain()
        make_due()
        drain()

        subscription.refresh_from_db()
        assert (only().state, subscription.state) == (Delivery.QUEUED, Subscription.ACTIVE)
        assert len(sink.received) == 1

    def test_a_key_we_cannot_read_stops_the_delivery_and_costs_nothing(self, instance, sink, settings, caplog):
        publish(instance)
        settings.FERNET_KEYS = [Fernet.generate_key().decode()]

        with caplog.at_level(logging.ERROR, "events.deliver"):
            drain()

        assert sink.received == []
        assert (only().state, only().attempts_made, only().first_failed_at) == (Delivery.PENDING, 0, None)
        assert only().next_attempt_at > only().created_at + retries.OWN_FAULT_WAIT / 2
        assert not DeliveryAttempt.objects.exists()
        assert any("signing key not readable" in record.message for record in caplog.records)

    def test_answers_with_nul_and_broken_text_are_kept(self, instance, sink):
        sink.answer(500, body=b"\x00\xff<script>")
        publish(instance)

        drain()

        assert DeliveryAttempt.objects.get().response_excerpt == "��<script>"

    def test_logs_tell_ids_and_no_bodies_or_query_strings(self, owner, sink, caplog):
        sink.answer(500, body=b"canary-answer")
        publish(make_instance(owner, sink.url + "?secret=canary-query", signature_key="canary-key"))

        with caplog.at_level(logging.DEBUG):
            drain()

        (failure,) = [record for record in caplog.records if record.message == "attempt failed"]
        assert vars(failure)["delivery"] == only().pk
        assert "canary" not in "".join(str(vars(record)) for record in caplog.records)


class TestStopping:
    def test_what_is_under_way_is_finished_and_the_rest_given_back(self, instance, sink, settings):
        settings.DELIVERY_CONCURRENCY = 2
        sink.hang()
        publish(instance, 6)
        stopping = threading.Event()
        sink.on_request = lambda _received: stopping.set() if len(sink.received) == 2 else None

        def is_stopping() -> bool:
            if stopping.is_set():
                sink.let_go.set()
            return stopping.is_set()

        drained = drain(is_stopping=is_stopping)

        assert (drained.delivered, len(sink.received)) == (2, 2)
        assert Delivery.objects.filter(state=Delivery.PENDING, leased_until=None).count() == 4
        assert drain().delivered == 4

    def test_a_receiver_that_hangs_does_not_hold_up_the_stop(self, instance, sink, monkeypatch):
        monkeypatch.setattr("events.deliver.STOP_SECONDS", 0.1)
        sink.hang()
        publish(instance)
        stopping = threading.Event()
        sink.on_request = lambda _received: stopping.set()

        drained = drain(is_stopping=stopping.is_set)

        assert drained.attempts == 0
        assert only().leased_until is None
        sink.let_go.set()
        sink.on_request = lambda received: None
        assert drain().delivered == 1
