from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from connectors.sandbox import Sandbox
from tests.connectors.vendors.clients import client_of


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(contacts=23, companies=5, tickets=12) as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox: Sandbox) -> Any:
    return client_of(sandbox)
