"""The token of an instance, on request, and its signature key, rotated and shown once."""

from __future__ import annotations

from instances import signing_keys
from instances.models import AuditEntry, Instance
from tests.factories import InstanceFactory, token_of

KEY = "abcd1234efgh5678"
SIGNED = {"event.notification.signature.key": KEY}


def path_of(instance: Instance, what: str) -> str:
    return f"/console/instances/instance/{instance.pk}/{what}/"


def keys_of(instance: Instance) -> list[signing_keys.SigningKey]:
    instance.refresh_from_db()
    return list(signing_keys.read(instance.signing_keys_encrypted))


def test_token_is_shown_on_request_kept_by_no_cache_and_the_look_is_noted(console, viewer, owner):
    instance = InstanceFactory.create(user=owner)

    assert console.get(path_of(instance, "token")).status_code == 405
    assert viewer.post(path_of(instance, "token")).status_code == 403
    assert not AuditEntry.objects.exists()

    answer = console.post(path_of(instance, "token"))

    assert f'value="{token_of(instance)}"' in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    entry = AuditEntry.objects.get()
    assert (entry.who, entry.action, entry.instance_id) == (owner.email, "looked at the token", instance.pk)


def test_rotated_key_is_shown_once_and_the_one_before_it_goes_on_for_a_while(console, owner):
    instance = InstanceFactory.create(user=owner, sent=SIGNED)
    asked = console.get(path_of(instance, "signing-key"))
    assert KEY not in asked.content.decode()
    sent = {"hours": "48", "seen": asked.context["seen"]}

    page = console.post(path_of(instance, "signing-key"), sent).content.decode()

    new, old = keys_of(instance)
    assert old.text == KEY
    assert old.ends_at is not None
    assert instance.signing_overlap_hours == 48
    assert f'value="{new.text}"' in page
    assert len(new.text) >= 24
    assert "signed with both keys until" in page
    assert new.text not in console.get(path_of(instance, "signing-key")).content.decode()
    entry = AuditEntry.objects.get()
    assert entry.action == "rotated the signature key"
    assert new.text not in entry.detail


def test_a_form_that_is_sent_twice_rotates_once(console, owner):
    instance = InstanceFactory.create(user=owner, sent=SIGNED)
    sent = {"hours": "0", "seen": console.get(path_of(instance, "signing-key")).context["seen"]}

    console.post(path_of(instance, "signing-key"), sent)
    (only,) = keys_of(instance)
    again = console.post(path_of(instance, "signing-key"), sent).content.decode()

    assert "nothing was done" in again
    assert keys_of(instance) == [only]


def test_first_key_and_hours_that_make_no_sense(console, viewer, owner):
    instance = InstanceFactory.create(user=owner)
    page = console.get(path_of(instance, "signing-key"))
    assert "Sign the notifications of" in page.content.decode()
    seen = page.context["seen"]

    for hours in ("-1", "721", "1.5", ""):
        refused = console.post(path_of(instance, "signing-key"), {"hours": hours, "seen": seen}).content.decode()
        assert "Send whole hours from 0 to 720." in refused
    assert viewer.post(path_of(instance, "signing-key"), {"hours": "1", "seen": seen}).status_code == 403
    instance.refresh_from_db()
    assert instance.signing_keys_encrypted == ""

    console.post(path_of(instance, "signing-key"), {"hours": "24", "seen": seen})
    assert len(keys_of(instance)) == 1
