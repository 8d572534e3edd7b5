"""An account manager who has never seen the API connects an account and watches over what it tells."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from playwright.sync_api import Locator, expect

from connectors.sandbox import Sandbox
from tests.journeys.browser.accessibility import findings
from tests.journeys.browser.visitor import DESK, PHONE, Visitor

pytestmark = pytest.mark.stack


@dataclass(frozen=True, slots=True)
class Element:
    """What the form of an element asks an account manager for."""

    name: str
    url_label: str
    url: str
    company_label: str
    user_label: str
    password_label: str


def rest(sandbox: Sandbox) -> Element:
    return Element("connectwisecrmrest", "ConnectWise URL", sandbox.base_url, "Company", "Public Key", "Private Key")


def help_desk(sandbox: Sandbox) -> Element:
    return Element("connectwisehd", "Server URL", sandbox.url, "Company", "User Name", "Password")


def field(visitor: Visitor, label: str) -> Locator:
    return visitor.page.get_by_label(re.compile(rf"^\s*{re.escape(label)}(\s+optional)?\s*$"))


def fill(visitor: Visitor, label: str, text: str) -> None:
    field(visitor, label).fill(text)


def connect(visitor: Visitor, element: Element, sandbox: Sandbox) -> None:
    """As far as a connection that works: with a wrong password first."""
    page = visitor.open("instances/instance/")
    page.get_by_role("link", name="Create instance").first.click()
    card = page.locator(".catalogue-card").filter(has_text=element.name)
    card.get_by_role("link", name="Authenticate").click()
    fill(visitor, "Name", "Acme PSA")
    fill(visitor, element.url_label, element.url)
    fill(visitor, element.company_label, sandbox.company)
    fill(visitor, element.user_label, sandbox.public_key)
    fill(visitor, element.password_label, "mistyped")
    visitor.click("Test connection")
    visitor.sees("The connection does not work.")
    fill(visitor, element.password_label, sandbox.private_key)
    visitor.click("Test connection")
    visitor.sees("The connection works.")


@pytest.mark.parametrize(("element_of", "width"), [(rest, PHONE), (help_desk, DESK)])
def test_account_manager_connects_an_account_and_finds_out_why_an_event_did_not_arrive(
    element_of, width, visit, client, sandbox, receiver
):
    element = element_of(sandbox)
    visitor = visit(width=width)
    page = visitor.page
    is_dark = width == DESK
    connect(visitor, element, sandbox)

    page.get_by_role("switch", name="Events Enabled").check()
    fill(visitor, "Event Notification Callback URL", "no address")
    visitor.click("Generate")
    if element_of is rest:
        fill(visitor, "Event poller refresh interval (mins)", "0.005")
    expect(page.locator("#request-text")).to_contain_text('"name": "Acme PSA"')
    expect(page.locator("#request-text")).not_to_contain_text(sandbox.private_key)
    assert findings(page, is_dark=is_dark) == []
    visitor.click("Create Instance")
    callback_url = field(visitor, "Event Notification Callback URL")
    expect(callback_url).to_be_focused()
    expect(callback_url).to_have_attribute("aria-invalid", "true")
    callback_url.fill(f"{receiver.url}/callback")
    visitor.click("Create Instance")

    visitor.sees("What now?")
    assert findings(page, is_dark=is_dark) == []
    assert visitor.fits()
    page.get_by_role("link", name="Watch events").click()
    visitor.sees("No events yet")
    sandbox.contacts.edit(7, title="CTO")
    expect(page.get_by_role("row").filter(has_text="contacts 7")).to_contain_text("1 of 1")

    receiver.behave(status=503, body="down for the afternoon", times=None)
    sandbox.contacts.edit(8, title="CFO")
    waiting = page.get_by_role("row").filter(has_text="contacts 8")
    expect(waiting).to_contain_text("0 of 1")
    assert findings(page, is_dark=is_dark) == []
    assert visitor.fits()
    waiting.get_by_role("link").first.click()
    visitor.sees("HTTP 503")
    page.get_by_text("Request and answer").first.click()
    visitor.sees("down for the afternoon")
    visitor.sees("Retries")
    assert findings(page, is_dark=is_dark) == []
    assert visitor.fits()

    receiver.behave_well()
    visitor.click("Redeliver")
    expect(page.locator("#stories .console-badge", has_text="delivered").first).to_be_visible()
    # A retry by itself may have been quicker than the click: then the same notification came twice.
    assert len({one.raw_body for one in receiver.accepted}) == 2
