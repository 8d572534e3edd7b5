"""Events Enabled, where it is shown: one press, an answer in place, and a way back."""

from __future__ import annotations

import pytest
import requests
from playwright.sync_api import expect

from tests.journeys.browser.conftest import OWNER, PASSWORD, VIEWER
from tests.journeys.browser.visitor import DESK, PHONE

pytestmark = pytest.mark.stack

IS_FOCUSED = "element => element === document.activeElement"


def test_switch_is_reached_pressed_and_taken_back_with_the_keyboard_alone(visit, client, polling_instance):
    visitor = visit(who=None)
    page = visitor.open(f"instances/instance/?q={polling_instance['id']}")
    expect(page.get_by_label("Email")).to_be_focused()
    page.keyboard.type(OWNER)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    switch = page.get_by_role("switch", name=f"Events Enabled of {polling_instance['name']}")
    expect(switch).to_be_checked()

    for _ in range(80):
        if switch.evaluate(IS_FOCUSED):
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(switch).not_to_be_checked()
    expect(switch).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(switch).to_be_checked()
    assert client.get(f"/instances/{polling_instance['id']}")["eventsEnabled"] is True


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_provider_that_refuses_is_quoted_beside_the_switch_that_stays_as_it_was(
    width, visit, client, sandbox, polling_instance
):
    client.patch(f"/instances/{polling_instance['id']}", {"configuration": {"event.notification.enabled": "false"}})
    visitor = visit(width=width)
    page = visitor.open(f"instances/instance/?q={polling_instance['id']}")
    switch = page.get_by_role("switch", name=f"Events Enabled of {polling_instance['name']}")
    sandbox.behave(status=401, times=None)
    switch.click()

    visitor.sees("Not switched on")
    visitor.sees("The provider said")
    expect(switch).not_to_be_checked()
    assert visitor.fits()

    sandbox.behave_well()
    switch.click()
    expect(switch).to_be_checked()
    expect(page.get_by_text("Not switched on")).to_have_count(0)


def test_no_other_site_can_switch_and_no_viewer(visit, console, client, polling_instance):
    address = f"{console}instances/instance/{polling_instance['id']}/events/"
    visitor = visit(width=PHONE)
    visitor.open(f"instances/instance/{polling_instance['id']}/change/")
    cookies = {one["name"]: one["value"] for one in visitor.context.cookies()}
    assert requests.post(address, data={"on": "false"}, cookies=cookies, timeout=20).status_code == 403

    looking_on = visit(who=VIEWER)
    page = looking_on.open("instances/instance/")
    looking_on.sees(polling_instance["name"])
    assert page.get_by_role("switch").count() == 0
    token = next(one["value"] for one in looking_on.context.cookies() if one["name"] == "csrftoken")
    refused = page.request.post(address, form={"on": "false"}, headers={"X-CSRFToken": token, "Referer": console})
    assert refused.status == 403
    assert client.get(f"/instances/{polling_instance['id']}")["eventsEnabled"] is True
