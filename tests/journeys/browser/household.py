"""A platform in use, made over its API, where everybody outside tries to smuggle a script onto a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from connectors.sandbox import Sandbox
from events.receiver import Receiver
from tests.journeys.conftest import Client
from tests.journeys.running import eventually

FLAG = "window.smuggled"
HOSTILE = (
    f"<script>{FLAG}=1</script>"
    f'"><img src=x onerror="{FLAG}=2"><svg onload="{FLAG}=3"></svg>'
    f'<b x-data x-init="{FLAG}=4" hx-get=/smuggled hx-trigger=load>bold</b> {{{{7*7}}}} ${{{FLAG}=5}} '
    f"'); {FLAG}=6; (' javascript:{FLAG}=7"
)
"""What runs if it is taken for markup, for an expression of Alpine or for part of a script."""
CONFIDENTIAL = "not-for-viewers"
"""Stands in records and in what receivers answer."""


@dataclass(frozen=True, slots=True)
class Household:
    """What there is to look at."""

    polling: dict[str, Any]
    help_desk: dict[str, Any]
    sandbox: Sandbox
    receiver: Receiver


def lived_in(
    client: Client, sandbox: Sandbox, receiver: Receiver, polling: dict[str, Any], help_desk: dict[str, Any]
) -> Household:
    """`polling` and `help_desk` are bodies that make an instance each."""
    receiver.behave(status=500, body=HOSTILE + CONFIDENTIAL, headers={"Content-Type": "text/html"}, times=1)
    polling = client.post("/instances", polling | {"name": f"CRM {HOSTILE}", "tags": [HOSTILE, "demo"]})
    help_desk = client.post("/instances", help_desk | {"name": "Help desk", "tags": ["demo"]})
    sandbox.contacts.edit(3, firstName=HOSTILE[:40], title=HOSTILE[:60], nickName=f"javascript:{FLAG}=8")
    sandbox.contacts.add(firstName=CONFIDENTIAL, lastName="O'Brien")
    sandbox.tickets.edit(5, summary=HOSTILE[: 100 - len(CONFIDENTIAL)] + CONFIDENTIAL)
    eventually(lambda: len(receiver.accepted) >= 3)
    client.post("/replays", {"instanceId": polling["id"], "from": "2026-01-01T00:00:00Z", "to": "2126-01-01T00:00:00Z"})
    # Polls that find nothing would take the processor from the browser.
    client.patch(f"/instances/{polling['id']}", {"configuration": {"event.poller.refresh_interval": "60"}})
    return Household(polling, help_desk, sandbox, receiver)
