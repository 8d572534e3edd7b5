"""From the commit of an event to its receipt, through the doorbell, the broker and a real worker."""

from __future__ import annotations

import time
from collections.abc import Sequence

from benchmarks.delivery import worker
from benchmarks.harness import table
from benchmarks.stamps import percentiles, stamping

IDLE_EVENTS = 100
IDLE_PAUSE_SECONDS = 0.3
"""So long that the worker has nothing to do before the next event."""
RATES = (50, 200)
SECONDS = 20.0
TOPIC = "benchmark"

GOALS = {
    "idle": ("p50 ≤ 15, p95 ≤ 30", "p50 ≤ 5, p95 ≤ 10"),
    "50/s": ("p95 ≤ 60", "p95 ≤ 25"),
    "200/s": ("p95 ≤ 80", "p95 ≤ 30"),
}


def subscribed(urls: Sequence[str]) -> int:
    """An organization, subscribed to `TOPIC` under each of the URLs with a topic `TOPIC number` too; its id."""
    from events.models import Subscription
    from instances.encryption import fingerprint, new_secret
    from instances.models import Organization

    organization = Organization.objects.create(name=new_secret(), secret_hash=fingerprint(new_secret()))
    for number, url in enumerate(urls):
        Subscription.objects.create(organization=organization, topics=[TOPIC, f"{TOPIC} {number}"], url=url)
    return organization.pk


def committed(organization_id: int, topic: str = TOPIC) -> tuple[int, float]:
    """Post 1 KB under the topic: the event's id, and the moment before its commit."""
    from django.db import transaction

    from events.posting import post
    from instances.models import Organization

    organization = Organization(pk=organization_id)
    with transaction.atomic():
        event = post(organization=organization, topic=topic, message="x" * 1000, severity="low", sender="benchmark")
        moment = time.monotonic()
    return event.pk, moment


def at_rate(organization_id: int, *, rate: float, seconds: float, topics: Sequence[str] = (TOPIC,)) -> dict[int, float]:
    """Posts, evenly spread over the time and going round the topics, by event id with the moments of their commits."""
    begun, made = time.monotonic(), {}
    for number in range(int(rate * seconds)):
        time.sleep(max(0.0, begun + number / rate - time.monotonic()))
        event, moment = committed(organization_id, topics[number % len(topics)])
        made[event] = moment
    return made


def run(*, seconds: float = SECONDS, idle_events: int = IDLE_EVENTS) -> str:
    from django.db import connection

    rows = [["milliseconds from commit to receipt", "p50", "p95", "p99", "must", "hoped for"]]
    with stamping() as stamps, worker("-A", "config.celery", "worker", "-Q", "delivery", "-c", "1"):
        organization = subscribed([f"{stamps.url}/callback"])
        stamps.latencies(at_rate(organization, rate=20, seconds=2))  # warm
        idle = at_rate(organization, rate=1 / IDLE_PAUSE_SECONDS, seconds=idle_events * IDLE_PAUSE_SECONDS)
        rows.append(["idle", *percentiles(stamps.latencies(idle)), *GOALS["idle"]])
        for rate in RATES:
            found = stamps.latencies(at_rate(organization, rate=rate, seconds=seconds))
            rows.append([f"{rate}/s", *percentiles(found), *GOALS[f"{rate}/s"]])
        connection.close()
    return table(rows)
