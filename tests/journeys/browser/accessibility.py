"""Whether people with a screen reader, a keyboard or poor eyes can use a page, as axe sees it."""

from __future__ import annotations

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

GRAVE = {"serious", "critical"}
ASKED = {"resultTypes": ["violations"], "preload": False}
DARK, LIGHT = (f"document.documentElement.classList.{change}('dark')" for change in ("add", "remove"))
RUN = "([page, options]) => axe.run(page, options).then(found => found.violations)"


def findings(page: Page, *, is_dark: bool = False, is_frame_known: bool = False) -> list[str]:
    """What is serious or critical, in one of the themes. The frame around all pages is looked at unless it is known."""
    left_out = [["#nav-sidebar"]] if is_frame_known else []
    page.evaluate(AXE_SCRIPT)
    if is_dark:
        page.evaluate(DARK)
    found = page.evaluate(RUN, [{"exclude": left_out}, ASKED])
    page.evaluate(LIGHT)
    return [
        f"{'dark' if is_dark else 'light'}: {one['id']} ({one['help']}) at {node['target']}: {node['html'][:200]}: "
        f"{node['failureSummary']}"
        for one in found
        if one["impact"] in GRAVE
        for node in one["nodes"][:5]
    ]
