"""The browser that tells the console's stories: Debian's Chromium, which `.ci/run` installs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
# What a browser would ask its maker for does not belong in a test.
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@contextmanager
def running() -> Iterator[Browser]:
    """Skips the test where there is no browser; with BROWSER_REQUIRED, as in continuous integration, it fails."""
    if not CHROMIUM.exists():
        told = f"there is no {CHROMIUM}: `apt-get install chromium`, or name another one in CHROMIUM"
        if os.environ.get("BROWSER_REQUIRED"):
            pytest.fail(told)
        pytest.skip(told)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        try:
            yield browser
        finally:
            browser.close()
