from __future__ import annotations

import json
from pathlib import Path

import pytest
import requests

from connectors.sandbox import Sandbox
from events.receiver import Receiver
from tests.journeys.running import Stack

KEY = "abcd1234efgh5678ijkl9012"
PAYLOADS = Path(__file__).parent / "payloads"
SEED = PAYLOADS / "instance_that_polls_contacts.json"
HELP_DESK = PAYLOADS / "instance_with_webhooks.json"


@pytest.fixture(scope="package")
def stack():
    running = Stack()
    try:
        running.begin()
        yield running
    finally:
        running.end()


@pytest.fixture
def sandbox():
    with Sandbox.start(port=0, contacts=50, companies=5, tickets=20) as running:
        yield running


@pytest.fixture
def receiver():
    running = Receiver.start(port=0, key=KEY)
    yield running
    running.stop()


@pytest.fixture(scope="package")
def client(stack):
    """The API as an owner of an organization; each journey removes what it made there."""
    return Client(stack.url, stack.account("journeys"))


def polling_body(sandbox, receiver):
    """The documentation's example: contacts are polled, here every fraction of a second."""
    body = json.loads(SEED.read_text())
    body["configuration"] |= {
        "baseUrl": sandbox.base_url,
        "company": sandbox.company,
        "public.key": sandbox.public_key,
        "private.key": sandbox.private_key,
        "event.notification.callback.url": f"{receiver.url}/callback",
        "event.notification.signature.key": KEY,
        "event.poller.refresh_interval": "0.005",
    }
    return body


def webhook_body(sandbox, receiver):
    """The documentation's example of webhooks. The reconciling poll comes every few seconds here."""
    body = json.loads(HELP_DESK.read_text())
    body["configuration"] |= {
        "helpdesk.connectwise.server.url": sandbox.url,
        "helpdesk.connectwise.company": sandbox.company,
        "helpdesk.connectwise.username": sandbox.public_key,
        "helpdesk.connectwise.password": sandbox.private_key,
        "event.notification.callback.url": f"{receiver.url}/callback",
        "event.notification.signature.key": KEY,
        "event.poller.refresh_interval": "0.05",
    }
    return body


@pytest.fixture
def instance_body(sandbox, receiver):
    return polling_body(sandbox, receiver)


@pytest.fixture
def polling_instance(client, instance_body):
    instance = client.post("/instances", instance_body)
    yield instance
    client.delete(f"/instances/{instance['id']}")


@pytest.fixture
def help_desk_body(sandbox, receiver):
    return webhook_body(sandbox, receiver)


@pytest.fixture
def help_desk(client, help_desk_body):
    """An instance that ConnectWise tells of changes."""
    instance = client.post("/instances", help_desk_body)
    yield instance
    client.delete(f"/instances/{instance['id']}")


class Client:
    """Talks to the platform as a customer's program does."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self.url, self.headers = url, headers

    def call(self, method: str, path: str, body=None, *, status: int = 200):
        answer = requests.request(method, self.url + path, json=body, headers=self.headers, timeout=30)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def get(self, path: str):
        return self.call("GET", path)

    def post(self, path: str, body):
        return self.call("POST", path, body)

    def patch(self, path: str, body):
        return self.call("PATCH", path, body)

    def delete(self, path: str):
        return self.call("DELETE", path)
