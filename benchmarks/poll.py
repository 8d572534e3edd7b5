"""A poll of 1,000 records: unchanged and changed, against fetching the same page and parsing it."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import urllib.request
from datetime import timedelta

import requests

from benchmarks.harness import interleaved, process, ratio, seconds, table

RECORDS = 1000
ROUNDS = 15


def run() -> str:
    from django.conf import settings
    from django.db import connection
    from django.utils import timezone

    from instances.encryption import encrypt_json, fingerprint, new_secret
    from instances.models import Instance, Organization, User
    from polling.models import PollCursor
    from polling.poll import poll_resource
    from polling.schedule import claim

    with process(
        *(sys.executable, "-m", "connectors.sandbox", "--port", "0", "--contacts", str(RECORDS)),
        output=subprocess.PIPE,
    ) as sandbox:
        assert sandbox.stdout is not None
        url = json.loads(sandbox.stdout.readline())["url"]
        with urllib.request.urlopen(f"{url}/_sandbox/credentials") as answer:
            account = json.load(answer)
        organization = Organization.objects.create(name="bench", secret_hash=fingerprint(new_secret()))
        user = User.objects.create(email="bench@example.com", organization=organization)
        instance = Instance.objects.create(
            organization=organization,
            user=user,
            element_key="connectwisecrmrest",
            name="bench",
            token_hash=fingerprint(new_secret()),
            configuration_encrypted=encrypt_json(
                {
                    "baseUrl": account["baseUrl"],
                    "company": account["company"],
                    "public.key": account["publicKey"],
                    "private.key": account["privateKey"],
                }
            ),
            is_events_enabled=True,
            event_method="polling",
        )
        long_ago = timezone.now() - timedelta(days=36500)
        # Every record lies in the window, at every poll, and the ledger forgets none.
        settings.POLL_OVERLAP_SECONDS = timedelta(days=10_000).total_seconds()
        cursor = PollCursor.objects.create(
            instance=instance,
            resource="contacts",
            reads="contacts",
            watermark=long_ago,
            baseline_at=long_ago,
            is_baseline_read=True,
        )

        credentials = f"{account['company']}+{account['publicKey']}:{account['privateKey']}"
        session = requests.Session()
        session.headers["Authorization"] = "Basic " + base64.b64encode(credentials.encode()).decode()
        session.headers["pagination-type"] = "forward-only"
        query: dict[str, str | int] = {
            "pageSize": RECORDS,
            "conditions": "lastUpdated > [2000-01-01T00:00:00Z]",
        }

        def fetch_and_parse() -> None:
            page = session.get(f"{account['baseUrl']}/company/contacts", params=query, timeout=30)
            assert len(json.loads(page.content)) == RECORDS

        def make_due() -> None:
            PollCursor.objects.filter(pk=cursor.pk).update(watermark=long_ago, next_poll_at=long_ago, leased_until=None)

        def poll() -> None:
            (claimed,) = claim(limit=1)
            poll_resource(cursor_id=claimed.cursor_id, epoch=claimed.epoch)

        def forget() -> None:
            with connection.cursor() as sql:
                sql.execute("TRUNCATE events_deliveryattempt, events_delivery, events_event, events_seenchange CASCADE")

        def changed() -> float:
            forget()
            make_due()
            spent = seconds(poll)
            with connection.cursor() as sql:
                sql.execute("SELECT count(*), sum(change_count) FROM events_event")
                assert sql.fetchone() == (RECORDS // 10, RECORDS)
            return spent

        def unchanged() -> float:
            with connection.cursor() as sql:
                sql.execute("SELECT count(*) FROM events_seenchange")
                if sql.fetchone() != (RECORDS,):
                    make_due()
                    poll()
            before = instance.events.count()
            make_due()
            spent = seconds(poll)
            assert instance.events.count() == before
            return spent

        contenders = {"fetch + parse": lambda: seconds(fetch_and_parse), "unchanged": unchanged, "changed": changed}
        interleaved(contenders, rounds=3)  # warm
        results = interleaved(contenders, rounds=ROUNDS)
        connection.close()
    rows = [[f"poll of {RECORDS:,} records, milliseconds", "median", "least", "greatest"]]
    for name, values in results.items():
        ordered = [1000 * value for value in sorted(values)]
        rows.append([name, f"{ordered[len(ordered) // 2]:.1f}", f"{ordered[0]:.1f}", f"{ordered[-1]:.1f}"])
    ratios = [["ratio, within a round", "median", "least", "greatest", "must", "hoped for"]]
    for name, must, hope in (("unchanged", 0.7, 0.35), ("changed", 3.5, 2.0)):
        middle, least, greatest = ratio(results, name, "fetch + parse")
        ratios.append(
            [f"{name} / fetch + parse", f"{middle:.2f}", f"{least:.2f}", f"{greatest:.2f}", f"≤ {must}", f"≤ {hope}"]
        )
    return table(rows) + "\n\n" + table(ratios)
