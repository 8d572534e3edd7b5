"""Who gets into the console, and where to."""

from __future__ import annotations

import pytest

from tests.journeys.browser.accessibility import findings
from tests.journeys.browser.conftest import OWNER, PASSWORD
from tests.journeys.browser.visitor import PHONE

pytestmark = pytest.mark.stack


def test_who_signs_in_goes_on_where_they_wanted_to_but_never_to_another_site(visit, console):
    visitor = visit(width=PHONE, who=None)
    page = visitor.open("events/event/")
    visitor.try_to_sign_in(OWNER, "not the password")
    visitor.sees("The e-mail address or the password is wrong.")
    assert findings(page) == []
    visitor.sign_in(OWNER, PASSWORD)
    assert page.url == f"{console}events/event/"

    page.context.clear_cookies()
    visitor.open("login/?next=/\\evil.example")
    visitor.sign_in(OWNER, PASSWORD)
    assert page.url.startswith(console)
