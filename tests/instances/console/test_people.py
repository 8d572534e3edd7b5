"""People of an organization and its settings, as owners, operators and superusers see them."""

from __future__ import annotations

import pytest

from instances.models import User


def test_only_superusers_change_people(console, owner, colleague):
    page = f"/console/instances/user/{colleague.pk}/change/"
    assert console.post(page, {"role": "viewer"}).status_code == 403

    owner.is_superuser = True
    owner.save()
    console.post(page, {"role": "viewer", "is_active": "on", "is_staff": "on"})
    colleague.refresh_from_db()
    assert colleague.role == User.VIEWER


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
