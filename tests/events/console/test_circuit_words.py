"""What is said of receivers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from events.console.circuit_words import health_of
from events.models import Circuit, Subscription
from instances.models import Instance, Organization

NOW = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)
EARLIER, LATER = NOW - timedelta(hours=1), NOW + timedelta(minutes=5)
FAILING = Circuit(failing_since=EARLIER, failures=3)
OPEN = Circuit(state="open", opened_at=EARLIER, next_probe_at=LATER, failing_since=EARLIER, failures=12)
GONE = Circuit(state="open", opened_at=EARLIER, next_probe_at=None)


@pytest.mark.parametrize(
    "columns, circuit, word, words",
    [
        ({}, None, "healthy", "sent at once"),
        ({}, Circuit(), "healthy", "sent at once"),
        ({"url": ""}, None, "no URL", "for the API only"),
        ({}, FAILING, "failing", "The last 3 attempts failed since 2026-11-22 12:00:00 UTC"),
        ({}, FAILING, "failing", "until about 2026-11-25 12:49:04 UTC, the subscription is deactivated"),
        ({}, OPEN, "left alone", "One event is tried at 2026-11-22 13:05:00 UTC"),
        ({}, OPEN, "left alone", "nothing is lost"),
        ({}, Circuit(state="open", next_probe_at=EARLIER), "left alone", "is tried now"),
        ({}, Circuit(state="open", next_probe_at=EARLIER, paused_until=LATER), "left alone", "patience until"),
        ({}, Circuit(paused_until=LATER), "asked to wait", "nothing is sent before 2026-11-22 13:05:00 UTC"),
        ({}, Circuit(paused_until=EARLIER), "healthy", "sent at once"),
        ({}, Circuit(state="recovering", recovering_claims=7), "recovering", "7 so far"),
        ({"state": "deactivated", "deactivated_reason": "It is gone."}, GONE, "deactivated", "not tried by itself"),
        ({"state": "deactivated"}, GONE, "deactivated", "failed for too long. What"),
        ({"state": "deactivated"}, OPEN, "deactivated", "One queued event is tried at 2026-11-22 13:05:00 UTC"),
        ({"state": "deactivated"}, Circuit(state="recovering"), "deactivated", "is being released"),
        ({"policy": "queue"}, FAILING, "failing", "what fails is queued"),
        ({"policy": "queue", "state": "deactivated"}, OPEN, "deactivated", "not tried by itself"),
    ],
)
def test_how_a_receiver_is_doing_is_said_in_words(columns, circuit, word, words):
    organization = Organization(failure_policy=columns.pop("policy", Organization.RETRY))
    subscription = Subscription(**{"url": "https://example.com/", "state": "active"} | columns)

    health = health_of(subscription, circuit, organization=organization, now=NOW)

    assert health.word == word
    assert words in " ".join(health.sentences)
    assert ".." not in " ".join(health.sentences)
    assert health.tone


def test_an_instance_with_a_schedule_of_its_own_is_given_up_by_that():
    subscription = Subscription(url="https://example.com/", instance=Instance(retry_schedule="60,3600"))

    health = health_of(subscription, FAILING, organization=Organization(), now=NOW)

    assert "until about 2026-11-22 13:00:00 UTC" in health.sentences[-1]
