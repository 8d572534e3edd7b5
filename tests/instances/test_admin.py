"""The console's pages about instances, as owners, viewers and superusers see them."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from instances.models import Instance, User
from tests.factories import InstanceFactory, UserFactory

LIST = "/console/instances/instance/"


@pytest.fixture
def console(owner) -> Client:
    signed_in = Client()
    signed_in.force_login(owner)
    return signed_in


def switched(console: Client, action: str, *instances: Instance) -> str:
    answer = console.post(LIST, {"action": action, "_selected_action": [one.pk for one in instances]}, follow=True)
    return answer.content.decode()


def test_switch_goes_to_the_provider_and_is_noted(console, created, sandbox):
    page = switched(console, "switch_events_on", created)

    created.refresh_from_db()
    assert created.is_events_enabled
    assert "Events Enabled is on for 1 instance(s)" in page
    assert LogEntry.objects.get().change_message
    assert len(sandbox.requests) == 6

    switched(console, "switch_events_off", created)
    created.refresh_from_db()
    assert not created.is_events_enabled


def test_switch_that_fails_says_why_and_the_others_go_on(console, created, owner, sandbox):
    unreachable = InstanceFactory.create(user=owner, name="Nobody home")
    page = switched(console, "switch_events_on", created, unreachable)

    assert "Nobody home" in page
    assert "baseUrl" in page
    assert "Events Enabled is on for 1 instance(s)" in page
    unreachable.refresh_from_db()
    assert not unreachable.is_events_enabled


def test_people_see_their_own_organization_only(console, owner, stranger):
    own, foreign = InstanceFactory.create(user=owner), InstanceFactory.create(user=stranger)

    page = console.get(LIST).content.decode()

    assert own.name in page
    assert foreign.name not in page
    assert console.get(f"{LIST}{own.pk}/change/").status_code == 200
    assert console.get(f"{LIST}{foreign.pk}/change/").status_code == 404
    assert stranger.email not in console.get("/console/instances/user/").content.decode()
    assert stranger.organization.name not in console.get("/console/instances/organization/").content.decode()
    switched(console, "switch_events_on", foreign)
    foreign.refresh_from_db()
    assert not foreign.is_events_enabled


def test_registrations_that_are_incomplete_show_in_the_list_and_why_on_the_page(console, owner):
    instance = InstanceFactory.create(user=owner, registration_problem="ticket: not allowed")

    assert "registrations incomplete" in console.get(LIST).content.decode()
    assert "ticket: not allowed" in console.get(f"{LIST}{instance.pk}/change/").content.decode()


def test_viewer_has_no_switch(owner, created):
    viewer = Client()
    viewer.force_login(UserFactory.create(organization=owner.organization, role=User.VIEWER))

    assert "switch_events_on" not in viewer.get(LIST).content.decode()
    switched(viewer, "switch_events_on", created)
    created.refresh_from_db()
    assert not created.is_events_enabled
    assert viewer.post(f"{LIST}{created.pk}/delete/", {"post": "yes"}).status_code == 403


def test_nothing_can_be_typed_over(console, created):
    page = console.get(f"{LIST}{created.pk}/change/").content.decode()

    assert "<textarea" not in page
    assert 'name="name"' not in page
    assert console.post(f"{LIST}{created.pk}/change/", {"name": "Other"}).status_code == 403
    assert console.get(f"{LIST}add/").status_code == 403


def test_query_string_of_the_callback_url_is_not_shown(console, owner):
    instance = InstanceFactory.create(
        user=owner, sent={"event.notification.callback.url": "https://app.example.com/ce?key=canary"}
    )
    page = console.get(f"{LIST}{instance.pk}/change/").content.decode()

    assert "https://app.example.com/ce?…" in page
    assert "canary" not in page


def test_filters_and_search_find_instances(console, owner):
    on = InstanceFactory.create(user=owner, name="Alpha", sent={"event.notification.enabled": True})
    InstanceFactory.create(user=owner, name="Beta", is_valid=False)

    assert "Beta" not in console.get(LIST, {"is_events_enabled__exact": "1"}).content.decode()
    assert "Alpha" not in console.get(LIST, {"is_valid__exact": "0"}).content.decode()
    assert "needs attention" in console.get(LIST, {"q": "beta"}).content.decode()
    assert "Alpha" in console.get(LIST, {"q": str(on.pk)}).content.decode()


def test_instances_are_deleted_with_all_that_hangs_on_them(console, created, owner):
    other = InstanceFactory.create(user=owner)

    console.post(f"{LIST}{created.pk}/delete/", {"post": "yes"})
    switched(console, "delete_selected", other)
    assert Instance.objects.count() == 1

    console.post(LIST, {"action": "delete_selected", "_selected_action": [other.pk], "post": "yes"})
    assert not Instance.objects.exists()


def test_only_superusers_change_people(console, owner, colleague):
    page = f"/console/instances/user/{colleague.pk}/change/"
    assert console.post(page, {"role": "viewer"}).status_code == 403

    owner.is_superuser = True
    owner.save()
    console.post(page, {"role": "viewer", "is_active": "on", "is_staff": "on"})
    colleague.refresh_from_db()
    assert colleague.role == User.VIEWER


@pytest.mark.parametrize(
    "question",
    [
        "user/?password__startswith=md5",
        "user/?secret_encrypted__startswith=gAAA",
        "instance/?configuration_encrypted__startswith=gAAA",
        "instance/?organization__secret_hash__startswith=a",
    ],
)
def test_a_filter_in_the_url_answers_no_guess_at_hidden_columns(client, owner, question):
    client.force_login(owner)

    assert client.get(f"/console/instances/{question}").status_code == 400
    assert client.get("/console/instances/instance/?is_disabled__exact=0").status_code == 200


def test_owners_set_patience_and_retention_of_their_organization(console, owner):
    page = f"/console/instances/organization/{owner.organization_id}/change/"
    sent = {"failure_policy": "queue", "retry_schedule": "[10, 60]", "retention_days": "30"}

    assert console.post(page, sent).status_code == 302
    owner.organization.refresh_from_db()
    assert (owner.organization.failure_policy, owner.organization.retry_schedule) == ("queue", "10,60")
    assert owner.organization.retention_days == 30

    console.post(page, {"failure_policy": "retry", "retry_schedule": "", "retention_days": "", "name": "Other"})
    renamed = owner.organization.name
    owner.organization.refresh_from_db()
    assert (owner.organization.retry_schedule, owner.organization.retention_days) == ("elements-9", None)
    assert owner.organization.name == renamed


@pytest.mark.parametrize(("field", "value"), [("retry_schedule", "60,10"), ("retention_days", "0")])
def test_settings_that_make_no_sense_are_not_kept_and_the_page_says_why(console, owner, field, value):
    page = f"/console/instances/organization/{owner.organization_id}/change/"

    answer = console.post(page, {"failure_policy": "queue", "retry_schedule": "", field: value})

    assert field in answer.context["adminform"].form.errors
    owner.organization.refresh_from_db()
    assert owner.organization.failure_policy == "retry"


def test_an_operator_looks_at_the_settings_of_the_organization_and_no_more(client, colleague):
    User.objects.filter(pk=colleague.pk).update(role=User.OPERATOR)
    client.force_login(colleague)
    page = f"/console/instances/organization/{colleague.organization_id}/change/"

    assert client.get(page).status_code == 200
    assert client.post(page, {"failure_policy": "queue"}).status_code == 403
