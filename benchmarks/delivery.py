"""Stored events to recorded outcomes: the drain, against the bare client and against one task per delivery."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import orjson
import pycurl

from benchmarks.harness import interleaved, process, ratio, seconds, sink, table

EVENTS = 5000
NAIVE_EVENTS = 300
ROUNDS = 5
IN_FLIGHT = 200
SLOW_MS = 50
SLOW_IN_FLIGHT = 500
KEY = "a-signature-key-of-the-benchmark"


def body_of(event_id: int) -> bytes:
    """About 1.5 KB, the size of a notification with one contact."""
    contact = {
        "id": event_id,
        "firstName": "Zoë",
        "notes": "x" * 1100,
        "_info": {"lastUpdated": "2026-11-22T10:00:00Z"},
    }
    return orjson.dumps({"id": event_id, "message": {"eventId": str(event_id), "raw": {"contacts": [contact]}}})


def make_instance(url: str) -> tuple[int, int, int]:
    """An organization with one subscribed instance: ids of instance, subscription and organization."""
    from events.models import Subscription
    from instances.encryption import encrypt_json, fingerprint, new_secret
    from instances.models import Instance, Organization, User

    organization = Organization.objects.create(name=new_secret(), secret_hash=fingerprint(new_secret()))
    user = User.objects.create(email=f"{organization.pk}@example.com", organization=organization)
    instance = Instance.objects.create(
        organization=organization,
        user=user,
        element_key="connectwisecrmrest",
        name="bench",
        token_hash=fingerprint(new_secret()),
        is_events_enabled=True,
        callback_url=url,
        signing_keys_encrypted=encrypt_json([KEY]),
    )
    subscription = Subscription.objects.create(
        organization=organization, instance=instance, topics=[instance.topic], url=url
    )
    return instance.pk, subscription.pk, organization.pk


def store(count: int, instance: int, subscription: int, organization: int) -> list[int]:
    """Due deliveries of `count` stored events; their ids. What earlier rounds left is removed."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE events_deliveryattempt, events_delivery, events_event RESTART IDENTITY CASCADE")
        cursor.execute("CHECKPOINT")
        copied = cursor.copy("COPY events_event (instance_id, source, change_count, body) FROM STDIN")
        with copied as copy:
            for number in range(1, count + 1):
                copy.write_row((instance, "poll", 1, body_of(number)))
        cursor.execute(
            "INSERT INTO events_delivery (event_id, subscription_id, organization_id, state, attempts_made, epoch)"
            " SELECT id, %s, %s, 'pending', 0, 0 FROM events_event ORDER BY id RETURNING id",
            [subscription, organization],
        )
        return [row[0] for row in cursor.fetchall()]


def wait_until_delivered(count: int) -> None:
    from django.db import connection

    deadline = time.monotonic() + 120
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT count(*) FROM events_delivery WHERE state = 'pending'")
            if cursor.fetchone() == (0,):
                break
            if time.monotonic() > deadline:
                raise TimeoutError("the deliveries did not end")
            time.sleep(0.005)
        cursor.execute("SELECT count(*) FROM events_delivery WHERE state = 'delivered'")
        assert cursor.fetchone() == (count,), "every delivery was delivered"
        attempts = "SELECT count(*), count(DISTINCT delivery_id) FROM events_deliveryattempt WHERE status = 204"
        # The naive way records them apart from the outcome, a moment later.
        while not _has(attempts, (count, count)):
            assert time.monotonic() < deadline, "every delivery was attempted once"
            time.sleep(0.005)


def _has(question: str, answer: tuple[int, ...]) -> bool:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(question)
        return bool(cursor.fetchone() == answer)


def bare(url: str, bodies: list[bytes], *, in_flight: int = IN_FLIGHT) -> None:
    """The floor: libcurl posting the same bodies, nothing else."""
    multi = pycurl.CurlMulti()
    multi.setopt(pycurl.M_MAXCONNECTS, in_flight * 2)
    waiting, free, done = iter(bodies), [pycurl.Curl() for _ in range(in_flight)], 0
    for handle in free:
        handle.setopt(pycurl.URL, url)
        handle.setopt(pycurl.WRITEFUNCTION, lambda part: None)
        handle.setopt(pycurl.HTTPHEADER, ["Content-Type: application/json", "Expect:"])
    while done < len(bodies):
        while free and (body := next(waiting, None)) is not None:
            handle = free.pop()
            handle.setopt(pycurl.POSTFIELDS, body)
            multi.add_handle(handle)
        multi.perform()
        _, succeeded, failed = multi.info_read()
        assert not failed, failed
        for handle in succeeded:
            multi.remove_handle(handle)
            free.append(handle)
        done += len(succeeded)
        if not succeeded:
            multi.select(0.1)


