"""Deliveries over HTTPS with verification, to one receiver and to a hundred: the drain against one task each."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import certifi

from benchmarks.delivery import body_of, make_instance, wait_until_delivered, worker
from benchmarks.harness import compiled, interleaved, process, ratio, seconds, table

EVENTS = 5000
NAIVE_EVENTS = 300
ROUNDS = 5
ORIGINS = 100
GOALS = {1: ("≥ 150", "≥ 300"), ORIGINS: ("≥ 80", "≥ 180")}


@contextmanager
def certificate() -> Iterator[tuple[Path, Path]]:
    """A certificate that signs itself, for 127.0.0.1, and its key; everybody here trusts it."""
    with tempfile.TemporaryDirectory(prefix="switchyard-tls-") as directory:
        made, key = Path(directory) / "certificate.pem", Path(directory) / "key.pem"
        subject = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
        kind = ("-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
        command = ["openssl", "req", *kind, *subject, "-keyout", str(key), "-out", str(made)]
        subprocess.run(command, check=True, capture_output=True)
        # Ours, then that of `requests`.
        # Beside those that everybody trusts, as in production: reading them is what a new connection costs.
        trusted = Path(directory) / "trusted.pem"
        trusted.write_bytes(Path(certifi.where()).read_bytes() + made.read_bytes())
        os.environ["EGRESS_CA_BUNDLE"] = os.environ["REQUESTS_CA_BUNDLE"] = str(trusted)
        yield made, key


@contextmanager
def receivers(count: int) -> Iterator[list[str]]:
    """URLs of so many origins."""
    with certificate() as (made, key), compiled("tls_sink.c", "-lssl", "-lcrypto", "-lpthread") as program:
        command = (str(program), str(made), str(key), str(count))
        with process(*command, output=subprocess.PIPE) as child:
            assert child.stdout is not None
            yield [f"https://127.0.0.1:{int(child.stdout.readline())}/callback" for _ in range(count)]


def store(count: int, instances: list[tuple[int, int, int]]) -> list[int]:
    """Due deliveries, going round the instances; their ids. What earlier rounds left is removed."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE events_deliveryattempt, events_delivery, events_event RESTART IDENTITY CASCADE")
        cursor.execute("CHECKPOINT")
        with cursor.copy("COPY events_event (instance_id, source, change_count, body) FROM STDIN") as copy:
            for number in range(count):
                copy.write_row((instances[number % len(instances)][0], "poll", 1, body_of(number)))
        cursor.execute(
            "INSERT INTO events_delivery (event_id, subscription_id, organization_id, state, attempts_made, epoch)"
            " SELECT event.id, subscription.id, subscription.organization_id, 'pending', 0, 0"
            " FROM events_event AS event JOIN events_subscription AS subscription USING (instance_id)"
            " ORDER BY event.id RETURNING id"
        )
        return [row[0] for row in cursor.fetchall()]


def run(*, rounds: int = ROUNDS, events: int = EVENTS, naive_events: int = NAIVE_EVENTS) -> str:
    try:
        with receivers(1):
            pass
    except (subprocess.CalledProcessError, FileNotFoundError):
        return "Deliveries over HTTPS were not measured: that takes gcc, openssl and the headers of OpenSSL."
    from django.db import connection

    from config import environment
    from events.tasks import deliver

    os.environ["NAIVE_BROKER_URL"] = environment.broker_url()
    from benchmarks import naive

    naive.app.conf.update(broker_url=os.environ["NAIVE_BROKER_URL"])
    with (
        receivers(ORIGINS) as urls,
        worker("-A", "config.celery", "worker", "-Q", "delivery", "-c", "1"),
        worker("-A", "benchmarks.naive", "worker", "-Q", "naive", "-c", "2"),
    ):
        of_each = [make_instance(url) for url in urls]

        def drained(origins: int) -> float:
            store(events, of_each[:origins])
            deliver.apply_async(queue="delivery")
            return events / seconds(lambda: wait_until_delivered(events))

        def one_task_each(origins: int) -> float:
            deliveries = store(naive_events, of_each[:origins])
            begun = time.perf_counter()
            for delivery in deliveries:
                naive.deliver.delay(delivery)
            wait_until_delivered(naive_events)
            return naive_events / (time.perf_counter() - begun)

        contenders = {
            f"{name}, {origins}": (lambda work=work, origins=origins: work(origins))
            for name, work in (("drain", drained), ("task each", one_task_each))
            for origins in (1, ORIGINS)
        }
        interleaved(contenders, rounds=1)  # warm
        results = interleaved(contenders, rounds=rounds)
        connection.close()
    rows = [["deliveries over HTTPS, receivers; per second", "median", "least", "greatest"]]
    for name, values in results.items():
        rows.append([name, f"{sorted(values)[len(values) // 2]:,.0f}", f"{min(values):,.0f}", f"{max(values):,.0f}"])
    ratios = [["ratio, within a round", "median", "least", "greatest", "must", "hoped for"]]
    for origins, (must, hope) in GOALS.items():
        middle, least, greatest = ratio(results, f"drain, {origins}", f"task each, {origins}")
        title = f"drain / task each, {origins} receivers"
        ratios.append([title, f"{middle:.1f}", f"{least:.1f}", f"{greatest:.1f}", must, hope])
    return table(rows) + "\n\n" + table(ratios)
