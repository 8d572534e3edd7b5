"""Claiming and delivering while much is due, and beside millions of rows that are done with."""

from __future__ import annotations

import os
import time

from benchmarks.delivery import make_instance
from benchmarks.harness import interleaved, ratio, sink, table

BASE = 10_000
TIMES = (1, 10, 100)
SUBSCRIPTIONS = 50
CLAIMED = 5_000
SECONDS = 1.2
ROUNDS = 3
FINISHED = int(os.environ.get("FINISHED", "5000000"))
UNCHECKED, CHECKED = "SET session_replication_role = replica", "SET session_replication_role = DEFAULT"
"""Looking up what each of millions of rows refers to takes longer than the rest of a round."""
EVENTS_FINISHED = 5_000
"""Each of them was delivered to so many subscriptions that the product is FINISHED."""


def fill(count: int, subscriptions: list[int], organization: int, *, state: str = "pending") -> None:
    """Deliveries of `count` events, each for one of the subscriptions."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(UNCHECKED)
        cursor.execute(
            "WITH made AS (INSERT INTO events_event (organization_id, source, change_count, body)"
            " SELECT %s, 'posted', 0, convert_to(repeat('x', 1200), 'utf8') FROM generate_series(1, %s) RETURNING id)"
            " INSERT INTO events_delivery (event_id, subscription_id, organization_id, state, attempts_made, epoch)"
            " SELECT id, (%s::bigint[])[1 + id %% %s], %s, %s, 0, 0 FROM made",
            [organization, count, subscriptions, len(subscriptions), organization, state],
        )
        cursor.execute(CHECKED)
        cursor.execute("ANALYZE events_event, events_delivery")
        cursor.execute("CHECKPOINT")


def empty() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE events_deliveryattempt, events_delivery, events_event RESTART IDENTITY CASCADE")


def finish(organization: int, url: str) -> None:
    """FINISHED deliveries that were delivered, of subscriptions that get nothing any more."""
    from django.db import connection

    from events.models import Subscription

    made = Subscription.objects.bulk_create(
        Subscription(organization_id=organization, topics=["done"], url=url)
        for _ in range(max(1, FINISHED // EVENTS_FINISHED))
    )
    done = [subscription.pk for subscription in made]
    with connection.cursor() as cursor:
        cursor.execute(UNCHECKED)
        cursor.execute(
            "WITH made AS (INSERT INTO events_event (organization_id, source, change_count, body)"
            " SELECT %s, 'posted', 0, convert_to('{}', 'utf8') FROM generate_series(1, %s) RETURNING id)"
            " INSERT INTO events_delivery (event_id, subscription_id, organization_id, state, attempts_made, epoch)"
            " SELECT made.id, subscription, %s, 'delivered', 1, 1 FROM made, unnest(%s::bigint[]) AS subscription",
            [organization, EVENTS_FINISHED, organization, done],
        )
        cursor.execute(CHECKED)
        cursor.execute("VACUUM ANALYZE events_delivery")
        cursor.execute("CHECKPOINT")


def claim_rate() -> float:
    """Deliveries claimed per second, 500 at a time. They stay claimed: a lease is longer than a round."""
    from events import claims

    claimed, begun = 0, time.perf_counter()
    while claimed < CLAIMED:
        found = claims.claim(limit=500)
        assert found, "there is more due"
        claimed += len(found)
    return claimed / (time.perf_counter() - begun)


def delivery_rate() -> float:
    """Delivered per second by a drain of this process, in its first SECONDS."""
    from events.deliver import drain

    begun = time.perf_counter()
    # The drain's connection is its own: nothing may be asked of the database here.
    drained = drain(is_stopping=lambda: time.perf_counter() - begun > SECONDS)
    return drained.delivered / (time.perf_counter() - begun)


def run(*, rounds: int = ROUNDS, base: int = BASE, times: tuple[int, ...] = TIMES) -> str:
    from django.db import connection

    from events.models import Subscription

    with sink() as port:
        url = f"http://127.0.0.1:{port}/callback"
        _, _, organization = make_instance(url)
        subscriptions = [
            Subscription.objects.create(organization_id=organization, topics=["due"], url=f"{url}/{number}").pk
            for number in range(SUBSCRIPTIONS)
        ]

        def claimed(count: int) -> float:
            empty()
            fill(count, subscriptions, organization)
            return claim_rate()

        def delivered(count: int) -> float:
            empty()
            fill(count, subscriptions, organization)
            return delivery_rate()

        contenders = {
            f"{name} {factor}x": (lambda work=work, factor=factor: work(base * factor))
            for name, work in (("claim", claimed), ("deliver", delivered))
            for factor in times
        }
        results = interleaved(contenders, rounds=rounds)
        empty()
        alone: list[float] = []
        beside: list[float] = []
        for number in range(rounds * 2):
            if number == rounds:
                finish(organization, url)
            fill(base, subscriptions, organization)
            (beside if number >= rounds else alone).append(claim_rate())
            with connection.cursor() as cursor:
                cursor.execute("DELETE FROM events_delivery WHERE state = 'pending'")
        results |= {"claim alone": alone, "claim beside finished": beside}
        connection.close()
    rows = [["per second", "median", "least", "greatest"]]
    for name, values in results.items():
        rows.append([name, f"{sorted(values)[len(values) // 2]:,.0f}", f"{min(values):,.0f}", f"{max(values):,.0f}"])
    ratios = [["ratio, within a round", "median", "least", "greatest", "must", "hoped for"]]
    wanted = [("claim 10x", "claim 1x", "≥ 0.6", "≥ 0.9"), ("deliver 10x", "deliver 1x", "≥ 0.85", "≥ 1")]
    wanted += [("claim 100x", "claim 1x", "", ""), ("deliver 100x", "deliver 1x", "", "")]
    wanted += [("claim beside finished", "claim alone", "≥ 0.8", "≥ 1")]
    for above, below, must, hope in wanted:
        if above in results and below in results:
            middle, least, greatest = ratio(results, above, below)
            ratios.append([f"{above} / {below}", f"{middle:.2f}", f"{least:.2f}", f"{greatest:.2f}", must, hope])
    return f"Finished rows: {FINISHED:,}\n\n" + table(rows) + "\n\n" + table(ratios)
