"""What every page of the console promises: anybody can use it, on a phone, too, and nothing foreign runs in it."""

from __future__ import annotations

import pytest

from tests.journeys.browser.accessibility import findings
from tests.journeys.browser.household import FLAG
from tests.journeys.browser.visitor import DESK, PHONE, Visitor
from tests.journeys.browser.walk import AREAS, pages

pytestmark = pytest.mark.stack

BAD_LINKS = "document.querySelectorAll('[href^=\"javascript:\" i], [onclick], [onload], [onerror]').length"


def what_is_wrong_with(visitor: Visitor, *, is_frame_known: bool) -> list[str]:
    page = visitor.page
    wrong = findings(page, is_frame_known=is_frame_known)
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
@pytest.mark.parametrize(("area", "least"), zip(AREAS, (8, 12, 6, 3), strict=True))
def test_every_page_can_be_used_by_everybody_and_runs_nothing_foreign(area, least, visit, household, console):
    visitor = visit()
    wrong: dict[str, list[str]] = {}
    seen: set[str] = set()
    for shape in pages(visitor.page, console=console, area=area):
        if found := what_is_wrong_with(visitor, is_frame_known=area != ""):
            wrong[shape] = found
        seen.add(shape)
    assert wrong == {}
    assert len(seen) >= least
