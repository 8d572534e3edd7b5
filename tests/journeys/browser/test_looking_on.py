"""What a viewer does not see, and what everybody sees when nobody does the work."""

from __future__ import annotations

import pytest

from tests.journeys.browser.conftest import VIEWER
from tests.journeys.browser.household import CONFIDENTIAL
from tests.journeys.browser.visitor import PHONE
from tests.journeys.browser.walk import pages
from tests.journeys.running import Stack, eventually

pytestmark = pytest.mark.stack

PRESSED = "form[method=post] :is(button:not([type=button]), input[type=submit])"
CHANGES_SOMETHING = f"main :is({PRESSED}, [name=action], [hx-post], [hx-delete])"
OWN = ("/console/secrets/", "/console/password_change/")
"""What is a viewer's own to change."""


@pytest.mark.timeout(300)
def test_viewer_sees_no_bodies_no_secrets_and_nothing_to_change(visit, household, console):
    visitor = visit(who=VIEWER)
    secrets = (household.polling["token"], household.help_desk["token"], household.sandbox.private_key, CONFIDENTIAL)
    wrong: dict[str, list[str]] = {}
    for shape in pages(visitor.page, console=console):
        source = visitor.page.content()
        found = [secret for secret in secrets if secret in source]
        if not shape.startswith(OWN):
            found += [
                one.evaluate("element => element.outerHTML.slice(0, 200)")
                for one in visitor.page.locator(CHANGES_SOMETHING).all()
            ]
        if found:
            wrong[shape] = found
    assert wrong == {}


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
