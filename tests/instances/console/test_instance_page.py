"""The first tab of an instance's page, and the head that all its tabs have."""

from __future__ import annotations

import pytest

from instances.models import Instance
from tests.events.conftest import make_instance, publish
from tests.factories import CONNECTWISE, InstanceFactory, token_of

KEY = "event.notification.signature.key"
URL = "event.notification.callback.url"
LOST = ["w0R2Vbkq1fGm1k5Xh1l5t1nF1kz0J3m7Y8a9b0c1d2E="]
"""Keys that nothing in these tests is encrypted with."""


def path_of(instance: Instance) -> str:
    return f"/console/instances/instance/{instance.pk}/change/"


def test_page_shows_how_it_is_and_no_secret(console, owner):
    sent = {URL: "https://app.example.com/ce?key=canary-b", KEY: "canary-signature-key-000"}
    instance = InstanceFactory.create(user=owner, name="<i>Acme</i>", tags=["gold"], sent=sent)

    page = console.get(path_of(instance)).content.decode()

    assert "&lt;i&gt;Acme&lt;/i&gt;" in page
    assert "<i>Acme</i>" not in page
    assert "https://app.example.com/ce?…" in page
    assert "contacts, incidents, organizations" in page
    assert "every 15 minutes" in page
    assert "9 within 3 days of the first failure, as the organization has it" in page
    assert owner.email in page
    assert "canary" not in page
    for secret in (token_of(instance), CONNECTWISE["private.key"], instance.token_hash):
        assert secret not in page


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"is_valid": False, "invalid_reason": "It said 401"}, ["Needs attention", "It said 401", "?reauthenticate"]),
        ({"registration_problem": "ticket: not allowed"}, ["Registrations incomplete", "ticket: not allowed"]),
        ({"is_disabled": True}, ["Disabled", ">Enable</button>"]),
        ({"is_events_enabled": True}, ["there is no callback URL"]),
    ],
)
def test_page_says_what_is_in_the_way_and_what_to_do_about_it(console, owner, columns, words):
    page = console.get(path_of(InstanceFactory.create(user=owner, **columns))).content.decode()

    for expected in words:
        assert expected in page


def test_latest_events_and_failures_lead_to_their_pages(console, owner):
    instance = make_instance(owner, "http://127.0.0.1:8099/")
    newest = publish(instance, 7)[-1]
    instance.subscription.deliveries.update(state="queued", first_failed_at=newest.created_at, attempts_made=10)
    instance.subscription.state, instance.subscription.deactivated_reason = "deactivated", "HTTP 500 for 3 days"
    instance.subscription.save()

    page = console.get(path_of(instance))

    text = page.content.decode()
    assert f'href="/console/events/event/{newest.pk}/change/"' in text
    assert "HTTP 500 for 3 days" in text
    assert [(one.label, one.value) for one in page.context["numbers"]] == [
        *(("events in 24 hours", "7"), ("delivered in 24 hours", "0")),
        *(("pending now", "0"), ("queued now", "7")),
    ]
    events, failures = page.context["panels"]
    assert [len(one.rows) for one in (events, failures)] == [5, 5]
    assert [len(console.get(one.url).context["cl"].result_list) for one in (events, failures)] == [7, 7]
    instance.subscription.deliveries.update(state="delivered")
    assert len(console.get(failures.url).context["cl"].result_list) == 0


def test_page_takes_as_many_queries_for_many_events_as_for_few(console, owner, django_assert_max_num_queries):
    instance = make_instance(owner, "http://127.0.0.1:8099/")
    publish(instance, 3)
    with django_assert_max_num_queries(40) as few:
        console.get(path_of(instance))
    publish(instance, 27, first=4)

    with django_assert_max_num_queries(len(few)):
        console.get(path_of(instance))


def test_page_of_an_instance_whose_secrets_are_lost_says_which_key_is_missing(console, owner, settings):
    instance = InstanceFactory.create(user=owner, sent={KEY: "abcd1234efgh5678"})
    settings.FERNET_KEYS = LOST

    page = console.get(path_of(instance))

    assert page.status_code == 200
    assert "missing from FERNET_KEYS" in page.content.decode()
    assert console.get(f"/console/instances/instance/{instance.pk}/signing-key/").status_code == 200


def test_viewer_sees_the_page_without_anything_that_changes_or_opens_the_account(viewer, owner):
    instance = InstanceFactory.create(user=owner)

    page = viewer.get(path_of(instance)).content.decode()

    assert instance.name in page
    for forbidden in ('role="switch"', "/token/", "/edit/", "/disable/", "/delete/", "/signing-key/"):
        assert forbidden not in page


def test_strangers_page_is_not_there_and_nothing_is_typed_over(console, strange, owner):
    instance = InstanceFactory.create(user=owner, name="Acme")
    below = f"/console/instances/instance/{instance.pk}"

    for part in ("change", "delete", "disable", "signing-key"):
        assert strange.get(f"{below}/{part}/").status_code == 404
        assert strange.post(f"{below}/{part}/", {"name": "Acme", "hours": "1"}).status_code in (403, 404)
    for part in ("enable", "token"):
        assert strange.post(f"{below}/{part}/").status_code == 404
    assert console.post(path_of(instance), {"name": "Other"}).status_code == 403
    assert Instance.objects.get().name == "Acme"
