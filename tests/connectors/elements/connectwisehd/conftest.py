from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.connection import Connection
from connectors.elements.connectwisehd.ways import WaysThatWorked
from connectors.sandbox import Sandbox
from tests.connectors.elements.connectwisehd.accounts import connection_to


@pytest.fixture(autouse=True)
def nothing_is_remembered(monkeypatch) -> WaysThatWorked:
    """As in a process that has just started."""
    ways = WaysThatWorked()
    monkeypatch.setattr("connectors.elements.connectwisehd.client.worked", ways)
    return ways


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(contacts=23, companies=5, tickets=12, time_entries=17) as sandbox:
        yield sandbox


@pytest.fixture
def connection(sandbox) -> Connection:
    return connection_to(sandbox)
