"""Health at a glance: numbers, each with the list behind it."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from events import tallies
from events.models import (
    ActivityTally,
    Callback,
    Circuit,
    Delivery,
    DeliveryAttempt,
    Event,
    Registration,
    Subscription,
)
from instances.models import Instance, User
from polling.models import PollCursor
from tests.factories import InboxFactory, InstanceFactory, UserFactory

FIGURE = re.compile(
    r'<a class="home-figure is-(\w+)" id="figure-([\w-]+)" href="([^"]+)">.*?<strong>(.*?)</strong>', re.DOTALL
)


@pytest.fixture
def browser(client: Client, owner: User) -> Client:
    client.force_login(owner)
    return client


def figures(browser: Client) -> dict[str, tuple[str, str, str]]:
    """Tone, URL and value by the figure's id."""
    page = browser.get("/console/").content.decode()
    return {name: (tone, html.unescape(url), value) for tone, name, url, value in FIGURE.findall(page)}


def rows_of(answer: Any) -> list[Any]:
    return list(answer.context_data["cl"].result_list)


def trouble(user: User) -> Instance:
    """One of everything that a figure is about, and an instance that is well."""
    InstanceFactory.create(user=user)
    InstanceFactory.create(user=user, is_valid=False)
    InstanceFactory.create(user=user, is_disabled=True)
    polled = InstanceFactory.create(user=user, is_events_enabled=True)
    now = timezone.now()
    troubles: dict[str, dict[str, Any]] = {
        "contacts": {"is_active": False},
        "organizations": {"failures": 2},
        "incidents": {"next_poll_at": now - timedelta(minutes=5)},
    }
    for resource, columns in troubles.items():
        PollCursor.objects.create(
            instance=polled, resource=resource, reads=resource, watermark=now, baseline_at=now, **columns
        )
    told = InboxFactory.create(instance__user=user, instance__registration_problem="403")
    assert told.instance is not None
    for state in Registration.STATES:
        Registration.objects.create(inbox=told, type="contact", level="owner", object_id=state, state=state)
    for state in Callback.STATES:
        Callback.objects.create(instance=told.instance, state=state, method="POST", body=b"{}")
    receiving(polled)
    receiving(told.instance)
    return polled


def receiving(instance: Instance) -> None:
    """A receiver that is left alone, or was given up; a delivery in each state."""
    is_given_up = instance.event_method == "webhook"
    subscription = Subscription.objects.create(
        organization=instance.organization,
        instance=instance,
        topics=[],
        url="http://x.test",
        state=Subscription.DEACTIVATED if is_given_up else Subscription.ACTIVE,
    )
    Circuit.objects.create(subscription=subscription, state=Circuit.OPEN)
    began = timezone.now() - timedelta(hours=5)
    for state in Delivery.STATES:
        event = Event.objects.create(instance=instance, source=Event.POLL, change_count=1, body=b"{}", created_at=began)
        delivery = Delivery.objects.create(
            event=event,
            subscription=subscription,
            organization=instance.organization,
            state=state,
            created_at=began,
        )
        error_class = "" if state == Delivery.DELIVERED else "timeout"
        DeliveryAttempt.objects.create(
            delivery=delivery, number=1, started_at=began, duration_ms=1, error_class=error_class
        )


def test_each_number_leads_to_as_many_rows(browser: Client, owner: User, stranger: User) -> None:
    trouble(owner)
    trouble(stranger)
    tallies.count()
    this_hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    too_old: dict[str, Any] = {"organization": owner.organization, "starts_at": this_hour - timedelta(hours=24)}
    ActivityTally.objects.create(**too_old, events=99, delivered=99, failed=0)

    found = figures(browser)

    assert {name: (tone, value) for name, (tone, _, value) in found.items()} == {
        "ready": ("good", "2"),
        "events-on": ("plain", "2"),
        "needs-attention": ("bad", "1"),
        "registrations-incomplete": ("warning", "1"),
        "disabled": ("plain", "1"),
        "attempts-that-failed": ("bad", "75 %"),
        "pending": ("plain", "2"),
        "queued": ("warning", "2"),
        "oldest-undelivered": ("bad", "5 hours"),
        "receivers-left-alone": ("warning", "1"),
        "subscriptions-deactivated": ("bad", "1"),
        "pollers-behind": ("warning", "1"),
        "pollers-failing": ("warning", "1"),
        "pollers-stopped": ("bad", "1"),
        "registrations-missing": ("warning", "1"),
        "registrations-refused": ("bad", "1"),
        "callbacks-waiting": ("plain", "1"),
        "callbacks-parked": ("warning", "1"),
    }
    for name, (_, url, value) in found.items():
        answer = browser.get(url)
        assert answer.status_code == 200, name
        if value.isdecimal():
            assert len(rows_of(answer)) == int(value), name


def test_charts_are_drawn_from_data_that_is_there_as_a_table_too(browser: Client, owner: User) -> None:
    trouble(owner)
    tallies.count()

    page = browser.get("/console/?period=7d").content.decode()

    assert "8 events in 7 days" in page
    assert "8 attempts, 75 % of them failed in 7 days" in page
    assert re.search(r'<script type="application/json">\{"labels": \[.*"tone": "bad"', page)
    # By their ids the focus stays where it is when the page renews itself.
    rows = re.findall(r'<th scope="row"><a class="console-link" id="([\w-]+)" href="([^"]+)">', page)
    assert len({name for name, _ in rows}) == len(rows) == 2
    in_that_time = browser.get(html.unescape(rows[0][1]))
    assert len(rows_of(in_that_time)) == 8
    assert 'aria-current="true">7 days</a>' in page
    assert "24 hours</a>" in browser.get("/console/?period=nonsense").content.decode()


def test_the_page_asks_as_many_questions_for_many_as_for_one(
    browser: Client, owner: User, django_assert_max_num_queries
) -> None:
    trouble(owner)
    with django_assert_max_num_queries(18):
        browser.get("/console/")
    for _ in range(5):
        trouble(owner)
    with django_assert_max_num_queries(18):
        browser.get("/console/")


def test_who_has_nothing_yet_is_told_how_to_begin(browser: Client, owner: User, stranger: User) -> None:
    InstanceFactory.create(user=stranger)
    page = browser.get("/console/").content.decode()
    assert 'href="/console/instances/instance/add/"' in page
    assert "Get your first event" in page
    assert "home-live" not in page

    User.objects.filter(pk=owner.pk).update(role=User.VIEWER)
    page = browser.get("/console/").content.decode()
    assert 'href="/console/instances/instance/add/"' not in page
    assert "Your role only looks on" in page


def test_superusers_see_the_numbers_of_all_and_nobody_those_of_others(
    client: Client, owner: User, stranger: User
) -> None:
    trouble(owner)
    trouble(stranger)
    tallies.count()
    root = UserFactory.create(is_superuser=True, organization=None)
    client.force_login(root)
    assert {figures(client)[name][2] for name in ("ready", "pending", "queued")} == {"4"}

    nobodys = UserFactory.create(organization=None)
    client.force_login(nobodys)
    assert "Get your first event" in client.get("/console/").content.decode()


def test_sorting_instances_by_their_switch_lists_each_of_them_once(browser: Client, owner: User) -> None:
    trouble(owner)

    for column in range(1, 6):
        found = [one.pk for one in rows_of(browser.get(f"/console/instances/instance/?o={column}"))]
        assert sorted(found) == sorted(Instance.objects.values_list("pk", flat=True)), column