@contextmanager
def worker(*arguments: str) -> Iterator[None]:
    import sys

    with process(sys.executable, "-m", "celery", *arguments, "--without-gossip", "--without-mingle", "-l", "ERROR"):
        yield


def run() -> str:
    return at_once() + "\n\n" + slowly()


def at_once() -> str:
    """A receiver that answers at once."""
    from config import environment

    os.environ["NAIVE_BROKER_URL"] = environment.broker_url()
    from benchmarks import naive

    naive.app.conf.update(broker_url=os.environ["NAIVE_BROKER_URL"])
    with (
        sink() as port,
        worker("-A", "config.celery", "worker", "-Q", "delivery", "-c", "1"),
        worker("-A", "benchmarks.naive", "worker", "-Q", "naive", "-c", "2"),
    ):
        ids = make_instance(url := f"http://127.0.0.1:{port}/callback")
        bodies = [body_of(number) for number in range(1, EVENTS + 1)]

        def one_task_each() -> float:
            deliveries = store(NAIVE_EVENTS, *ids)
            begun = time.perf_counter()
            for delivery in deliveries:
                naive.deliver.delay(delivery)
            wait_until_delivered(NAIVE_EVENTS)
            return NAIVE_EVENTS / (time.perf_counter() - begun)

        results = _results(
            {
                "drain": lambda: _drained(ids),
                "bare client": lambda: EVENTS / seconds(lambda: bare(url, bodies)),
                "task each": one_task_each,
            }
        )
    return _tables("delivery of stored events", results, [("task each", 60, 120), ("bare client", 0.20, 0.33)])


def slowly() -> str:
    """A receiver that takes its time; as many requests in flight for both."""
    # One receiver gets four fifths of the places: others must find one, whoever hangs.
    os.environ["DELIVERY_CONCURRENCY"] = str(SLOW_IN_FLIGHT * 5 // 4)
    try:
        with sink(SLOW_MS) as port, worker("-A", "config.celery", "worker", "-Q", "delivery", "-c", "1"):
            ids = make_instance(url := f"http://127.0.0.1:{port}/callback")
            bodies = [body_of(number) for number in range(1, EVENTS + 1)]
            results = _results(
                {
                    "drain": lambda: _drained(ids),
                    "bare client": lambda: EVENTS / seconds(lambda: bare(url, bodies, in_flight=SLOW_IN_FLIGHT)),
                }
            )
    finally:
        del os.environ["DELIVERY_CONCURRENCY"]
    return _tables(f"receiver takes {SLOW_MS} ms, {SLOW_IN_FLIGHT} in flight", results, [("bare client", 0.70, 0.85)])


def _drained(ids: tuple[int, int, int]) -> float:
    from events.tasks import deliver

    store(EVENTS, *ids)
    deliver.apply_async(queue="delivery")
    return EVENTS / seconds(lambda: wait_until_delivered(EVENTS))


def _results(contenders: dict[str, Callable[[], float]]) -> dict[str, list[float]]:
    from django.db import connection

    interleaved(contenders, rounds=1)  # warm
    results = interleaved(contenders, rounds=ROUNDS)
    connection.close()
    return results


def _tables(what: str, results: dict[str, list[float]], targets: Sequence[tuple[str, float, float]]) -> str:
    rows = [[f"{what}, per second", "median", "least", "greatest"]]
    for name, values in results.items():
        rows.append([name, f"{sorted(values)[len(values) // 2]:,.0f}", f"{min(values):,.0f}", f"{max(values):,.0f}"])
    ratios = [["ratio, within a round", "median", "least", "greatest", "must", "hoped for"]]
    for below, must, hope in targets:
        middle, least, greatest = ratio(results, "drain", below)
        ratios.append(
            [f"drain / {below}", f"{middle:.2f}", f"{least:.2f}", f"{greatest:.2f}", f"≥ {must}", f"≥ {hope}"]
        )
    return table(rows) + "\n\n" + table(ratios)
