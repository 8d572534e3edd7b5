"""What it is like when this machine runs out of something."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_more_files() -> Iterator[None]:
    """This process can open nothing: no socket either."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Below the three that are always open: whatever another thread closes meanwhile makes no room.
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
