"""A pytest plugin: journeys run first, as they are the longest and mostly wait.

Those with a browser are one after the other on one stack, and the others on another, which they kill parts of.
"""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

JOURNEYS, WITH_BROWSER = "tests/journeys/", "tests/journeys/browser/"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: (not item.nodeid.startswith(JOURNEYS), item.nodeid.startswith(WITH_BROWSER)))


class _ByModule(LoadScopeScheduling):
    """Tests of a module go to one process, and so do all journeys on one stack."""

    def _split_scope(self, nodeid: str) -> str:
        for together in (WITH_BROWSER, JOURNEYS):
            if nodeid.startswith(together):
                return together
        return str(super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    return _ByModule(config, log) if config.getoption("dist") == "loadscope" else None
