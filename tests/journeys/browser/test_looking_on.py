"""What a viewer does not see, and what everybody sees when nobody does the work."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urljoin

import pytest
import requests

from tests.journeys.browser.conftest import VIEWER
from tests.journeys.browser.household import CONFIDENTIAL
from tests.journeys.browser.visitor import PHONE
from tests.journeys.browser.walk import new_links, shape_of
from tests.journeys.running import Stack, eventually

pytestmark = pytest.mark.stack

OWN = ("/console/secrets/", "/console/password_change/")
"""What is a viewer's own to change."""


LEAST = 30
"""Kinds of pages that a viewer gets to at least."""


class Source(HTMLParser):
    """Links of a page, and what stands in its main part to change something with."""

    def __init__(self, text: str, *, url: str) -> None:
        super().__init__()
        self.url = url
        self.links: list[str] = []
        self.changes: list[str] = []
        self._is_main = self._is_posting = False
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        said = dict(attributes)
        if tag == "main":
            self._is_main = True
        elif tag == "form":
            self._is_posting = (said.get("method") or "").lower() == "post"
        elif tag == "a" and "download" not in said and said.get("target") != "_blank" and said.get("href"):
            self.links.append(urljoin(self.url, said["href"]))
        submits = (tag == "button" and said.get("type") != "button") or (
            tag == "input" and said.get("type") == "submit"
        )
        if self._is_main and (
            (self._is_posting and submits) or said.get("name") == "action" or {"hx-post", "hx-delete"} & set(said)
        ):
            self.changes.append(self.get_starttag_text() or tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._is_posting = False
        elif tag == "main":
            self._is_main = False


def test_viewer_sees_no_bodies_no_secrets_and_nothing_to_change(signed_in, household, console):
    """What is sent is looked at, whether a browser would show it or not."""
    asking = requests.Session()
    asking.cookies.update({cookie["name"]: cookie["value"] for cookie in signed_in(VIEWER)["cookies"]})
    secrets = (household.polling["token"], household.help_desk["token"], household.sandbox.private_key, CONFIDENTIAL)
    wrong: dict[str, list[str]] = {}
    waiting, known = [console], {shape_of(console)}
    while waiting:
        answer = asking.get(waiting.pop(0), timeout=30)
        assert answer.status_code == 200, answer.url
        source = Source(answer.text, url=answer.url)
        found = [secret for secret in secrets if secret in answer.text]
        if not shape_of(answer.url).startswith(OWN):
            found += source.changes
        if found:
            wrong[answer.url] = found
        waiting += new_links(source.links, console=console, known=known)
    assert wrong == {}
    assert len(known) >= LEAST


def test_queue_that_nobody_works_on_is_named_on_every_page(visit, stack: Stack):
    visitor = visit(width=PHONE)
    page = visitor.page

    def is_named_once_it_was_silent() -> bool:
        # The worker is well: it will be back with its next beat.
        with stack.database() as database:
            database.execute(
                "UPDATE instances_heartbeat SET seen_at = now() - interval '1 hour' WHERE queue = 'polling'"
            )
        visitor.open("events/event/")
        return bool(page.get_by_text("Polling stands still").is_visible())

    eventually(is_named_once_it_was_silent, seconds=30)
    assert visitor.fits()

    def is_gone() -> bool:
        visitor.open()
        return bool(page.get_by_text("Polling stands still").count() == 0)

    eventually(is_gone, seconds=30, every=1)
