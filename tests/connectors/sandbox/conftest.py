from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from connectors.sandbox import Sandbox


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


@pytest.fixture
def call(sandbox) -> Iterator[Caller]:
    caller = Caller(sandbox)
    yield caller
    caller.session.close()
