"""Settings of the organization and its secret."""

from __future__ import annotations

import pytest

from instances.encryption import decrypt
from instances.models import AuditEntry, User
from tests.api_client import Api


@pytest.fixture
def page(owner) -> str:
    return f"/console/instances/organization/{owner.organization_id}/change/"


@pytest.fixture
def secret_page(owner) -> str:
    return f"/console/instances/organization/{owner.organization_id}/secret/"


def test_the_menu_leads_people_to_their_own_and_superusers_to_all(console, owner, page):
    answer = console.get("/console/instances/organization/")
    assert (answer.status_code, answer["Location"]) == (302, page)

    User.objects.filter(pk=owner.pk).update(is_superuser=True)
    assert console.get("/console/instances/organization/").status_code == 200


def test_owners_set_patience_and_retention_of_their_organization(console, owner, page):
    sent = {"failure_policy": "queue", "retry_schedule": "[10, 60]", "retention_days": "30"}

    assert console.post(page, sent).status_code == 302
    owner.organization.refresh_from_db()
    assert (owner.organization.failure_policy, owner.organization.retry_schedule) == ("queue", "10,60")
    assert owner.organization.retention_days == 30
    note = AuditEntry.objects.get()
    assert (note.action, note.detail) == (
        "changed the settings",
        "failure_policy = queue, retry_schedule = 10,60, retention_days = 30",
    )

    console.post(page, {"failure_policy": "retry", "retry_schedule": "", "retention_days": "", "name": "Other"})
    renamed = owner.organization.name
    owner.organization.refresh_from_db()
    assert (owner.organization.retry_schedule, owner.organization.retention_days) == ("elements-9", None)
    assert owner.organization.name == renamed


@pytest.mark.parametrize(("field", "value"), [("retry_schedule", "60,10"), ("retention_days", "0")])
def test_settings_that_make_no_sense_are_not_kept_and_the_page_says_why(console, owner, page, field, value):
    answer = console.post(page, {"failure_policy": "queue", "retry_schedule": "", field: value})

    assert field in answer.context["adminform"].form.errors
    owner.organization.refresh_from_db()
    assert owner.organization.failure_policy == "retry"


def test_an_operator_looks_at_the_settings_of_the_organization_and_no_more(client, colleague, page, secret_page):
    User.objects.filter(pk=colleague.pk).update(role=User.OPERATOR)
    client.force_login(colleague)

    assert "Secret of the organization" not in client.get(page).content.decode()
    assert client.post(page, {"failure_policy": "queue"}).status_code == 403
    assert client.get(secret_page).status_code == 403
    assert client.post(secret_page, {"do": "show"}).status_code == 403
    assert not AuditEntry.objects.exists()


def test_the_secret_is_shown_when_somebody_asks_and_that_is_noted(console, owner, page, secret_page):
    secret = decrypt(owner.organization.secret_encrypted)
    assert "Show or change it" in console.get(page).content.decode()
    assert secret not in console.get(secret_page).content.decode() + console.get(page).content.decode()
    assert not AuditEntry.objects.exists()

    shown = console.post(secret_page, {"do": "show"})

    assert secret in shown.content.decode()
    assert "no-store" in shown["Cache-Control"]
    assert AuditEntry.objects.get().action == "looked at the organization's secret"


def test_the_secret_is_changed_by_who_types_the_name_and_the_old_one_proves_nothing(console, owner, secret_page):
    before = Api(owner)
    header = before.authorization
    seen = console.get(secret_page).context["seen"]
    sent = {"do": "rotate", "name": owner.organization.name, "seen": seen}

    assert "to confirm" in console.post(secret_page, sent | {"name": "another"}).content.decode()
    assert before.call("GET", "/instances/count", authorization=header).status_code == 200
    shown = console.post(secret_page, sent).content.decode()

    owner.organization.refresh_from_db()
    assert decrypt(owner.organization.secret_encrypted) in shown
    assert before.call("GET", "/instances/count", authorization=header).status_code == 401
    assert Api(owner).get("/instances/count").status_code == 200
    assert "changed meanwhile" in console.post(secret_page, sent).content.decode()
    assert [entry.action for entry in AuditEntry.objects.all()] == ["changed the organization's secret"]


def test_a_stranger_gets_no_secret(strange, owner, secret_page):
    assert strange.get(secret_page).status_code == 404
    assert strange.post(secret_page, {"do": "show"}).status_code == 404


def test_a_key_that_is_missing_from_the_keyring_is_said(console, secret_page, settings):
    settings.FERNET_KEYS = ["0" * 43 + "="]

    assert "missing from FERNET_KEYS" in console.post(secret_page, {"do": "show"}).content.decode()
