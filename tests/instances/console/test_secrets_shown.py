"""What people call the API with, shown to them when they ask."""

from __future__ import annotations

from instances import accounts
from instances.encryption import decrypt
from instances.models import AuditEntry, User
from tests.api_client import Api

PAGE = "/console/secrets/"


def test_people_see_their_own_secrets_when_they_ask(viewer):
    user = User.objects.get(role=User.VIEWER)
    assert decrypt(user.secret_encrypted) not in viewer.get(PAGE).content.decode()
    assert not AuditEntry.objects.exists()

    shown = viewer.post(PAGE, {"do": "show"})

    assert decrypt(user.secret_encrypted) in shown.content.decode()
    assert shown.context["account"].authorization == Api(user).authorization
    assert "no-store" in shown["Cache-Control"]
    note = AuditEntry.objects.get()
    assert (note.who, note.action) == (user.email, "looked at their secrets")


def test_who_changes_theirs_is_shown_the_new_one_and_the_old_one_proves_nothing(console, owner, colleague):
    header, seen = Api(owner).authorization, console.get(PAGE).context["seen"]
    sent = {"do": "rotate", "sure": "yes", "seen": seen}
    assert console.post(PAGE, sent | {"sure": ""}).context["account"] is None

    console.post(PAGE, sent)

    owner.refresh_from_db()
    assert Api(None).call("GET", "/instances/count", authorization=header).status_code == 401
    assert Api(owner).get("/instances/count").status_code == 200
    assert Api(colleague).get("/instances/count").status_code == 200
    assert "changed meanwhile" in console.post(PAGE, sent).content.decode()
    assert [entry.action for entry in AuditEntry.objects.all()] == ["changed their secret"]


def test_who_has_none_is_told_so(db, client):
    client.force_login(User.objects.create_superuser("root@example.com", "a good password"))

    assert "has no secrets" in client.post(PAGE, {"do": "show"}).content.decode()


def test_a_key_that_is_missing_from_the_keyring_is_said_and_new_secrets_are_the_way_out(console, owner, settings):
    settings.FERNET_KEYS = ["0" * 43 + "="]
    sent = {"do": "rotate", "sure": "yes", "seen": console.get(PAGE).context["seen"]}

    assert "missing from FERNET_KEYS" in console.post(PAGE, {"do": "show"}).content.decode()
    assert console.post(PAGE, sent).context["seen"] == sent["seen"]
    accounts.rotate_secret_of(owner.organization)
    assert console.post(PAGE, sent).context["is_new"]
