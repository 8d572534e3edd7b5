"""A pytest plugin: journeys run first, one after the other on one stack. They are the longest, and mostly wait."""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

JOURNEYS = "tests/journeys/"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(JOURNEYS))


class _ByModule(LoadScopeScheduling):
    """Tests of a module go to one process, and so do all journeys: a second stack would cost more than it saves."""

    def _split_scope(self, nodeid: str) -> str:
        return JOURNEYS if nodeid.startswith(JOURNEYS) else str(super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    return _ByModule(config, log) if config.getoption("dist") == "loadscope" else None
