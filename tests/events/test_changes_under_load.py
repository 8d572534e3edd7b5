"""Switches, addresses and keys that change while events are recorded and sent by two drains at once."""

from __future__ import annotations

import random
import threading
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise

import pytest
from django.db import connection, transaction
from standardwebhooks import Webhook, WebhookVerificationError

from events import subscriptions
from events.deliver import drain
from events.models import Delivery, Event
from events.received import Notification
from events.receiver import Receiver
from events.record import record
from events.signature_checks import verify_elements, verify_standard
from events.subscriptions import HELD_BACK
from instances import provisioning
from instances.models import Instance
from instances.signing_keys import SigningKey, stored
from tests.events.conftest import POLLED_AT, change, make_instance
from tests.events.draining import with_commits
from tests.waiting import until

SIGNATURE_KEY = "event.notification.signature.key"
TOGGLES = 304
# Between two rounds of a thread, so that the others come to their turns.
PAUSE_SECONDS = 0.02

pytestmark = with_commits


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver.start() as receiver:
        yield receiver


@contextmanager
def again_and_again(*jobs: Callable[[], object]) -> Iterator[None]:
    """Each job over and over in a thread of its own, until the block is left. Raises what a job raised."""
    is_over = threading.Event()
    failures: list[Exception] = []

    def repeat(job: Callable[[], object]) -> None:
        try:
            while not is_over.wait(PAUSE_SECONDS):
                job()
        except Exception as failure:
            failures.append(failure)
        finally:
            connection.close()

    threads = [threading.Thread(target=repeat, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    assert not failures, failures


def publishing(instance: Instance) -> Callable[[], object]:
    """A job that records an event of a record that no one else names, under the lock that all who record take first."""
    numbers = count(1)

    def job() -> None:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT FROM instances_instance WHERE id = %s FOR KEY SHARE", [instance.pk])
            record(instance=instance, changes=[change(next(numbers))], source=Event.POLL, polled_at=POLLED_AT)

    return job


def unpolled(instance: Instance) -> Instance:
    """Changes of its configuration concern deliveries only."""
    return provisioning.update(instance_id=instance.pk, configuration={"event.poller.configuration": {}})


def database_now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        moment: datetime = cursor.fetchone()[0]
        return moment


def event_of(notification: Notification) -> int:
    return int(notification.headers["webhook-id"].removeprefix("evt_"))


def is_valid(notification: Notification, key: str) -> bool:
    """By our own check of Standard Webhooks, which an independent one has to agree with."""
    now = notification.received_at.timestamp()
    ours = verify_standard(notification.headers, notification.raw_body, key.encode(), now=now) == "valid"
    try:
        Webhook("whsec_" + b64encode(key.encode()).decode()).verify(notification.raw_body, dict(notification.headers))
    except WebhookVerificationError:
        assert not ours
        return False
    assert ours
    return True


def is_valid_elements(notification: Notification, key: str) -> bool:
    return verify_elements(notification.headers, notification.raw_body, key.encode()) == "valid"


# Keys


def test_receivers_with_the_old_key_verify_everything_until_it_ends_and_nothing_after(owner, receiver):
    instance = unpolled(make_instance(owner, receiver.url, signature_key="first", signature_legacy="old"))

    def rotate(key: str) -> None:
        provisioning.update(instance_id=instance.pk, configuration={SIGNATURE_KEY: key})
        receiver.wait_for(len(receiver.notifications) + 20)

    with again_and_again(publishing(instance), drain, drain):
        receiver.wait_for(20)
        rotate("second")
        rotate("third")
        in_the_overlap = receiver.notifications
        until_then = database_now() + timedelta(seconds=0.2)
        keys = [SigningKey("third"), SigningKey("second", until_then), SigningKey("first", until_then)]
        Instance.objects.update(signing_keys_encrypted=stored(keys))
        until(lambda: database_now() > until_then)
        receiver.wait_for(len(receiver.notifications) + 20)
    drain()

    assert all(is_valid(one, "first") and is_valid_elements(one, "first") for one in in_the_overlap)
    assert any(is_valid(one, "third") for one in in_the_overlap)
    recorded_after = set(Event.objects.filter(created_at__gt=until_then).values_list("pk", flat=True))
    after = [one for one in receiver.notifications if event_of(one) in recorded_after]
    assert after
    assert all(is_valid(one, "third") and is_valid_elements(one, "third") for one in after)
    assert not any(is_valid(one, key) or is_valid_elements(one, key) for one in after for key in ("first", "second"))


def test_each_attempt_has_the_address_and_the_key_of_one_configuration(owner, receiver):
    def settings_of(number: int) -> dict[str, object]:
        return {
            "event.notification.callback.url": f"{receiver.url}/{number}",
            SIGNATURE_KEY: f"key-{number}",
            "event.notification.signature.overlap.hours": 0,
        }

    instance = unpolled(make_instance(owner, receiver.url, signature_key="key-0"))
    provisioning.update(instance_id=instance.pk, configuration=settings_of(0))
    receiver.behave(status=500, fail_every=5, times=None)
    with again_and_again(publishing(instance), drain, drain):
        for number in range(1, 40):
            provisioning.update(instance_id=instance.pk, configuration=settings_of(number))
        receiver.wait_for(len(receiver.notifications) + 20)

    sent = receiver.notifications
    assert len({one.path for one in sent}) > 10
    assert len(sent) > len({event_of(one) for one in sent}), "none was tried again"
    for one in sent:
        key = "key-" + one.path.removeprefix("/")
        assert is_valid_elements(one, key)
        assert is_valid(one, key)


# The switch


@pytest.fixture
def claimed_at() -> Iterator[Callable[[], dict[int, datetime]]]:
    """When each delivery was claimed last, as the database saw it."""
    with connection.cursor() as cursor:
        cursor.execute(_WATCH)
    try:

        def read() -> dict[int, datetime]:
            with connection.cursor() as cursor:
                cursor.execute("SELECT id, max(at) FROM claims_watched GROUP BY id")
                return dict(cursor.fetchall())

        yield read
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE claims_watched; DROP FUNCTION watch_claims() CASCADE")


_WATCH = """
CREATE TABLE claims_watched (id bigint, at timestamptz);
CREATE FUNCTION watch_claims() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO claims_watched VALUES (NEW.id, statement_timestamp());
    RETURN NULL;
END $$;
CREATE TRIGGER watch_claims AFTER UPDATE ON events_delivery
FOR EACH ROW WHEN (OLD.epoch <> NEW.epoch) EXECUTE FUNCTION watch_claims()
"""


def test_off_lets_go_only_what_was_claimed_before_and_on_leaves_nothing_out(owner, receiver, claimed_at):
    instance = make_instance(owner, receiver.url, signature_key="key")
    chance = random.Random(26)
    switched: list[tuple[datetime, datetime, bool]] = []
    """Before the change and after its commit, by the clock that the database has, too; what it is from then on."""

    def switch(is_on: bool) -> None:
        before = datetime.now(UTC)
        instance.is_events_enabled = is_on
        with transaction.atomic():
            instance.save(update_fields=["is_events_enabled"])
            subscriptions.follow_instance(instance=instance)
        switched.append((before, datetime.now(UTC), is_on))

    with again_and_again(publishing(instance), drain, drain):
        for _ in range(TOGGLES):
            switch(chance.random() < 0.5)
            threading.Event().wait(chance.random() * PAUSE_SECONDS / 2)
        switch(False)
        until(lambda: Delivery.objects.filter(next_attempt_at=HELD_BACK).count() > 2)
        switch(True)
    drain()

    off = [(after, before) for (_, after, is_on), (before, _, _) in pairwise(switched) if not is_on]
    sent = Counter(event_of(one) for one in receiver.notifications)
    claimed = claimed_at()
    delivered = dict(Delivery.objects.filter(state=Delivery.DELIVERED).values_list("event_id", "pk"))
    assert not [
        event_id
        for event_id, delivery_id in delivered.items()
        if any(begin < claimed[delivery_id] < end for begin, end in off)
    ]
    assert sent == dict.fromkeys(Event.objects.values_list("pk", flat=True), 1)
    assert delivered.keys() == sent.keys()
