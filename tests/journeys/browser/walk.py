"""Every page of the console, found as people find it: by its links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

from playwright.sync_api import Page

AREAS = ("instances/", "events/", "polling/", "")
"""Where pages lie below the console; the last one is whatever lies in none of the others."""
LINKS = "[...document.querySelectorAll('a[href]:not([download]):not([target=_blank])')].map(link => link.href)"


def shape_of(url: str) -> str:
    """Pages of one kind have one shape: ids are left out, and so are choices within a page but for the instance."""
    parts = urlsplit(url)
    path = re.sub(r"\d+", "N", parts.path)
    named = sorted(name for name, value in parse_qsl(parts.query) if value.isdigit() and "instance" in name)
    return path + ("?" + "&".join(named) if named else "")


def area_of(url: str, *, console: str) -> str:
    return next(area for area in AREAS if url.removeprefix(console).startswith(area))


def pages(page: Page, *, console: str, area: str | None = None) -> Iterator[str]:
    """Opens one page of every shape that links of these pages lead to, beginning at home, and gives its shape.

    With `area`, only those that lie there.
    """
    waiting, known = [console], {shape_of(console)}
    while waiting:
        answer = page.goto(waiting.pop(0))
        assert answer is not None
        assert answer.status == 200, f"a link leads to {page.url}, which is answered {answer.status}"
        links = page.evaluate(LINKS)
        if area in (None, area_of(page.url, console=console)):
            yield shape_of(page.url)
        for url in links:
            if not url.startswith(console) or "/logout/" in url:
                continue
            if (shape := shape_of(url)) not in known and area in (None, area_of(url, console=console)):
                known.add(shape)
                waiting.append(url.partition("#")[0])
