"""What a viewer does not see, and what everybody sees when nobody does the work."""

from __future__ import annotations

from typing import Any

import pytest

from tests.journeys.browser.conftest import VIEWER
from tests.journeys.browser.household import HOSTILE
from tests.journeys.browser.visitor import PHONE
from tests.journeys.browser.walk import pages
from tests.journeys.running import Stack, eventually

pytestmark = pytest.mark.stack

CANARY = HOSTILE[:30]
CHANGING = "main form[method=post], main [hx-post], main [role=switch][name=on]"


def test_viewer_sees_no_bodies_no_secrets_and_nothing_to_change(visit, household, console):
    """Own password, own secrets and signing out are theirs to change."""
    visitor = visit(who=VIEWER)
    wrong: dict[str, Any] = {}
    for shape in pages(visitor.page, console=console):
        text = visitor.page.content()
        secrets = [household.polling["token"], household.sandbox.private_key, "smuggled"]
        if found := [secret for secret in secrets if secret in text]:
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
        return page.get_by_text("Polling stands still").is_visible()

    eventually(is_named_once_it_was_silent, seconds=30)
    assert not visitor.is_too_wide()

    def is_gone() -> bool:
        visitor.open()
        return page.get_by_text("Polling stands still").count() == 0

    eventually(is_gone, seconds=30, every=1)
