"""Forgetting old events: how fast it goes, and what somebody who records events meanwhile feels of it."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from benchmarks.delivery import make_instance
from benchmarks.harness import seconds, table

EVENTS = 200_000
"""A day's worth of five million in a month, each with a delivery and an attempt."""
RECORDED = 300


def run(*, events: int = EVENTS) -> str:
    from django.db import connection

    import config.celery  # noqa: F401  # the bell is rung as in every process
    from events import retention

    instance, subscription, organization = make_instance("http://127.0.0.1:8999/")
    with connection.cursor() as cursor:
        for statement in _FILL:
            cursor.execute(
                statement,
                {"instance": instance, "subscription": subscription, "organization": organization, "events": events},
            )
        cursor.execute("VACUUM ANALYZE events_event, events_delivery, events_deliveryattempt")
    alone = _recorded(instance, is_over=lambda: False)
    spent: list[float] = []

    def prune() -> None:
        spent.append(seconds(lambda: retention.prune(seconds=600)))
        connection.close()

    pruning = threading.Thread(target=prune)
    pruning.start()
    beside = _recorded(instance, is_over=lambda: not pruning.is_alive())
    pruning.join()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM events_event WHERE created_at < now() - interval '30 days'")
        assert cursor.fetchone() == (0,), "everything old has gone"
        cursor.execute("SELECT count(*) FROM events_delivery")
        assert cursor.fetchone() == (len(alone) + len(beside),), "nothing young has gone"
    again = seconds(retention.prune)
    rate, slower = events / spent[0], _p95(beside) / _p95(alone)
    return table(
        [
            ["retention", "measured", "must", "hoped for"],
            [
                f"events with a delivery and an attempt each, of {events:,}, per second",
                f"{rate:,.0f}",
                "≥ 3,000",
                "≥ 10,000",
            ],
            ["looking for more when nothing is old, milliseconds", f"{1000 * again:.1f}", "≤ 100", "≤ 20"],
            ["recording one change, p95 beside it / p95 alone", f"{slower:.2f}", "≤ 3", "≤ 1.5"],
        ]
    )


def _recorded(instance_id: int, *, is_over: Callable[[], bool]) -> list[float]:
    """Seconds that each of some events took to be recorded, with its commit."""
    from django.db import transaction

    from connectors.change import UPDATED, Change
    from events.record import record
    from instances.models import Instance

    instance = Instance.objects.get(pk=instance_id)
    taken: list[float] = []
    while len(taken) < RECORDED and not is_over():
        now = datetime.now(UTC)
        change = Change(
            event_type=UPDATED,
            object_type="contacts",
            object_id="1",
            version=now.isoformat(),
            changed_at=now,
            raw=b"{}",
            content_hash=bytes(16),
        )
        begun = time.perf_counter()
        with transaction.atomic():
            record(instance=instance, changes=[change], source="poll", polled_at=now)
        taken.append(time.perf_counter() - begun)
        time.sleep(0.002)
    return taken


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


_FILL = (
    """INSERT INTO events_event (instance_id, source, change_count, body, created_at)
       SELECT %(instance)s, 'poll', 1, convert_to(repeat('x', 1500), 'UTF8'), now() - interval '31 days'
       FROM generate_series(1, %(events)s)""",
    """INSERT INTO events_delivery (event_id, subscription_id, organization_id, state, attempts_made, epoch)
       SELECT id, %(subscription)s, %(organization)s, 'delivered', 1, 1 FROM events_event ORDER BY id""",
    """INSERT INTO events_deliveryattempt
           (delivery_id, number, started_at, duration_ms, status, error_class, error, response_excerpt)
       SELECT id, 1, now(), 1, 200, '', '', '' FROM events_delivery ORDER BY id""",
)
