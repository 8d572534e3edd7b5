"""The Events Enabled switch of a row, and of the head of an instance's page."""

from __future__ import annotations

import pytest
from django.test import Client

from instances.models import AuditEntry, Instance
from tests.events.conftest import make_instance, publish
from tests.factories import InstanceFactory

HTMX = {"HX-Request": "true"}


def switch(console: Client, instance: Instance, on: str, **more: str) -> str:
    answer = console.post(path_of(instance), {"on": on, **more}, headers=HTMX)
    assert answer.status_code == 200
    instance.refresh_from_db()
    return answer.content.decode()


def path_of(instance: Instance) -> str:
    return f"/console/instances/instance/{instance.pk}/events/"


def test_switch_asks_the_provider_answers_the_switch_and_is_noted(console, created, owner, sandbox):
    asked_before = len(sandbox.requests)

    answer = switch(console, created, "true")

    assert created.is_events_enabled
    assert len(sandbox.requests) > asked_before
    assert 'aria-checked="true"' in answer
    assert "On: changes from now on become events." in answer
    assert f'<span id="instance-state-{created.pk}" hx-swap-oob="true">' in answer
    assert ">Undo</button>" in answer

    undone = switch(console, created, "false", undo="true")
    assert not created.is_events_enabled
    assert 'aria-checked="false"' in undone
    assert ">Undo</button>" not in undone
    noted = AuditEntry.objects.filter(through="console").order_by("id")
    assert list(noted.values_list("who", "action", "instance_id")) == [
        (owner.email, "switched events on", created.pk),
        (owner.email, "switched events off", created.pk),
    ]


def test_provider_that_refuses_is_quoted_where_the_switch_is_and_nothing_has_changed(console, created, sandbox):
    sandbox.behave(times=None, status=401, body={"message": "<b>go away</b>"})

    answer = switch(console, created, "true")

    assert not created.is_events_enabled
    assert 'aria-checked="false"' in answer
    assert "Not switched on." in answer
    assert "private.key" in answer
    assert "<b>go away</b>" not in answer
    assert ">Undo</button>" not in answer
    assert not AuditEntry.objects.filter(through="console").exists()


def test_switching_off_says_what_waits(console, owner):
    instance = make_instance(owner, "http://127.0.0.1:8099/")
    publish(instance)

    answer = switch(console, instance, "false")

    assert "1 pending delivery waits until it is on again." in answer
    assert "Changes from now on are not reported" in answer


def test_switch_that_stands_there_already_asks_nobody_and_notes_nothing(console, owner):
    instance = InstanceFactory.create(user=owner, sent={"event.notification.enabled": True})

    assert 'aria-checked="true"' in switch(console, instance, "true")
    assert not AuditEntry.objects.exists()


def test_switch_of_an_instance_whose_secrets_are_lost_says_so(console, owner, settings):
    instance = InstanceFactory.create(user=owner)
    settings.FERNET_KEYS = ["w0R2Vbkq1fGm1k5Xh1l5t1nF1kz0J3m7Y8a9b0c1d2E="]

    assert "missing from FERNET_KEYS" in switch(console, instance, "true")
    assert not instance.is_events_enabled


def test_only_who_may_operate_switches_and_only_by_post_with_the_token(console, viewer, strange, owner):
    instance = InstanceFactory.create(user=owner, sent={"event.notification.enabled": True})
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(owner)

    assert viewer.post(path_of(instance), {"on": "false"}, headers=HTMX).status_code == 403
    assert strange.post(path_of(instance), {"on": "false"}, headers=HTMX).status_code == 404
    assert careful.post(path_of(instance), {"on": "false"}, headers=HTMX).status_code == 403
    assert console.get(path_of(instance)).status_code == 405
    instance.refresh_from_db()
    assert instance.is_events_enabled


@pytest.mark.parametrize("sent", [{}, {"on": "perhaps"}])
def test_what_is_neither_on_nor_off_switches_nothing(console, owner, sent):
    instance = InstanceFactory.create(user=owner, sent={"event.notification.enabled": True})

    assert console.post(path_of(instance), sent, headers=HTMX).status_code == 400
    instance.refresh_from_db()
    assert instance.is_events_enabled
