"""What a poll would do, why somebody did not get something, and how to send it again."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.journeys.browser.visitor import DESK, PHONE
from tests.journeys.running import eventually

pytestmark = pytest.mark.stack


def test_dry_run_shows_what_is_asked_and_what_would_become_of_each_record(
    visit, client, sandbox, receiver, instance_body
):
    # So seldom that no poll comes in between.
    rarely = {"configuration": instance_body["configuration"] | {"event.poller.refresh_interval": "600"}}
    instance = client.post("/instances", instance_body | rarely)
    visitor = visit(width=DESK)
    page = visitor.open(f"instances/instance/{instance['id']}/change/")
    page.get_by_role("link", name="Pollers", exact=True).last.click()
    expect(page.get_by_role("row").filter(has_text="contacts")).to_be_visible()
    eventually(lambda: any(r.path.endswith("/company/contacts") for r in sandbox.requests))
    sandbox.clock.advance(seconds=60)
    sandbox.contacts.edit(7, title="CTO")

    page.get_by_role("row").filter(has_text="contacts").get_by_role("link").first.click()
    page.get_by_role("link", name="Dry run").click()
    visitor.click("Run it")
    visitor.sees("What a poll would do now")
    expect(page.get_by_role("region", name="Request 1")).to_contain_text("/company/contacts")
    expect(page.get_by_role("region", name="Request 1")).not_to_contain_text(sandbox.private_key)
    expect(page.get_by_role("row").filter(has_text="Updated").filter(has_text="7")).to_be_visible()
    expect(page.get_by_role("region", name="Notification").first).to_contain_text('"objectId": "7"')
    assert receiver.notifications == []
    client.delete(f"/instances/{instance['id']}")


def test_trace_says_what_became_of_a_record(visit, polling_instance, sandbox, receiver):
    sandbox.contacts.edit(7, title="CTO")
    receiver.wait_for(1, seconds=30)
    visitor = visit(width=PHONE)
    page = visitor.open(f"instances/instance/{polling_instance['id']}/change/")
    page.get_by_role("link", name="Trace", exact=True).click()
    page.get_by_label("Object type").select_option("contacts")
    page.get_by_label("Object id").fill("7")
    page.keyboard.press("Enter")
    visitor.sees("delivered")
    assert visitor.fits()


def test_replay_shows_what_it_would_send_before_it_begins_and_how_far_it_is(visit, polling_instance, sandbox, receiver):
    for number in (3, 4, 5):
        sandbox.contacts.edit(number, title="CTO")
        receiver.wait_for(number - 2, seconds=30)
    visitor = visit(width=PHONE)
    page = visitor.open("events/replay/")
    page.get_by_role("link", name="Begin a replay").click()
    page.get_by_label("Instance").fill(str(polling_instance["id"]))
    page.get_by_role("checkbox", name="Delivered").check()
    visitor.click("Preview")
    visitor.sees("3 deliveries would begin again")
    assert len(receiver.notifications) == 3

    visitor.click("Begin the replay")
    visitor.sees("100 % begun")
    expect(page.locator(".replay-outcomes div").filter(has_text="Delivered")).to_contain_text("3")
    assert len(receiver.notifications) == 6
    assert visitor.fits()
