"""Every page of the console, found as people find it: by its links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, urljoin, urlsplit

from playwright.sync_api import Page

LINKS = """
    [...document.querySelectorAll('a[href]:not([download]):not([target=_blank])')].map(link => link.href)"""
# A choice within a page: a list that is filtered, sorted or turned is the same page.
CHOICES = re.compile(r"^(?!.*instance).*$")


def shape_of(url: str) -> str:
    """Pages of one kind have one shape: ids are left out, and choices within a page."""
    parts = urlsplit(url)
    path = re.sub(r"\d+", "N", parts.path)
    named = sorted(name for name, value in parse_qsl(parts.query) if value.isdigit() and not CHOICES.match(name))
    return path + ("?" + "&".join(named) if named else "")


def pages(page: Page, *, console: str) -> Iterator[str]:
    """Opens one page of every shape that links lead to, beginning at the home page, and gives its shape."""
    waiting, known = [console], {shape_of(console)}
    while waiting:
        answer = page.goto(waiting.pop(0), wait_until="load")
        assert answer is not None
        assert answer.status == 200, f"a link leads to {page.url}, which is answered {answer.status}"
        yield shape_of(page.url)
        for link in page.evaluate(LINKS):
            url = urljoin(console, link)
            if not url.startswith(console) or "/logout/" in url:
                continue
            if (shape := shape_of(url)) not in known:
                known.add(shape)
                waiting.append(url.partition("#")[0])
