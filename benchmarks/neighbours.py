"""What one receiver, one organization or a replay does to everybody else's deliveries."""

from __future__ import annotations

import statistics
import time

from benchmarks.delivery import body_of, worker
from benchmarks.harness import percentile, sink, table
from benchmarks.latency import TOPIC, at_rate, subscribed
from benchmarks.stamps import Stamps, percentiles, stamping

RECEIVERS = 50
RATE = 100.0
SECONDS = 10.0
ROUNDS = 3
BACKLOG = 100_000
REPLAYED = 50_000
REPLAY_SECONDS = 20.0


def backlog(organization: int, count: int, *, state: str) -> None:
    """So many deliveries of the organization's one subscription, in one statement each."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM events_subscription WHERE organization_id = %s", [organization])
        ((subscription,),) = cursor.fetchall()
        cursor.execute(
            "WITH made AS (INSERT INTO events_event (organization_id, topic, source, change_count, body)"
            " SELECT %s, %s, 'posted', 0, %s FROM generate_series(1, %s) RETURNING id)"
            " INSERT INTO events_delivery (event_id, subscription_id, organization_id, state, attempts_made, epoch)"
            " SELECT id, %s, %s, %s, 0, 0 FROM made",
            [organization, TOPIC, body_of(1), count, subscription, organization, state],
        )
        cursor.execute("ANALYZE events_event, events_delivery")


def hanging(stamps: Stamps, *, seconds: float, rounds: int) -> list[str]:
    """p95 of the others while one of the receivers takes longer than any attempt may, against all being well."""
    urls = [f"{stamps.url}/{number}" for number in range(RECEIVERS)]
    well = subscribed(urls)
    ill = subscribed([f"{stamps.url}/hang", *urls[1:]])
    others = [f"{TOPIC} {number}" for number in range(1, RECEIVERS)]
    ratios = []
    for _ in range(rounds):
        found = []
        for organization in (well, ill):
            # The first topic is that of the receiver that hangs in one of them.
            made = at_rate(organization, rate=RATE, seconds=seconds, topics=[f"{TOPIC} 0", *others])
            counted = {event: moment for place, (event, moment) in enumerate(made.items()) if place % RECEIVERS}
            found.append(percentile(stamps.latencies(counted), 0.95))
        ratios.append(found[1] / found[0])
    title = f"1 of {RECEIVERS} receivers hangs, p95 of the others: with / without"
    return [title, f"{statistics.median(ratios):.2f}", f"{min(ratios):.2f}", f"{max(ratios):.2f}", "≤ 1.2", "≤ 1.0"]


def noisy(stamps: Stamps, *, count: int) -> list[str]:
    """Single events of one organization while another has many due, to a receiver that is quick."""
    from events.doorbell import DELIVERIES

    quiet = subscribed([f"{stamps.url}/quiet"])
    with sink() as port:
        loud = subscribed([f"http://127.0.0.1:{port}/noisy"])
        backlog(loud, count, state="pending")
        DELIVERIES.ring()
        made: dict[int, float] = {}
        while has_pending(loud) and len(made) < 100:
            made |= at_rate(quiet, rate=5, seconds=0.2)
        found = stamps.latencies(made)
    title = f"another organization has {count:,} due: a single event, ms ({len(made)} of them)"
    return [title, f"{statistics.median(found):.0f}", f"{min(found):.0f}", f"{max(found):.0f}", "≤ 1,000", "≤ 100"]


def has_pending(organization: int) -> bool:
    from events.models import Delivery

    return Delivery.objects.filter(organization=organization, state=Delivery.PENDING).exists()


def replaying(stamps: Stamps, *, count: int, seconds: float) -> list[str]:
    """p95 of live events while a replay goes on at the rate that it has when nobody says another."""
    from events import replays
    from events.replay_requests import parse
    from instances.models import Organization, User

    live = subscribed([f"{stamps.url}/live"])
    with sink() as port:
        replayed = subscribed([f"http://127.0.0.1:{port}/replayed"])
        backlog(replayed, count, state="delivered")
        alone = percentile(stamps.latencies(at_rate(live, rate=50, seconds=seconds)), 0.95)
        organization = Organization.objects.get(pk=replayed)
        user = User.objects.create(email=f"{replayed}@example.com", organization=organization)
        replay = replays.create(user=user, organization=organization, asked=parse({"statuses": ["delivered"]}))
        beat = ("-B", "--scheduler", "celery.beat:Scheduler")  # leaves no file behind
        with worker("-A", "config.celery", "worker", "-Q", "callbacks", "-c", "1", "-P", "solo", *beat):
            waited = time.monotonic() + 30
            while not replay.begun:
                assert time.monotonic() < waited, "the replay did not begin"
                time.sleep(0.1)
                replay.refresh_from_db()
            beside = percentile(stamps.latencies(at_rate(live, rate=50, seconds=seconds)), 0.95)
            replay.refresh_from_db()
    title = f"live events beside a replay of {count:,}, p95: with / without ({replay.begun:,} begun meanwhile)"
    return [title, f"{beside / alone:.2f}", "", "", "≤ 1.2", "≤ 1.0"]


def run(
    *,
    seconds: float = SECONDS,
    rounds: int = ROUNDS,
    due: int = BACKLOG,
    replayed: int = REPLAYED,
    replay_seconds: float = REPLAY_SECONDS,
) -> str:
    from django.db import connection

    with stamping() as stamps, worker("-A", "config.celery", "worker", "-Q", "delivery", "-c", "1"):
        warm = subscribed([f"{stamps.url}/warm"])
        print("warm:", ", ".join(percentiles(stamps.latencies(at_rate(warm, rate=20, seconds=2)))), "ms", flush=True)
        rows = [
            ["what others do to a delivery", "median", "least", "greatest", "must", "hoped for"],
            hanging(stamps, seconds=seconds, rounds=rounds),
            replaying(stamps, count=replayed, seconds=replay_seconds),
            noisy(stamps, count=due),
        ]
        connection.close()
    return table(rows)
