"""Every page of the console, found as people find it: by its links."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from urllib.parse import parse_qsl, urlsplit

from playwright.sync_api import Page

LINKS = "[...document.querySelectorAll('a[href]:not([download]):not([target=_blank])')].map(link => link.href)"


def shape_of(url: str) -> str:
    """Pages of one kind have one shape: ids are left out, and so are choices within a page but for the instance."""
    parts = urlsplit(url)
    path = re.sub(r"\d+", "N", parts.path)
    named = sorted(name for name, value in parse_qsl(parts.query) if value.isdigit() and "instance" in name)
    return path + ("?" + "&".join(named) if named else "")


def pages(page: Page, *, console: str) -> Iterator[str]:
    """Opens one page of every shape that links of these pages lead to, beginning at home, and gives its shape."""
    waiting, known = [console], {shape_of(console)}
    while waiting:
        answer = page.goto(waiting.pop(0))
        assert answer is not None
        assert answer.status == 200, f"a link leads to {page.url}, which is answered {answer.status}"
        links = page.evaluate(LINKS)
        yield shape_of(page.url)
        waiting += new_links(links, console=console, known=known)


def new_links(links: Iterable[str], *, console: str, known: set[str]) -> list[str]:
    """One link to each kind of page that is not known yet; `known` then knows it."""
    found = []
    for url in links:
        if url.startswith(console) and "/logout/" not in url and (shape := shape_of(url)) not in known:
            known.add(shape)
            found.append(url.partition("#")[0])
    return found
