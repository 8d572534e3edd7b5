from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from instances import heartbeats
from instances.models import Heartbeat, User
from tests.factories import UserFactory


@pytest.fixture
def manager(owner: User) -> User:
    owner.is_staff = True
    owner.save()
    return owner


@pytest.fixture
def browser(client: Client, manager: User) -> Client:
    client.force_login(manager)
    return client


def beat(queue: str, *, ago: timedelta) -> None:
    Heartbeat.objects.update_or_create(queue=queue, defaults={"seen_at": timezone.now() - ago})


def test_every_page_says_who_does_not_work_and_what_that_means(browser: Client) -> None:
    for queue in heartbeats.QUEUES:
        beat(queue, ago=timedelta(seconds=5))
    assert "stands still" not in browser.get("/console/").content.decode()

    beat("polling", ago=timedelta(minutes=3))
    for path in ("/console/", "/console/events/event/", "/console/password_change/"):
        page = browser.get(path).content.decode()
        assert "Polling stands still" in page
        assert "Changes at providers are not noticed" in page
        assert "Delivery stands still" not in page

    Heartbeat.objects.all().delete()
    assert "nobody has ever looked after it" in browser.get("/console/").content.decode()


def test_pages_have_landmarks_a_way_to_skip_the_menu_and_a_footer(browser: Client) -> None:
    page = browser.get("/console/").content.decode()

    assert page.index('class="console-skip" href="#console-main"') < page.index("<nav")
    assert page.count('<main class="@container px-4 pb-4 grow" tabindex="-1" id="console-main">') == 1
    assert page.count("<h1") == 1
    assert 'href="/elements/api-docs"' in page
    assert "<span>Switchyard 0.1.0</span>" in page
    assert "onclick" not in page


def test_what_is_not_there_or_not_allowed_is_said_with_the_menu_around_it(browser: Client) -> None:
    missing = browser.get("/console/instances/instance/4711/change/")
    assert missing.status_code == 404
    assert "There is nothing here" in missing.content.decode()
    assert "nav-sidebar" in missing.content.decode()

    unknown = browser.get("/console/instances/instance/?no_such_field__exact=1")
    assert unknown.status_code == 400
    assert "This address is not understood" in unknown.content.decode()
    assert "nav-sidebar" in unknown.content.decode()

    User.objects.update(role=User.VIEWER)
    refused = browser.get("/console/instances/auditentry/")
    assert refused.status_code == 403
    assert "Your role does not allow it" in refused.content.decode()

    assert browser.get("/console/instances/user/?role__exact=%00").status_code == 404

    # Signed out, nobody learns what is there: everything leads to the page to sign in at.
    assert Client().get("/console/nothing/").status_code == 302
    assert Client().get("/nothing").headers["Content-Type"] == "text/plain"


def test_a_failure_of_ours_is_a_page_that_needs_no_database(browser: Client) -> None:
    browser.raise_request_exception = False
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE events_event RENAME TO away")

    answer = browser.get("/console/events/event/")

    assert answer.status_code == 500
    assert "Something of ours failed" in answer.content.decode()


def test_htmx_is_told_to_reload_when_nobody_is_signed_in_any_more(browser: Client) -> None:
    browser.logout()

    answer = browser.get("/console/", headers={"HX-Request": "true"})

    assert (answer.status_code, answer.headers["HX-Refresh"]) == (204, "true")


def test_the_page_to_sign_in_at_says_what_this_is_and_has_labels(db: None, client: Client) -> None:
    page = client.get("/console/login/?next=/console/events/event/").content.decode()

    assert "<h1>Switchyard</h1>" in page
    assert 'action="/console/login/?next=/console/events/event/"' in page
    assert page.count('<label for="id_') == 2

    visitor = UserFactory.create(email="visitor@example.com", is_staff=False)
    client.force_login(visitor)
    assert "may not see the console" in client.get("/console/login/").content.decode()


def test_a_form_that_was_open_too_long_says_so() -> None:
    answer = Client(enforce_csrf_checks=True).post("/console/login/", {"username": "a", "password": "b"})

    assert answer.status_code == 403
    assert "open too long" in answer.content.decode()
