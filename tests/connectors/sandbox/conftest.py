from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from connectors.sandbox import Sandbox
from connectors.sandbox.server import Answer, LocalServer, Request


class Caller:
    """Calls the sandbox over HTTP, as a client with the right keys does."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.base_url = sandbox.base_url
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.auth = (f"{sandbox.company}+{sandbox.public_key}", sandbox.private_key)

    def __call__(self, method: str, path: str, **options: Any) -> requests.Response:
        url = path if path.startswith("http") else self.base_url + path
        return self.session.request(method, url, timeout=20, **options)

    def get(self, path: str, *, headers: dict[str, str] | None = None, **parameters: Any) -> requests.Response:
        return self("GET", path, params=parameters, headers=headers)

    def ids(self, path: str, **parameters: Any) -> list[int]:
        answer = self.get(path, **{"pageSize": 1000, **parameters})
        assert answer.status_code == 200, answer.text
        return [record["id"] for record in answer.json()]

    def register(self, url: str, **fields: Any) -> requests.Response:
        """For everything about contacts, unless `fields` say otherwise."""
        body = {"url": url, "objectId": 1, "type": "contact", "level": "owner", **fields}
        return self("POST", "/system/callbacks", json=body)


class Listener:
    """Takes callbacks. Set `answer` or `statuses` to answer otherwise than by 200."""

    def __init__(self) -> None:
        self.received: list[Request] = []
        self.moments: list[float] = []
        self.answer = Answer(status=200, body=b"{}")
        self.statuses: list[int] = []
        """Of the next answers, in their order."""
        self._changed = threading.Condition()
        self.server = LocalServer(self._take)
        self.url = f"{self.server.url}/hook?recordId="

    def _take(self, request: Request) -> Answer:
        with self._changed:
            self.received.append(request)
            self.moments.append(time.monotonic())
            answer = Answer(status=self.statuses.pop(0)) if self.statuses else self.answer
            self._changed.notify_all()
        return answer

    def wait_for(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.received) >= count, 10)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(request.body) for request in self.received]


@pytest.fixture
def call(sandbox) -> Iterator[Caller]:
    caller = Caller(sandbox)
    yield caller
    caller.session.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    running = Listener()
    running.server.start()
    yield running
    running.server.stop()


@pytest.fixture
def registered(call, listener) -> int:
    """The id of a registration for everything about contacts."""
    answer = call.register(listener.url)
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])
