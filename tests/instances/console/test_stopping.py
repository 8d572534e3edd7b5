"""Disabling, enabling and deleting an instance from its page."""

from __future__ import annotations

import pytest

from instances.models import AuditEntry, Instance
from polling.models import Job
from tests.events.conftest import make_instance, publish
from tests.factories import InstanceFactory


def path_of(instance: Instance, what: str) -> str:
    return f"/console/instances/instance/{instance.pk}/{what}/"


def noted() -> list[str]:
    return list(AuditEntry.objects.order_by("id").values_list("action", flat=True))


def test_disabling_is_explained_and_enabling_goes_on_from_there(console, created, sandbox):
    page = console.get(path_of(created, "disable")).content.decode()
    assert "Calls of the API through this instance are refused" in page

    told = console.post(path_of(created, "disable"), follow=True).content.decode()
    created.refresh_from_db()
    assert created.is_disabled
    assert "is disabled" in told

    console.post(path_of(created, "enable"))
    created.refresh_from_db()
    assert not created.is_disabled
    assert noted()[-2:] == ["disabled the instance", "enabled the instance"]


def test_deleting_tells_what_goes_with_it_and_wants_the_name(console, owner):
    instance = make_instance(owner, "http://127.0.0.1:8099/")
    Instance.objects.update(name="Two  spaces and\na line")
    instance.refresh_from_db()
    publish(instance, 2)
    Job.objects.create(
        instance=instance,
        user=owner,
        name="nightly",
        method="GET",
        uri="/hubs/crm/contacts",
        cron="0 0 * * *",
        next_run_at=instance.created_at,
    )

    asked = console.get(path_of(instance, "delete")).content.decode()
    assert "2 events and all that is known about their deliveries are deleted." in asked
    assert "2 deliveries are never sent." in asked
    assert "1 job is deleted." in asked

    for wrong in ("", instance.name.upper(), f"{instance.name}x"):
        answer = console.post(path_of(instance, "delete"), {"name": wrong, "post": "yes"}).content.decode()
        assert "This is not its name. Nothing was deleted." in answer
    assert Instance.objects.count() == 1

    told = console.post(path_of(instance, "delete"), {"name": " Two spaces and a line"}, follow=True)
    assert not Instance.objects.exists()
    assert f"{instance.name} is deleted." in told.content.decode()
    assert noted() == ["deleted the instance"]


def test_instance_whose_secrets_are_lost_is_not_disabled_but_says_why(console, owner, settings):
    instance = InstanceFactory.create(user=owner)
    settings.FERNET_KEYS = ["w0R2Vbkq1fGm1k5Xh1l5t1nF1kz0J3m7Y8a9b0c1d2E="]

    told = console.post(path_of(instance, "disable"), follow=True).content.decode()

    assert "Nothing has changed." in told
    assert "missing from FERNET_KEYS" in told


@pytest.mark.parametrize(("what", "sent"), [("disable", {}), ("enable", {}), ("delete", {"name": "Acme"})])
def test_a_viewer_stops_nothing(viewer, owner, what, sent):
    instance = InstanceFactory.create(user=owner, name="Acme", is_disabled=what == "enable")

    assert viewer.get(path_of(instance, what)).status_code == 403
    assert viewer.post(path_of(instance, what), sent).status_code == 403
    assert Instance.objects.get().is_disabled == (what == "enable")
    assert noted() == []
