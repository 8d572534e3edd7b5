"""What every page of the console promises: anybody can use it, on a phone, too, and nothing foreign runs in it."""

from __future__ import annotations

import pytest

from tests.journeys.browser.accessibility import findings
from tests.journeys.browser.household import FLAG
from tests.journeys.browser.visitor import DESK, PHONE, Visitor
from tests.journeys.browser.walk import pages

pytestmark = [pytest.mark.stack, pytest.mark.every_page]

LEAST = 40
"""Kinds of pages that there are at least."""
BAD_LINKS = "document.querySelectorAll('[href^=\"javascript:\" i], [onclick], [onload], [onerror]').length"


def what_is_wrong_with(visitor: Visitor, *, is_dark: bool, is_frame_known: bool, is_list_known: bool) -> list[str]:
    page = visitor.page
    wrong = [] if is_list_known else findings(page, is_dark=is_dark, is_frame_known=is_frame_known)
    page.set_viewport_size({"width": PHONE, "height": 800})
    if not visitor.fits():
        wrong.append("the page scrolls sideways on a phone")
    page.set_viewport_size({"width": DESK, "height": 900})
    if page.evaluate(FLAG) is not None:
        wrong.append(f"foreign script ran: {page.evaluate(FLAG)}")
    if page.evaluate(BAD_LINKS):
        wrong.append("there is script in an attribute")
    return wrong


@pytest.mark.timeout(300)
def test_every_page_can_be_used_by_everybody_and_runs_nothing_foreign(visit, household, console):
    """Every other page is looked at in the dark: what pages are made of stands on many of them.

    A list that is a tab of an instance is the list with the instance's head above: the first of them is looked at.
    """
    visitor = visit()
    wrong: dict[str, list[str]] = {}
    seen: set[str] = set()
    is_tab_known = False
    for number, shape in enumerate(pages(visitor.page, console=console)):
        is_tab = "?" in shape
        if found := what_is_wrong_with(
            visitor,
            is_dark=number % 2 == 1,
            is_frame_known=number > 1,
            is_list_known=is_tab and is_tab_known,
        ):
            wrong[shape] = found
        is_tab_known |= is_tab
        seen.add(shape)
    assert wrong == {}
    assert len(seen) >= LEAST
